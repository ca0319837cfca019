//! Records that are left out because the store refuses what they change.

use schemas::LeftOutNotice;

use super::*;

fn left_out(offset: u64) -> RecordToLeaveOut {
    RecordToLeaveOut {
        offset,
        reason: "no".to_owned(),
        closes_windows: false,
    }
}

fn left_out_record(offset: u64, is_refold: bool) -> Record {
    let start_ns = Interval::M1.window_containing(START_NS).start_ns;
    let left_out = LeftOutNotice {
        start_ns,
        is_refold,
    };
    let mut value = Vec::new();
    TradesTopicRecord::LeftOut(left_out).encode(&mut value);
    encoded_record(offset, "v:A", value)
}

#[test]
fn the_notice_of_a_left_out_trade_announces_open_bars_anew_and_marks_its_minute() {
    let mut core = empty_core();
    core.set_record_to_leave_out(left_out(2));
    let records = [
        venue_record(),
        trade_record(1, "v:A", START_NS + 2 * MINUTE_NS, 5),
        trade_record(2, "v:A", START_NS + 5 * MINUTE_NS, 6),
    ];
    apply_all(&mut core, &records);
    let before = core.take_updates().remove(0).rows;
    core.record_awaited_commit();
    apply_all(&mut core, &[left_out_record(3, false)]);
    let rows = core.take_updates().remove(0).rows;
    assert_eq!(rows.len(), before.len());
    assert!(rows.iter().all(|row| row.through.offset == 3));
    assert_eq!(core.dirty_minute_count(), 1);
}

#[test]
fn a_record_that_is_left_out_becomes_a_dead_letter_and_counts_for_nothing() {
    let mut core = empty_core();
    core.set_record_to_leave_out(left_out(1));
    let records = [
        venue_record(),
        trade_record(1, "v:A", START_NS, 5),
        trade_record(2, "v:A", START_NS, 6),
    ];
    apply_all(&mut core, &records);
    assert_eq!(core.take_counts().trades, 1);
    let letters = core.take_dead_letters();
    assert_eq!((letters.len(), letters[0].position.offset), (1, 1));
    assert_eq!(letters[0].reason, market::RejectReason::Unstorable);
    assert_eq!(letters[0].detail, "no");
    let transaction = core.flush(Position::default(), Position::default());
    let excluded = transaction.excluded_ranges[0];
    assert_eq!((excluded.first_offset, excluded.end_offset), (1, 2));
    let unstorable = TickVerdict::Rejected(market::RejectReason::Unstorable);
    assert_eq!(excluded.verdict, unstorable);
    assert_eq!(transaction.bars[0].row.bar.trades, 1);
}

#[test]
fn a_refold_that_is_left_out_ends_its_mark_and_keeps_the_bar() {
    let mut core = empty_core();
    core.set_record_to_leave_out(left_out(4));
    let records = [
        venue_record(),
        trade_record(1, "v:A", START_NS, 5),
        trade_record(2, "v:A", START_NS, 6),
        repair_record(3, false),
        refold_record(4, 9, 2),
    ];
    apply_all(&mut core, &records);
    // A mark that stays would let the same refold be appended again, without an end.
    assert_eq!(core.dirty_minute_count(), 0);
    let mut before = core.take_updates().remove(0).rows;
    before.retain(|row| row.provable && row.through.offset == 2);
    let following = left_out_record(5, true);
    assert_eq!(core.apply(std::slice::from_ref(&following)), 0);
    assert!(core.waits_for_commit());
    core.record_awaited_commit();
    apply_all(&mut core, &[following]);
    let rows = core.take_updates().remove(0).rows;
    assert_eq!(rows.len(), before.len());
    for (row, before) in rows.iter().zip(&before) {
        assert_eq!((&row.bar, row.provable), (&before.bar, false));
        assert_eq!(row.through.offset, 5);
    }
    let letters = core.take_dead_letters();
    assert_eq!(letters[0].reason, market::RejectReason::Unstorable);
}
