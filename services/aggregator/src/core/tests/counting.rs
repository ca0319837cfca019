//! What counts, and what it changes: late trades, duplicates, and trades past the horizon.

use market::{DAY_NS, HORIZON_NS, RejectReason};

use super::*;

/// Returns a trade that was appended at a time.
fn trade_appended_at(offset: u64, time_ns: i64, append_time_ns: i64) -> Record {
    Record {
        append_time_ns,
        ..trade_record(offset, "v:A", time_ns, 5)
    }
}

#[test]
fn a_late_trade_adds_to_the_revision_of_every_interval() {
    let mut core = empty_core();
    let append_ns = START_NS + 3 * DAY_NS;
    let records = [
        venue_record(),
        trade_appended_at(1, START_NS, append_ns),
        trade_appended_at(2, START_NS + 2 * DAY_NS, append_ns),
        trade_appended_at(3, START_NS, append_ns),
    ];
    apply_all(&mut core, &records[..3]);
    core.take_updates();
    apply_all(&mut core, &records[3..]);
    let rows = core.take_updates().remove(0).rows;
    assert_eq!(rows.len(), Interval::ALL.len());
    for row in &rows {
        assert_eq!((row.closed, row.revision), (true, 1), "{:?}", row.window);
        assert_eq!(row.bar.trades, 2);
    }
    assert_eq!(core.take_counts().late, 1);
}

#[test]
fn a_duplicate_with_a_later_time_moves_no_watermark_and_closes_nothing() {
    let mut core = empty_core();
    let append_ns = START_NS + 3 * DAY_NS;
    let mut duplicate = trade_appended_at(1, START_NS + 2 * DAY_NS, append_ns);
    duplicate.offset = 2;
    let records = [
        venue_record(),
        trade_appended_at(1, START_NS, append_ns),
        duplicate,
    ];
    apply_all(&mut core, &records);
    assert_eq!(core.take_counts().duplicates, 1);
    let rows = core.take_updates().remove(0).rows;
    assert!(rows.iter().all(|row| !row.closed && row.bar.trades == 1));
    let transaction = core.flush(Position::default(), Position::default());
    assert_eq!(transaction.symbols[0].watermark_ns, START_NS);
}

#[test]
fn an_hour_changes_until_the_horizon_and_not_after_it() {
    let mut core = empty_core();
    let append_ns = START_NS + 10 * MINUTE_NS;
    let records = [
        venue_record(),
        trade_appended_at(1, START_NS, append_ns),
        trade_appended_at(2, START_NS, append_ns + HORIZON_NS),
        trade_appended_at(3, START_NS, append_ns + HORIZON_NS + 1),
    ];
    apply_all(&mut core, &records);
    assert_eq!(core.take_counts().trades, 2);
    let letters = core.take_dead_letters();
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (letters[0].position.offset, letters[0].reason),
        (3, RejectReason::BeyondHorizon)
    );
}
