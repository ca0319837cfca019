//! When the first trade of a window was appended, where a refold has inserted bars without trades.

use market::{DAY_NS, RejectReason};

use super::*;

/// When the bars without trades are inserted.
const INSERTED_NS: i64 = START_NS + 10 * MINUTE_NS;
/// A minute that has no trades at first, and the next one, which has the same longer windows.
const EMPTIED_NS: i64 = START_NS - START_NS % MINUTE_NS;
const OTHER_NS: i64 = EMPTIED_NS + MINUTE_NS;

fn append_at(append_time_ns: i64, record: Record) -> Record {
    Record {
        append_time_ns,
        ..record
    }
}

/// Returns a refold of the minute that the record before it has marked.
fn refold(offset: u64, start_ns: i64, bar: Bar) -> Record {
    let refold = RefoldResult {
        start_ns,
        up_to: Position { epoch: 1, offset },
        bar,
    };
    let mut value = Vec::new();
    TradesTopicRecord::Refold(Box::new(refold)).encode(&mut value);
    encoded_record(offset, "v:A", value)
}

/// Returns records that insert bars without trades.
fn insert_empty_bars() -> Vec<Record> {
    let empty = Bar::empty(EMPTIED_NS, 0, i64::MAX);
    vec![
        venue_record(),
        repair_of_minute(1, EMPTIED_NS, true),
        refold(2, EMPTIED_NS, empty),
    ]
}

/// Returns the first append of the changed bars: of that of a minute, and of the longer ones.
fn take_first_appends(core: &mut FoldCore, minute_ns: i64) -> (i64, Vec<i64>) {
    let rows = core.take_updates().remove(0).rows;
    let (minutes, longer): (Vec<_>, Vec<_>) = rows
        .iter()
        .partition(|row| row.window.interval == Interval::M1);
    let minute = minutes
        .iter()
        .find(|row| row.window.start_ns == minute_ns)
        .unwrap();
    let longer = longer.iter().map(|row| row.bar.first_append_ns);
    (minute.bar.first_append_ns, longer.collect())
}

#[test]
fn the_first_counted_trade_replaces_the_append_time_of_an_inserted_bar() {
    let mut core = empty_core();
    apply_all(&mut core, &insert_empty_bars());
    let longer_count = Interval::ALL.len() - 1;
    let inserted = (INSERTED_NS, vec![INSERTED_NS; longer_count]);
    assert_eq!(take_first_appends(&mut core, EMPTIED_NS), inserted);

    let first_ns = INSERTED_NS + MINUTE_NS;
    let trade = append_at(first_ns, trade_record(3, "v:A", OTHER_NS, 5));
    apply_all(&mut core, &[trade]);
    let counted = (first_ns, vec![first_ns; longer_count]);
    assert_eq!(take_first_appends(&mut core, OTHER_NS), counted);

    // The refold of that trade sums the longer bars anew, of which one part is still empty.
    let position = Position {
        epoch: 1,
        offset: 3,
    };
    let counted_trade = Trade {
        time_ns: OTHER_NS,
        price: Decimal::new(5, 0).unwrap(),
        quantity: None,
        side: None,
        id: Some(TradeId::Number(3)),
        scope: None,
        sender: None,
    };
    let bar = Bar::from_trade(&counted_trade, position, first_ns);
    let later_ns = first_ns + MINUTE_NS;
    let records = [
        repair_of_minute(4, OTHER_NS, false),
        refold(5, OTHER_NS, bar),
    ];
    apply_all(
        &mut core,
        &records.map(|record| append_at(later_ns, record)),
    );
    assert_eq!(core.take_counts().refolds, 2);
    assert_eq!(take_first_appends(&mut core, OTHER_NS), counted);

    let trade = append_at(later_ns, trade_record(6, "v:A", EMPTIED_NS, 5));
    apply_all(&mut core, &[trade]);
    let minute_and_longer = (later_ns, vec![first_ns; longer_count]);
    assert_eq!(take_first_appends(&mut core, EMPTIED_NS), minute_and_longer);
}

#[test]
fn the_horizon_of_an_hour_counts_from_its_first_trade_and_not_from_an_inserted_bar() {
    let mut core = empty_core();
    apply_all(&mut core, &insert_empty_bars());
    let first_ns = INSERTED_NS + 7 * DAY_NS;
    let last_ns = first_ns + 6 * DAY_NS;
    let records = [
        append_at(first_ns, trade_record(3, "v:A", OTHER_NS, 5)),
        append_at(last_ns, trade_record(4, "v:A", EMPTIED_NS, 5)),
        append_at(last_ns + 1, trade_record(5, "v:A", OTHER_NS, 5)),
    ];
    apply_all(&mut core, &records);
    assert_eq!(core.take_counts().trades, 2);
    let letters = core.take_dead_letters();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].reason, RejectReason::BeyondHorizon);
}
