//! Generations of topics.

use candlewick_store::{BarReader, BarStore, CommitOutcome, PartitionProgress, StoreError};
use futures_util::future::join_all;
use market::{Interval, Position};
use schemas::{BAR_UPDATES, TRADES};

use crate::fixtures::{bar, instrument, step, take};

pub(crate) async fn the_first_generation_has_epoch_1(store: &impl BarStore) {
    assert_eq!(store.topic_epoch(TRADES, "one").await.unwrap(), None);
    assert_eq!(store.register_topic(TRADES, "one").await.unwrap(), 1);
    assert_eq!(store.register_topic(TRADES, "one").await.unwrap(), 1);
    assert_eq!(store.topic_epoch(TRADES, "one").await.unwrap(), Some(1));
    assert_eq!(store.topic_epoch(TRADES, "two").await.unwrap(), None);
    assert_eq!(store.topic_epoch(BAR_UPDATES, "one").await.unwrap(), None);
    // Each topic counts its own.
    assert_eq!(store.register_topic(BAR_UPDATES, "one").await.unwrap(), 1);
    let snapshot = store.snapshot().await.unwrap();
    assert_eq!(store.register_topic(TRADES, "two").await.unwrap(), 2);
    assert_eq!(snapshot.topic_epoch(TRADES, "two").await.unwrap(), None);
}

fn at(progress: &PartitionProgress) -> (u32, u64, u64) {
    (progress.partition, progress.epoch, progress.next_offset)
}

async fn places(store: &impl BarStore) -> Vec<(u32, u64, u64)> {
    store
        .partition_progress()
        .await
        .unwrap()
        .iter()
        .map(at)
        .collect()
}

pub(crate) async fn a_new_generation_of_trades_moves_every_partition(store: &impl BarStore) {
    store.register_topic(TRADES, "one").await.unwrap();
    let btc = instrument("binance:BTCUSDT");
    let mut transaction = step(0, 0, 7);
    transaction.bars = vec![bar(&btc, Interval::M1, 0, 1, false)];
    take(store, transaction.clone()).await;
    take(store, step(3, 0, 9)).await;
    assert_eq!(store.register_topic(TRADES, "one").await.unwrap(), 1);
    assert_eq!(places(store).await, [(0, 1, 7), (3, 1, 9)]);

    assert_eq!(store.register_topic(TRADES, "two").await.unwrap(), 2);
    assert_eq!(places(store).await, [(0, 2, 0), (3, 2, 0)]);
    // All else is kept: the state at the switch is what the new log is folded onto.
    let state = store.load_partition(0, 2).await.unwrap();
    assert_eq!(state.open_bars, transaction.bars);
    let expected = PartitionProgress {
        epoch: 2,
        next_offset: 0,
        ..transaction.progress
    };
    assert_eq!(state.progress, expected);
    let mut next = step(0, 0, 4);
    next.expected = Position {
        epoch: 2,
        offset: 0,
    };
    next.progress.epoch = 2;
    assert_eq!(store.commit(&next).await.unwrap(), CommitOutcome::Committed);
    assert_eq!(store.register_topic(TRADES, "two").await.unwrap(), 2);
    assert_eq!(places(store).await, [(0, 2, 4), (3, 2, 0)]);
}

pub(crate) async fn other_topics_move_nothing(store: &impl BarStore) {
    store.register_topic(TRADES, "one").await.unwrap();
    take(store, step(0, 0, 7)).await;
    assert_eq!(store.register_topic(BAR_UPDATES, "one").await.unwrap(), 1);
    assert_eq!(store.register_topic(BAR_UPDATES, "two").await.unwrap(), 2);
    assert_eq!(
        store.partition_progress().await.unwrap(),
        [step(0, 0, 7).progress]
    );
}

pub(crate) async fn an_older_generation_is_superseded(store: &impl BarStore) {
    for id in ["one", "two", "three"] {
        store.register_topic(TRADES, id).await.unwrap();
    }
    take_at_epoch_3(store).await;
    for id in ["one", "two"] {
        let error = store.register_topic(TRADES, id).await.unwrap_err();
        assert!(
            matches!(
                &error,
                StoreError::TopicSuperseded { topic, topic_id, .. } if topic == TRADES && topic_id == id
            ),
            "{error}"
        );
        assert!(!error.is_transient());
    }
    assert_eq!(places(store).await, [(0, 3, 5)]);
    // Readers still learn what its epoch was.
    assert_eq!(store.topic_epoch(TRADES, "one").await.unwrap(), Some(1));
}

async fn take_at_epoch_3(store: &impl BarStore) {
    let mut transaction = step(0, 0, 5);
    transaction.expected = Position {
        epoch: 3,
        offset: 0,
    };
    transaction.progress.epoch = 3;
    take(store, transaction).await;
}

pub(crate) async fn those_who_adopt_at_once_agree(store: &impl BarStore) {
    store.register_topic(TRADES, "one").await.unwrap();
    store.load_partition(0, 1).await.unwrap();
    let adopting = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.register_topic(TRADES, "two").await.unwrap() })
    });
    for adopted in join_all(adopting).await {
        assert_eq!(adopted.unwrap(), 2);
    }
    assert_eq!(places(store).await, [(0, 2, 0)]);
}

pub(crate) async fn a_worker_of_an_old_generation_loses(store: &impl BarStore) {
    store.register_topic(TRADES, "one").await.unwrap();
    let state = store.load_partition(0, 1).await.unwrap();
    assert_eq!(at(&state.progress), (0, 1, 0));
    store.register_topic(TRADES, "two").await.unwrap();
    let mut late = step(0, 0, 3);
    late.bars = vec![bar(&instrument("a:a"), Interval::M1, 0, 1, false)];
    assert_eq!(store.commit(&late).await.unwrap(), CommitOutcome::Conflict);
    let state = store.load_partition(0, 1).await.unwrap();
    assert_eq!(at(&state.progress), (0, 2, 0));
    assert_eq!(state.open_bars, []);
}

pub(crate) async fn a_stale_epoch_begins_at_the_current_one(store: &impl BarStore) {
    store.register_topic(TRADES, "one").await.unwrap();
    store.load_partition(0, 1).await.unwrap();
    store.register_topic(TRADES, "two").await.unwrap();
    // Of a partition that is stored, and of one that nobody has loaded before.
    for partition in [0, 1] {
        let state = store.load_partition(partition, 1).await.unwrap();
        assert_eq!(at(&state.progress), (partition, 2, 0));
    }
    assert_eq!(
        store.commit(&step(1, 0, 1)).await.unwrap(),
        CommitOutcome::Conflict
    );
}
