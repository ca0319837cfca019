//! The core through its public interface.

use bytes::Bytes;
use market::{
    Amendment, AmendmentKind, Bar, Decimal, IdScheme, Interval, MINUTE_NS, RejectReason,
    SettingsChange, Trade, TradeId,
};
use schemas::{RefoldResult, Repair};
use store::{StoredIdSet, TickVerdict};

use super::rejections::MAX_KEPT_BYTES;
use super::*;

mod counting;
mod first_append;
mod id_memory;
mod left_out;
mod settings;

const START_NS: i64 = 1_700_000_000_000_000_000;

fn encoded_record(offset: u64, key: &str, value: Vec<u8>) -> Record {
    Record {
        offset,
        append_time_ns: START_NS + 10 * MINUTE_NS,
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: value.into(),
    }
}

fn venue_record() -> Record {
    let settings = VenueSettings {
        scheme: IdScheme::Contiguous,
        ..VenueSettings::default()
    };
    let mut value = Vec::new();
    let change = SettingsChange::of_all(&settings);
    TradesTopicRecord::Setting("v".parse().unwrap(), change).encode(&mut value);
    encoded_record(0, "", value)
}

fn trade_record(offset: u64, key: &str, time_ns: i64, price: i64) -> Record {
    let trade = Trade {
        time_ns,
        price: Decimal::new(price, 0).unwrap(),
        quantity: None,
        side: None,
        id: Some(TradeId::Number(offset)),
        scope: None,
        sender: None,
    };
    let mut value = Vec::new();
    TradesTopicRecord::encode_trade(&trade, &mut value);
    encoded_record(offset, key, value)
}

fn empty_core() -> FoldCore {
    FoldCore::new(empty_state(0), 1)
}

fn empty_state(partition: u32) -> PartitionState {
    PartitionState {
        progress: PartitionProgress {
            partition,
            epoch: 1,
            next_offset: 0,
            updates_position: Position::default(),
            append_time_ns: 0,
        },
        symbols: Vec::new(),
        venues: Vec::new(),
        open_bars: Vec::new(),
        dirty_minutes: Vec::new(),
        pending_amendments: Vec::new(),
        id_digest_key: [7; 32],
    }
}

/// Answers the load requests as a store that holds nothing.
fn answer_loads_as_empty(core: &mut FoldCore) {
    let load = |request: &LoadRequest| match request.clone() {
        LoadRequest::Bar(key) => LoadedData::Bar(key, None),
        LoadRequest::IdSet(request) => LoadedData::IdSet(request, StoredIdSet::default()),
        LoadRequest::IdSegment(request) => unreachable!("nothing is stored: {request:?}"),
    };
    let loaded = core.load_requests().iter().map(load).collect();
    core.accept_loaded(loaded);
}

#[test]
fn a_batch_requests_everything_that_its_trades_need_at_once() {
    let mut records = vec![venue_record()];
    for offset in 1..=200 {
        let key = format!("v:S{}", offset % 50);
        records.push(trade_record(offset, &key, START_NS, 1));
    }
    // Records that are no trades, and trades that are not allowed, need nothing.
    records.push(encoded_record(201, "v:X", vec![255]));
    records.push(trade_record(202, "v:Y", START_NS, -1));
    records.push(trade_record(203, "w:Z", START_NS, 1));
    let mut core = empty_core();
    assert_eq!(core.apply(&records), 1, "the first trade waits");
    assert_eq!(
        core.load_requests().len(),
        50,
        "a set of ids for each symbol"
    );
    answer_loads_as_empty(&mut core);
    assert_eq!(core.apply(&records[1..]), records.len() - 1);
    assert_eq!(core.take_counts().trades, 200);
    assert_eq!(core.take_dead_letters().len(), 3);
}

#[test]
fn closed_minutes_are_requested_together() {
    let now = [trade_record(1, "v:A", START_NS + 9 * MINUTE_NS, 1)];
    let mut core = empty_core();
    core.apply(&[venue_record()]);
    core.apply(&now);
    answer_loads_as_empty(&mut core);
    assert_eq!(core.apply(&now), 1);
    let late: Vec<_> = (2..6)
        .map(|offset| {
            let minute = i64::try_from(offset).unwrap() * MINUTE_NS;
            trade_record(offset, "v:A", START_NS + minute, 1)
        })
        .collect();
    assert_eq!(core.apply(&late), 0);
    let minutes = core.load_requests().iter().filter(|request| match request {
        LoadRequest::Bar(key) => key.window.interval == market::Interval::M1,
        _ => panic!("its ids are in memory"),
    });
    assert_eq!(minutes.count(), 4);
    answer_loads_as_empty(&mut core);
    assert_eq!(core.apply(&late), 4);
}

