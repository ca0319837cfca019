//! Marks of minutes, and trades that were amended before they came.

use candlewick_store::{
    BarReader, BarStore, CommitOutcome, DirtyMinuteChange, DirtyMinuteRow, PendingAmendmentRow,
    RefoldMark,
};
use market::{HOUR_NS, Interval, MINUTE_NS, Position, TradeId};

use crate::fixtures::{bar, extreme_bar, id_key, instrument, step, take};

fn mark(offset: u64, later: bool) -> RefoldMark {
    let btc = instrument("binance:BTCUSDT");
    RefoldMark {
        up_to: Position { epoch: 1, offset },
        amendments: offset + 1,
        later_bar: later.then(|| bar(&btc, Interval::M1, 0, offset, false).row.bar),
    }
}

fn change(text: &str, start_ns: i64, mark: Option<RefoldMark>) -> DirtyMinuteChange {
    DirtyMinuteChange {
        instrument: instrument(text),
        start_ns,
        mark,
    }
}

fn row(change: &DirtyMinuteChange) -> DirtyMinuteRow {
    DirtyMinuteRow {
        instrument: change.instrument.clone(),
        start_ns: change.start_ns,
        mark: change.mark.clone().unwrap(),
    }
}

pub(crate) async fn marks_are_put_replaced_and_removed(store: &impl BarStore) {
    let extreme = RefoldMark {
        up_to: Position {
            epoch: u64::MAX,
            offset: u64::MAX,
        },
        amendments: u64::MAX,
        later_bar: Some(extreme_bar(&instrument("a:a"), 0).row.bar),
    };
    let changes = [
        change("binance:BTCUSDT", i64::MIN, Some(extreme)),
        change("binance:BTCUSDT", 0, Some(mark(1, false))),
        change("binance:BTCUSDT", MINUTE_NS, Some(mark(2, true))),
        change("binance:ETHUSDT", 0, Some(mark(3, true))),
    ];
    let mut transaction = step(0, 0, 1);
    transaction.dirty_minutes = changes.to_vec();
    transaction.dirty_minutes.reverse();
    take(store, transaction).await;
    let other = change("kraken:XBT", 0, Some(mark(9, true)));
    let mut transaction = step(1, 0, 1);
    transaction.dirty_minutes = vec![other.clone()];
    take(store, transaction).await;

    let expected: Vec<_> = changes.iter().map(row).collect();
    assert_eq!(store.dirty_minutes(0).await.unwrap(), expected);
    assert_eq!(
        store.load_partition(0, 1).await.unwrap().dirty_minutes,
        expected
    );
    assert_eq!(store.dirty_minutes(1).await.unwrap(), [row(&other)]);
    assert_eq!(store.dirty_minutes(2).await.unwrap(), []);
    let snapshot = store.snapshot().await.unwrap();

    // One is marked anew and loses its later trades, one is folded anew, one was not marked.
    let anew = change("binance:BTCUSDT", MINUTE_NS, Some(mark(7, false)));
    let mut transaction = step(0, 1, 2);
    transaction.dirty_minutes = vec![
        anew.clone(),
        change("binance:BTCUSDT", 0, None),
        change("binance:ETHUSDT", MINUTE_NS, None),
        change("kraken:XBT", 0, None),
    ];
    take(store, transaction).await;
    let left = [row(&changes[0]), row(&anew), row(&changes[3])];
    assert_eq!(store.dirty_minutes(0).await.unwrap(), left);
    assert_eq!(
        store.load_partition(0, 1).await.unwrap().dirty_minutes,
        left
    );
    // The mark of another partition is not this one's to remove.
    assert_eq!(store.dirty_minutes(1).await.unwrap(), [row(&other)]);
    assert_eq!(snapshot.dirty_minutes(0).await.unwrap(), expected);
}

pub(crate) async fn a_lost_step_marks_nothing(store: &impl BarStore) {
    take(store, step(0, 0, 5)).await;
    let mut lost = step(0, 4, 6);
    lost.dirty_minutes = vec![change("a:a", 0, Some(mark(1, true)))];
    lost.pending_amendments = vec![ahead("a:a", "", 0, "1", 1)];
    assert_eq!(store.commit(&lost).await.unwrap(), CommitOutcome::Conflict);
    let state = store.load_partition(0, 1).await.unwrap();
    assert_eq!(
        (state.dirty_minutes.len(), state.pending_amendments.len()),
        (0, 0)
    );
}

fn ahead(
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

pub(crate) async fn trades_amended_ahead_are_loaded_and_expire(store: &impl BarStore) {
    let rows = [
        ahead("a:a", "", -1, "18446744073709551615", 10),
        ahead("a:a", "", 0, "7", 20),
        ahead("a:a", "", 0, "18446744073709551616", 10),
        ahead("a:a", "NYSE", HOUR_NS, "~x", 10),
        ahead("b:a", "", 0, "7", 10),
    ];
    let mut transaction = step(0, 0, 1);
    transaction.pending_amendments = rows.to_vec();
    transaction.pending_amendments.reverse();
    take(store, transaction).await;
    let mut transaction = step(1, 0, 1);
    transaction.pending_amendments = vec![ahead("c:a", "", 0, "7", 10)];
    take(store, transaction.clone()).await;
    let mut read = store.load_partition(0, 1).await.unwrap().pending_amendments;
    read.sort();
    assert_eq!(read, rows);
    assert_eq!(
        store.load_partition(1, 1).await.unwrap().pending_amendments,
        transaction.pending_amendments
    );

    // Of one that is stored the newer time counts.
    let mut transaction = step(0, 1, 2);
    transaction.pending_amendments = vec![ahead("b:a", "", 0, "7", 30)];
    take(store, transaction.clone()).await;
    assert_eq!(store.delete_expired(i64::MIN, 10).await.unwrap(), 0);
    // They wait for the same time whether or not their ids belong to an hour or a day.
    assert_eq!(store.delete_expired(i64::MIN, 20).await.unwrap(), 4);
    let mut read = store.load_partition(0, 1).await.unwrap().pending_amendments;
    read.sort();
    let left = [rows[1].clone(), transaction.pending_amendments[0].clone()];
    assert_eq!(read, left);
    assert_eq!(
        store.load_partition(1, 1).await.unwrap().pending_amendments,
        []
    );
}
