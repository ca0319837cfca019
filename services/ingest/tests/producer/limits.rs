//! How many venues and symbols there may be.

use candlewick_ingest::{IngestError, VenueAndSymbolLimits};
use market::{Amendment, AmendmentKind, Instrument, RejectReason, Trade, TradeId, Venue};
use store::SymbolRow;

use crate::support::{
    contiguous_change, empty_log, empty_store, new_producer, parse_instrument,
    store_folded_symbols, trade,
};

const LIMITS: VenueAndSymbolLimits = VenueAndSymbolLimits {
    venues: 2,
    symbols: 3,
};

fn trades_of(keys: &[&str]) -> Vec<(Instrument, Trade)> {
    let trade_of = |key: &&str| (parse_instrument(key), trade(1));
    keys.iter().map(trade_of).collect()
}

#[tokio::test]
async fn trades_of_one_symbol_or_venue_too_many_are_refused_and_no_others() {
    let log = empty_log();
    let (_folder, store) = empty_store().await;
    let producer = new_producer(&log, &store).with_limits(LIMITS);
    let first = producer.append(trades_of(&["v:A", "v:B", "w:A"])).await;
    assert_eq!(first.unwrap().accepted, 3);
    for _ in 0..2 {
        let trades = trades_of(&["v:A", "v:C", "w:A", "x:A", "v:B"]);
        let result = producer.append(trades).await.unwrap();
        assert_eq!(result.accepted, 3);
        let rejected = result.rejected.iter();
        let rejected: Vec<_> = rejected.map(|one| (one.index, one.reason)).collect();
        let expected = [
            (1, RejectReason::SymbolLimit),
            (3, RejectReason::VenueLimit),
        ];
        assert_eq!(rejected, expected);
    }
    let venue: Venue = "x".parse().unwrap();
    let declared = producer.declare(&venue, contiguous_change()).await;
    let error = declared.unwrap_err();
    assert!(error.to_string().contains("--max-venues"), "{error}");
    let amendment = Amendment {
        id: TradeId::Number(1),
        kind: AmendmentKind::Cancel,
        target_position: None,
    };
    for (key, is_refused) in [("v:A", false), ("v:C", true)] {
        let instrument = parse_instrument(key);
        let appended = producer
            .append_amendment(&instrument, amendment.clone(), trade(1))
            .await;
        let is_limit = |error: &IngestError| {
            matches!(
                error,
                IngestError::Rejected {
                    reason: RejectReason::SymbolLimit,
                    ..
                }
            )
        };
        assert_eq!(appended.as_ref().is_err_and(is_limit), is_refused, "{key}");
    }
}

#[tokio::test]
async fn symbols_that_other_processes_have_sent_exist_and_count() {
    let log = empty_log();
    let (_folder, store) = empty_store().await;
    let first = new_producer(&log, &store).with_limits(LIMITS);
    let keys = ["v:A", "v:B", "v:C"];
    assert_eq!(first.append(trades_of(&keys)).await.unwrap().accepted, 3);
    let symbols = keys.map(|key| SymbolRow {
        instrument: parse_instrument(key),
        watermark_ns: 0,
        last_append_ns: 0,
        closed_until_ns: 0,
        newest_minute_ns: 0,
    });
    store_folded_symbols(&store, symbols.to_vec()).await;
    // Nothing is known to this process.
    let second = new_producer(&log, &store).with_limits(LIMITS);
    let result = second.append(trades_of(&["v:C", "v:D", "v:A"])).await;
    let result = result.unwrap();
    assert_eq!(result.accepted, 2);
    assert_eq!(result.rejected[0].reason, RejectReason::SymbolLimit);
}

#[tokio::test]
async fn a_symbol_without_a_valid_trade_does_not_count() {
    let log = empty_log();
    let (_folder, store) = empty_store().await;
    let limits = VenueAndSymbolLimits {
        venues: 1,
        symbols: 1,
    };
    let producer = new_producer(&log, &store).with_limits(limits);
    let too_early = Trade {
        time_ns: 1_709_251_200_000,
        ..trade(1)
    };
    let mut trades = vec![(parse_instrument("v:A"), too_early)];
    // A venue that is refused uses up no symbol either.
    trades.extend(trades_of(&["v:B", "w:C", "x:C", "w:D"]));
    let result = producer.append(trades).await.unwrap();
    assert_eq!(result.accepted, 1);
    let rejected = result.rejected.iter();
    let rejected: Vec<_> = rejected.map(|one| (one.index, one.reason)).collect();
    let expected = [
        (0, RejectReason::TimeBefore1973),
        (2, RejectReason::VenueLimit),
        (3, RejectReason::VenueLimit),
        (4, RejectReason::VenueLimit),
    ];
    assert_eq!(rejected, expected);
}