#[test]
fn a_trade_before_1973_is_a_dead_letter_that_names_its_unit_and_no_trade() {
    let trade = trade_record(1, "v:A", 1_709_251_200_000, 1);
    let mut core = empty_core();
    assert_eq!(core.apply(&[venue_record(), trade]), 2);
    let dead_letters = core.take_dead_letters();
    assert_eq!(dead_letters.len(), 1);
    assert_eq!(dead_letters[0].reason, RejectReason::TimeBefore1973);
    let unit = "as milliseconds this is 2024-03-01T00:00:00Z";
    assert!(
        dead_letters[0].detail.contains(unit),
        "{:?}",
        dead_letters[0].detail
    );
    let begin = Position {
        epoch: 1,
        offset: 0,
    };
    let transaction = core.flush(begin, Position::default());
    let verdicts: Vec<_> = transaction
        .excluded_ranges
        .iter()
        .map(|range| range.verdict)
        .collect();
    assert_eq!(
        verdicts,
        [TickVerdict::Rejected(RejectReason::TimeBefore1973)]
    );
}

fn dead_letter_for(value: Vec<u8>) -> DeadLetter {
    let mut core = empty_core();
    assert_eq!(core.apply(&[encoded_record(0, "venue:symbol", value)]), 1);
    let mut dead_letters = core.take_dead_letters();
    assert_eq!(dead_letters.len(), 1);
    dead_letters.remove(0)
}

#[test]
fn a_record_that_is_too_large_for_a_dead_letter_is_cut_and_the_detail_says_so() {
    let whole = dead_letter_for(vec![b'x'; MAX_KEPT_BYTES]);
    assert_eq!(whole.value.len(), MAX_KEPT_BYTES);
    assert!(!whole.detail.contains("are kept"), "{}", whole.detail);
    let cut = dead_letter_for(vec![b'x'; 20 << 20]);
    assert_eq!(cut.value.len(), MAX_KEPT_BYTES);
    assert!(
        cut.detail
            .contains("its value of 20971520 the first 1048576 each are kept"),
        "{}",
        cut.detail
    );
    assert!(cut.encode().len() < 4 << 20);
}

/// Applies records, each of which may need data of a store that holds nothing.
fn apply_all(core: &mut FoldCore, records: &[Record]) {
    let mut rest = records;
    while !rest.is_empty() {
        rest = &rest[core.apply(rest)..];
        if !rest.is_empty() {
            answer_loads_as_empty(core);
        }
    }
}

fn amendment_record(offset: u64, kind: AmendmentKind, id: u64) -> Record {
    let amendment = Amendment {
        id: TradeId::parse(&format!("amendment-{offset}")).unwrap(),
        kind,
        target_position: None,
    };
    let trade = Trade {
        time_ns: START_NS,
        price: Decimal::new(9, 0).unwrap(),
        quantity: None,
        side: None,
        id: Some(TradeId::Number(id)),
        scope: None,
        sender: None,
    };
    let mut value = Vec::new();
    TradesTopicRecord::Amendment(amendment, trade).encode(&mut value);
    encoded_record(offset, "v:A", value)
}

#[test]
fn a_trade_that_is_amended_twice_before_it_arrives_is_one_row() {
    let mut core = empty_core();
    let mut cancel = amendment_record(2, AmendmentKind::Cancel, 7);
    cancel.append_time_ns += 5;
    let records = [
        venue_record(),
        amendment_record(1, AmendmentKind::Edit, 7),
        cancel,
        amendment_record(3, AmendmentKind::Edit, 8),
    ];
    apply_all(&mut core, &records);
    let transaction = core.flush(Position::default(), Position::default());
    let rows: Vec<_> = transaction
        .pending_amendments
        .iter()
        .map(|row| (row.id.to_string(), row.append_time_ns))
        .collect();
    let appended_ns = START_NS + 10 * MINUTE_NS;
    let expected = [("7", appended_ns + 5), ("8", appended_ns + 5)];
    assert_eq!(rows, expected.map(|(id, time_ns)| (id.to_owned(), time_ns)));
}

fn repair_record(offset: u64, force: bool) -> Record {
    repair_of_minute(offset, START_NS - START_NS % MINUTE_NS, force)
}

fn repair_of_minute(offset: u64, start_ns: i64, force: bool) -> Record {
    let repair = Repair {
        start_ns,
        end_ns: start_ns + MINUTE_NS,
        force,
    };
    let mut value = Vec::new();
    TradesTopicRecord::Repair(repair).encode(&mut value);
    encoded_record(offset, "v:A", value)
}

