//! Marks of minutes, and trades that were amended before they came.

use candlewick_store::{
    BarReader, BarStore, CommitOutcome, DirtyMinuteChange, DirtyMinuteRow, ExcludedRange,
    PendingAmendmentRow, RefoldMark, TickVerdict,
};
use market::{HOUR_NS, Interval, MINUTE_NS, Position, TradeId};

use crate::fixtures::{bar, commit_step, extreme_bar, id_key, instrument, step};

fn refold_mark(offset: u64, later: bool) -> RefoldMark {
    let btc = instrument("binance:BTCUSDT");
    RefoldMark {
        up_to: Position { epoch: 1, offset },
        amendments: offset + 1,
        force: later,
        later_bar: later.then(|| bar(&btc, Interval::M1, 0, offset, false).row.bar),
    }
}

fn mark_change(text: &str, start_ns: i64, mark: Option<RefoldMark>) -> DirtyMinuteChange {
    DirtyMinuteChange {
        instrument: instrument(text),
        start_ns,
        mark,
    }
}

fn dirty_row(change: &DirtyMinuteChange) -> DirtyMinuteRow {
    DirtyMinuteRow {
        instrument: change.instrument.clone(),
        start_ns: change.start_ns,
        mark: change.mark.clone().unwrap(),
    }
}

pub(crate) async fn marks_are_inserted_replaced_and_removed(store: &impl BarStore) {
    let extreme = RefoldMark {
        up_to: Position {
            epoch: u64::MAX,
            offset: u64::MAX,
        },
        amendments: u64::MAX,
        force: true,
        later_bar: Some(extreme_bar(&instrument("a:a"), 0).row.bar),
    };
    let changes = [
        mark_change("binance:BTCUSDT", i64::MIN, Some(extreme)),
        mark_change("binance:BTCUSDT", 0, Some(refold_mark(1, false))),
        mark_change("binance:BTCUSDT", MINUTE_NS, Some(refold_mark(2, true))),
        mark_change("binance:ETHUSDT", 0, Some(refold_mark(3, true))),
    ];
    let mut transaction = step(0, 0, 1);
    transaction.dirty_minutes = changes.to_vec();
    transaction.dirty_minutes.reverse();
    commit_step(store, transaction).await;
    let other = mark_change("kraken:XBT", 0, Some(refold_mark(9, true)));
    let mut transaction = step(1, 0, 1);
    transaction.dirty_minutes = vec![other.clone()];
    commit_step(store, transaction).await;

    let expected: Vec<_> = changes.iter().map(dirty_row).collect();
    assert_eq!(store.dirty_minutes(0).await.unwrap(), expected);
    assert_eq!(
        store
            .load_or_create_partition(0, 1)
            .await
            .unwrap()
            .dirty_minutes,
        expected
    );
    assert_eq!(store.dirty_minutes(1).await.unwrap(), [dirty_row(&other)]);
    assert_eq!(store.dirty_minutes(2).await.unwrap(), []);
    let snapshot = store.snapshot().await.unwrap();

    // One is marked again and loses its later trades, one was folded again, one was not marked.
    let anew = mark_change("binance:BTCUSDT", MINUTE_NS, Some(refold_mark(7, false)));
    let mut transaction = step(0, 1, 2);
    transaction.dirty_minutes = vec![
        anew.clone(),
        mark_change("binance:BTCUSDT", 0, None),
        mark_change("binance:ETHUSDT", MINUTE_NS, None),
        mark_change("kraken:XBT", 0, None),
    ];
    commit_step(store, transaction).await;
    let left = [
        dirty_row(&changes[0]),
        dirty_row(&anew),
        dirty_row(&changes[3]),
    ];
    assert_eq!(store.dirty_minutes(0).await.unwrap(), left);
    assert_eq!(
        store
            .load_or_create_partition(0, 1)
            .await
            .unwrap()
            .dirty_minutes,
        left
    );
    // A partition does not remove the mark of another partition.
    assert_eq!(store.dirty_minutes(1).await.unwrap(), [dirty_row(&other)]);
    assert_eq!(snapshot.dirty_minutes(0).await.unwrap(), expected);
}

