//! Appending amendments and repairs.

use candlewick_ingest::IngestError;
use eventlog::{Log, NewRecord};
use market::{
    Amendment, AmendmentKind, Decimal, Position, RejectReason, SettingsChange, Trade, TradeId,
};
use schemas::{Repair, TradesTopicRecord, partition_of};

use crate::support::{
    PARTITIONS, contiguous_change, empty_log, empty_store, new_producer, parse_instrument,
    read_records, trade,
};

fn cancel(id: u64, target_position: Option<Position>) -> Amendment {
    Amendment {
        id: TradeId::Number(id),
        kind: AmendmentKind::Cancel,
        target_position,
    }
}

fn rejection_of<T: std::fmt::Debug>(result: Result<T, IngestError>) -> RejectReason {
    let error = result.unwrap_err();
    let IngestError::Rejected { reason, .. } = error else {
        unreachable!("{error}");
    };
    reason
}

#[tokio::test]
async fn an_amendment_is_appended_to_the_partition_of_its_trade_and_its_position_is_returned() {
    let log = empty_log();
    let (_folder, store) = empty_store().await;
    let producer = new_producer(&log, &store);
    let (instrument, venue) = (parse_instrument("v:S"), "v".parse().unwrap());
    producer.declare(&venue, contiguous_change()).await.unwrap();
    let partition = partition_of(b"v:S", PARTITIONS);
    let mut expected = read_records(&log, partition).await;
    for id in 1..4 {
        let amendment = Amendment {
            kind: AmendmentKind::Edit,
            ..cancel(id, None)
        };
        let appended_at = producer
            .append_amendment(&instrument, amendment.clone(), trade(id))
            .await
            .unwrap();
        let position = Position {
            epoch: 1,
            offset: expected.len() as u64,
        };
        assert_eq!(
            (appended_at.partition, appended_at.position),
            (partition, position)
        );
        let record = TradesTopicRecord::Amendment(amendment, trade(id));
        expected.push(("v:S".to_owned(), record));
    }
    assert_eq!(read_records(&log, partition).await, expected);
}

#[tokio::test]
async fn an_amendment_or_a_repair_of_an_undeclared_venue_is_not_appended() {
    let log = empty_log();
    let (_folder, store) = empty_store().await;
    let producer = new_producer(&log, &store);
    let instrument = parse_instrument("v:S");
    let result = producer
        .append_amendment(&instrument, cancel(1, None), trade(1))
        .await;
    assert_eq!(rejection_of(result), RejectReason::VenueUnknown);
    let range = Repair {
        force: false,
        start_ns: 0,
        end_ns: market::MINUTE_NS,
    };
    let result = producer.append_repairs(&instrument, &[range]).await;
    assert_eq!(rejection_of(result), RejectReason::VenueUnknown);
    for partition in 0..PARTITIONS {
        assert_eq!(log.bounds(partition).await.unwrap().end, 0, "not declared");
    }
}

#[tokio::test]
async fn an_amendment_that_the_fold_would_reject_is_not_appended() {
    let log = empty_log();
    let (_folder, store) = empty_store().await;
    let producer = new_producer(&log, &store);
    let instrument = parse_instrument("v:S");
    let venue = "v".parse().unwrap();
    producer
        .declare(&venue, SettingsChange::default())
        .await
        .unwrap();
    let without_id = Trade {
        id: None,
        ..trade(1)
    };
    let without_price = Trade {
        price: Decimal::ZERO,
        ..trade(1)
    };
    let edit = Amendment {
        kind: AmendmentKind::Edit,
        ..cancel(1, None)
    };
    let future = Trade {
        time_ns: i64::MAX,
        ..trade(1)
    };
    let partition = partition_of(b"v:S", PARTITIONS);
    let end = log.bounds(partition).await.unwrap().end;
    let position_at = |epoch, offset| Some(Position { epoch, offset });
    for (amendment, trade, expected) in [
        (
            cancel(1, None),
            without_id.clone(),
            RejectReason::TargetMissing,
        ),
        (
            cancel(1, position_at(1, end)),
            without_id.clone(),
            RejectReason::TargetMissing,
        ),
        (
            cancel(1, position_at(2, 0)),
            without_id.clone(),
            RejectReason::TargetMissing,
        ),
        (edit, without_price.clone(), RejectReason::PriceNotPositive),
        (cancel(1, None), future, RejectReason::TimeInFuture),
    ] {
        let result = producer
            .append_amendment(&instrument, amendment, trade)
            .await;
        assert_eq!(rejection_of(result), expected);
    }
    assert_eq!(log.bounds(partition).await.unwrap().end, end);
    // The price of a cancel is ignored, and a position before the end may hold a trade.
    for (amendment, trade) in [
        (cancel(1, None), without_price),
        (cancel(2, position_at(1, end - 1)), without_id),
    ] {
        producer
            .append_amendment(&instrument, amendment, trade)
            .await
            .unwrap();
    }
    assert_eq!(log.bounds(partition).await.unwrap().end, end + 2);
}

#[tokio::test]
async fn valid_repairs_are_appended_in_order() {
    let log = empty_log();
    let (_folder, store) = empty_store().await;
    let producer = new_producer(&log, &store);
    let (instrument, venue) = (parse_instrument("v:S"), "v".parse().unwrap());
    // Another process has just declared the venue, so far in the first partition only.
    let mut value = Vec::new();
    TradesTopicRecord::Setting(venue, contiguous_change()).encode(&mut value);
    let record = NewRecord {
        key: bytes::Bytes::new(),
        value: value.into(),
    };
    log.append(0, vec![record]).await.unwrap();
    let minute = market::MINUTE_NS;
    let range = |start, end| Repair {
        force: true,
        start_ns: start * minute,
        end_ns: end * minute,
    };
    for invalid in [vec![], vec![range(1, 2), range(3, 3)], vec![range(0, 1441)]] {
        let error = producer
            .append_repairs(&instrument, &invalid)
            .await
            .unwrap_err();
        assert!(matches!(error, IngestError::InvalidRepair), "{error}");
    }
    let ranges = [range(5, 1445), range(7, 8)];
    let appended_at = producer.append_repairs(&instrument, &ranges).await.unwrap();
    let partition = partition_of(b"v:S", PARTITIONS);
    let held = read_records(&log, partition).await;
    let index = usize::try_from(appended_at.position.offset).unwrap();
    assert_eq!((appended_at.partition, held.len()), (partition, index + 2));
    let found: Vec<_> = held[index..]
        .iter()
        .map(|(_, record)| record.clone())
        .collect();
    assert_eq!(found, ranges.map(TradesTopicRecord::Repair));
}