/// Returns the refold of the minute that a repair at offset 3 has marked, of one trade of a price
/// and of `admitted` counted trades.
fn refold_record(offset: u64, price: i64, admitted: u64) -> Record {
    let trade = Trade {
        time_ns: START_NS,
        price: Decimal::new(price, 0).unwrap(),
        quantity: None,
        side: None,
        id: Some(TradeId::Number(1)),
        scope: None,
        sender: None,
    };
    let position = Position {
        epoch: 1,
        offset: 1,
    };
    let mut bar = Bar::from_trade(&trade, position, START_NS + 10 * MINUTE_NS);
    bar.admitted = admitted;
    let refold = RefoldResult {
        start_ns: START_NS - START_NS % MINUTE_NS,
        up_to: Position {
            epoch: 1,
            offset: 4,
        },
        bar,
    };
    let mut value = Vec::new();
    TradesTopicRecord::Refold(Box::new(refold)).encode(&mut value);
    encoded_record(offset, "v:A", value)
}

/// Folds two trades of one minute, a repair of it and a refold, and returns the core and the
/// minute's row.
fn refolded(force: bool, admitted: u64) -> (FoldCore, market::BarRow) {
    let mut core = empty_core();
    let records = [
        venue_record(),
        trade_record(1, "v:A", START_NS, 5),
        trade_record(2, "v:A", START_NS, 6),
        repair_record(3, force),
        refold_record(4, 9, admitted),
    ];
    apply_all(&mut core, &records);
    let mut updates = core.take_updates();
    let row = updates.remove(0).rows.remove(0);
    assert_eq!(core.dirty_minute_count(), 0);
    (core, row)
}

#[test]
fn a_refold_puts_the_bar_of_its_record_in_place_and_needs_no_ticks() {
    let (mut core, row) = refolded(false, 2);
    assert_eq!(
        (row.bar.close.price, row.bar.trades),
        ("9".parse().unwrap(), 1)
    );
    assert_eq!(
        (row.bar.admitted, row.provable, row.through.offset),
        (2, true, 4)
    );
    assert_eq!(core.take_counts().refolds, 1);
    assert_eq!(core.take_dead_letters(), []);
}

#[test]
fn a_refold_of_another_number_of_trades_is_refused_and_recorded() {
    for admitted in [0, 1, 3] {
        let (mut core, row) = refolded(false, admitted);
        assert_eq!((row.bar.high, row.bar.trades), ("6".parse().unwrap(), 2));
        assert_eq!(
            (row.bar.admitted, row.provable, row.through.offset),
            (2, false, 4)
        );
        let letters = core.take_dead_letters();
        assert_eq!(letters[0].reason, market::RejectReason::RefoldRefused);
        let expected = format!("has counted 2 trades, but its ticks show {admitted}");
        assert!(
            letters[0].detail.contains(&expected),
            "{}",
            letters[0].detail
        );
        assert_eq!(core.take_counts().refused_refolds, 1);
        let transaction = core.flush(Position::default(), Position::default());
        assert_eq!(transaction.dirty_minutes[0].mark, None);
        assert!(transaction.bars.iter().all(|bar| !bar.row.provable));
    }
}

#[test]
fn a_forced_refold_replaces_the_bar_whatever_its_number_of_trades() {
    let (_, row) = refolded(true, 1);
    assert_eq!((row.bar.high, row.bar.trades), ("9".parse().unwrap(), 1));
    assert_eq!((row.bar.admitted, row.provable), (1, false));
}

#[test]
fn a_forced_refold_of_a_symbol_that_has_not_traded_closes_nothing_and_ends() {
    let mut core = empty_core();
    let mut settings_again = venue_record();
    settings_again.offset = 5;
    let records = [
        venue_record(),
        trade_record(1, "v:B", START_NS, 5),
        trade_record(2, "v:B", START_NS, 5),
        repair_record(3, true),
        refold_record(4, 9, 0),
        settings_again,
        trade_record(6, "v:B", START_NS, 5),
    ];
    apply_all(&mut core, &records);
    let counts = core.take_counts();
    assert_eq!((counts.refolds, counts.trades), (1, 3));
}

#[test]
fn after_a_restart_a_late_trade_of_an_old_minute_is_not_the_newest() {
    let mut core = empty_core();
    let newest_ns = START_NS + 9 * MINUTE_NS;
    apply_all(
        &mut core,
        &[venue_record(), trade_record(1, "v:A", newest_ns, 5)],
    );
    let transaction = core.flush(Position::default(), Position::default());
    // The store has no open bars any more: the minutes are closed.
    let state = PartitionState {
        progress: transaction.progress,
        symbols: transaction.symbols,
        venues: transaction.venues,
        open_bars: Vec::new(),
        dirty_minutes: Vec::new(),
        pending_amendments: Vec::new(),
        id_digest_key: [7; 32],
    };
    let mut core = FoldCore::new(state, 1);
    apply_all(&mut core, &[trade_record(2, "v:A", START_NS, 6)]);
    let update = core.take_updates().remove(0);
    assert!(update.rows.iter().any(|row| row.bar.trades == 1));
    let newest = market::Interval::M1.window_containing(newest_ns);
    assert_eq!(update.newest_minute_ns, newest.start_ns);
}