pub(crate) async fn a_conflict_marks_nothing(store: &impl BarStore) {
    commit_step(store, step(0, 0, 5)).await;
    let mut lost = step(0, 4, 6);
    lost.dirty_minutes = vec![mark_change("a:a", 0, Some(refold_mark(1, true)))];
    lost.pending_amendments = vec![pending_amendment("a:a", "", 0, "1", 1)];
    assert_eq!(store.commit(&lost).await.unwrap(), CommitOutcome::Conflict);
    let state = store.load_or_create_partition(0, 1).await.unwrap();
    assert_eq!(
        (state.dirty_minutes.len(), state.pending_amendments.len()),
        (0, 0)
    );
}

fn pending_amendment(
    text: &str,
    scope: &str,
    bucket_ns: i64,
    id: &str,
    append_time_ns: i64,
) -> PendingAmendmentRow {
    PendingAmendmentRow {
        key: id_key(text, scope, bucket_ns),
        id: TradeId::parse(id).unwrap(),
        append_time_ns,
    }
}

pub(crate) async fn pending_amendments_are_loaded_and_expire(store: &impl BarStore) {
    let rows = [
        pending_amendment("a:a", "", -1, "18446744073709551615", 10),
        pending_amendment("a:a", "", 0, "7", 20),
        pending_amendment("a:a", "", 0, "18446744073709551616", 10),
        pending_amendment("a:a", "NYSE", HOUR_NS, "~x", 10),
        pending_amendment("b:a", "", 0, "7", 10),
    ];
    let mut transaction = step(0, 0, 1);
    transaction.pending_amendments = rows.to_vec();
    transaction.pending_amendments.reverse();
    commit_step(store, transaction).await;
    let mut transaction = step(1, 0, 1);
    transaction.pending_amendments = vec![pending_amendment("c:a", "", 0, "7", 10)];
    commit_step(store, transaction.clone()).await;
    let mut read = store
        .load_or_create_partition(0, 1)
        .await
        .unwrap()
        .pending_amendments;
    read.sort();
    assert_eq!(read, rows);
    assert_eq!(
        store
            .load_or_create_partition(1, 1)
            .await
            .unwrap()
            .pending_amendments,
        transaction.pending_amendments
    );

    // For a stored row the newer time counts.
    let mut transaction = step(0, 1, 2);
    transaction.pending_amendments = vec![pending_amendment("b:a", "", 0, "7", 30)];
    commit_step(store, transaction.clone()).await;
    assert_eq!(
        store.delete_expired_batch(i64::MIN, 10, 10).await.unwrap(),
        0
    );
    // They expire after the same time whether or not their ids belong to an hour or a day.
    assert_eq!(
        store.delete_expired_batch(i64::MIN, 20, 20).await.unwrap(),
        4
    );
    let mut read = store
        .load_or_create_partition(0, 1)
        .await
        .unwrap()
        .pending_amendments;
    read.sort();
    let left = [rows[1].clone(), transaction.pending_amendments[0].clone()];
    assert_eq!(read, left);
    assert_eq!(
        store
            .load_or_create_partition(1, 1)
            .await
            .unwrap()
            .pending_amendments,
        []
    );
}

pub(crate) async fn verdicts_of_amendments_outlive_those_of_trades(store: &impl BarStore) {
    let excluded = |first_offset: u64, append_time_ns| ExcludedRange {
        epoch: 1,
        first_offset,
        end_offset: first_offset + 2,
        verdict: TickVerdict::Duplicate,
        append_time_ns,
    };
    let (trades, amendments) = (
        [excluded(0, 10), excluded(6, 30)],
        [excluded(3, 20), excluded(8, 40)],
    );
    let mut transaction = step(0, 0, 10);
    transaction.excluded_ranges = trades.to_vec();
    transaction.excluded_amendments = amendments.to_vec();
    commit_step(store, transaction).await;
    let read = async |first, end| store.excluded_ranges(0, 1, first, end).await.unwrap();
    let all = [trades[0], amendments[0], trades[1], amendments[1]];
    assert_eq!(read(0, u64::MAX).await, all);
    assert_eq!(read(4, 9).await, all[1..]);
    assert_eq!(read(2, 3).await, []);

    assert_eq!(
        store.delete_expired_batch(i64::MIN, 31, 20).await.unwrap(),
        2
    );
    assert_eq!(read(0, u64::MAX).await, amendments);
    assert_eq!(
        store.delete_expired_batch(i64::MIN, 31, 21).await.unwrap(),
        1
    );
    assert_eq!(read(0, u64::MAX).await, amendments[1..]);
}
