//! Generations of topics.

use candlewick_store::{
    BarReader, BarStore, CommitOutcome, EpochEnds, ExcludedRange, OffsetRun, PartitionProgress,
    StoreError, TickVerdict, TopicGeneration, VenueRow,
};
use futures_util::future::join_all;
use market::{Interval, Position, VenueSettings};
use schemas::{BAR_UPDATES, TRADES};

use crate::fixtures::{bar, commit_step, instrument, step};

fn generation(topic: &str, topic_id: &str) -> TopicGeneration {
    TopicGeneration {
        topic: topic.to_owned(),
        topic_id: topic_id.to_owned(),
        partitions: 4,
        origin: "here".to_owned(),
    }
}

/// Returns the ids and epochs of the registered generations of a topic.
async fn registered(store: &impl BarReader, topic: &str) -> Vec<(String, u64)> {
    let topics = store
        .registered_topic_generations(topic)
        .await
        .unwrap()
        .into_iter();
    topics.map(|topic| (topic.topic_id, topic.epoch)).collect()
}

pub(crate) async fn the_first_generation_has_epoch_1(store: &impl BarStore) {
    assert_eq!(registered(store, TRADES).await, []);
    assert_eq!(
        store
            .register_topic(&generation(TRADES, "one"))
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        store
            .register_topic(&generation(TRADES, "one"))
            .await
            .unwrap(),
        1
    );
    assert_eq!(registered(store, TRADES).await, [("one".to_owned(), 1)]);
    assert_eq!(registered(store, BAR_UPDATES).await, []);
    // Each topic has its own epochs.
    assert_eq!(
        store
            .register_topic(&generation(BAR_UPDATES, "one"))
            .await
            .unwrap(),
        1
    );
    let snapshot = store.snapshot().await.unwrap();
    assert_eq!(
        store
            .register_topic(&generation(TRADES, "two"))
            .await
            .unwrap(),
        2
    );
    assert_eq!(registered(&snapshot, TRADES).await.len(), 1);
    assert_eq!(registered(store, TRADES).await.len(), 2);
}

fn partition_and_position(progress: &PartitionProgress) -> (u32, u64, u64) {
    (progress.partition, progress.epoch, progress.next_offset)
}

async fn stored_positions(store: &impl BarStore) -> Vec<(u32, u64, u64)> {
    store
        .all_partition_progress()
        .await
        .unwrap()
        .iter()
        .map(partition_and_position)
        .collect()
}

pub(crate) async fn a_new_generation_of_trades_moves_every_partition(store: &impl BarStore) {
    store
        .register_topic(&generation(TRADES, "one"))
        .await
        .unwrap();
    let btc = instrument("binance:BTCUSDT");
    let mut transaction = step(0, 0, 7);
    transaction.bars = vec![bar(&btc, Interval::M1, 0, 1, false)];
    commit_step(store, transaction.clone()).await;
    commit_step(store, step(3, 0, 9)).await;
    assert_eq!(
        store
            .register_topic(&generation(TRADES, "one"))
            .await
            .unwrap(),
        1
    );
    assert_eq!(stored_positions(store).await, [(0, 1, 7), (3, 1, 9)]);

    assert_eq!(
        store
            .register_topic(&generation(TRADES, "two"))
            .await
            .unwrap(),
        2
    );
    assert_eq!(stored_positions(store).await, [(0, 2, 0), (3, 2, 0)]);
    // Everything else is kept: the records of the new log are folded into the state at the switch.
    let state = store.load_or_create_partition(0, 2).await.unwrap();
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
    assert_eq!(
        store
            .register_topic(&generation(TRADES, "two"))
            .await
            .unwrap(),
        2
    );
    assert_eq!(stored_positions(store).await, [(0, 2, 4), (3, 2, 0)]);
}

pub(crate) async fn other_topics_move_nothing(store: &impl BarStore) {
    store
        .register_topic(&generation(TRADES, "one"))
        .await
        .unwrap();
    commit_step(store, step(0, 0, 7)).await;
    assert_eq!(
        store
            .register_topic(&generation(BAR_UPDATES, "one"))
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        store
            .register_topic(&generation(BAR_UPDATES, "two"))
            .await
            .unwrap(),
        2
    );
    assert_eq!(
        store.all_partition_progress().await.unwrap(),
        [step(0, 0, 7).progress]
    );
}

pub(crate) async fn an_older_generation_is_superseded(store: &impl BarStore) {
    for id in ["one", "two", "three"] {
        store.register_topic(&generation(TRADES, id)).await.unwrap();
    }
    commit_at_epoch_3(store).await;
    for id in ["one", "two"] {
        let error = store
            .register_topic(&generation(TRADES, id))
            .await
            .unwrap_err();
        assert!(
            matches!(
                &error,
                StoreError::TopicSuperseded { topic, topic_id, .. } if topic == TRADES && topic_id == id
            ),
            "{error}"
        );
        assert!(!error.is_transient());
    }
    assert_eq!(stored_positions(store).await, [(0, 3, 5)]);
    // Readers can still read its epoch.
    assert_eq!(registered(store, TRADES).await[0], ("one".to_owned(), 1));
}

async fn commit_at_epoch_3(store: &impl BarStore) {
    let mut transaction = step(0, 0, 5);
    transaction.expected = Position {
        epoch: 3,
        offset: 0,
    };
    transaction.progress.epoch = 3;
    commit_step(store, transaction).await;
}

pub(crate) async fn concurrent_registrations_agree(store: &impl BarStore) {
    store
        .register_topic(&generation(TRADES, "one"))
        .await
        .unwrap();
    store.load_or_create_partition(0, 1).await.unwrap();
    let adopting = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            store
                .register_topic(&generation(TRADES, "two"))
                .await
                .unwrap()
        })
    });
    for adopted in join_all(adopting).await {
        assert_eq!(adopted.unwrap(), 2);
    }
    assert_eq!(stored_positions(store).await, [(0, 2, 0)]);
}

pub(crate) async fn a_worker_of_an_old_generation_loses(store: &impl BarStore) {
    store
        .register_topic(&generation(TRADES, "one"))
        .await
        .unwrap();
    let state = store.load_or_create_partition(0, 1).await.unwrap();
    assert_eq!(partition_and_position(&state.progress), (0, 1, 0));
    store
        .register_topic(&generation(TRADES, "two"))
        .await
        .unwrap();
    let mut late = step(0, 0, 3);
    late.bars = vec![bar(&instrument("a:a"), Interval::M1, 0, 1, false)];
    assert_eq!(store.commit(&late).await.unwrap(), CommitOutcome::Conflict);
    let state = store.load_or_create_partition(0, 1).await.unwrap();
    assert_eq!(partition_and_position(&state.progress), (0, 2, 0));
    assert_eq!(state.open_bars, []);
}

pub(crate) async fn a_stale_epoch_begins_at_the_current_one(store: &impl BarStore) {
    store
        .register_topic(&generation(TRADES, "one"))
        .await
        .unwrap();
    store.load_or_create_partition(0, 1).await.unwrap();
    store
        .register_topic(&generation(TRADES, "two"))
        .await
        .unwrap();
    // For a partition that is stored, and for one that was never loaded.
    for partition in [0, 1] {
        let state = store.load_or_create_partition(partition, 1).await.unwrap();
        assert_eq!(partition_and_position(&state.progress), (partition, 2, 0));
    }
    assert_eq!(
        store.commit(&step(1, 0, 1)).await.unwrap(),
        CommitOutcome::Conflict
    );
}

/// A generation has the partitions and the log with which it was registered.
pub(crate) async fn a_topic_with_other_partitions_or_of_another_log_is_refused(
    store: &impl BarStore,
) {
    let first = generation(TRADES, "one");
    assert_eq!(store.register_topic(&first).await.unwrap(), 1);
    let more = TopicGeneration {
        partitions: 8,
        ..first.clone()
    };
    let error = store.register_topic(&more).await.unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::PartitionsChanged {
                registered: 4,
                found: 8,
                ..
            }
        ),
        "{error}"
    );
    let stranger = TopicGeneration {
        origin: "another cluster".to_owned(),
        ..generation(TRADES, "two")
    };
    let error = store.register_topic(&stranger).await.unwrap_err();
    assert!(matches!(error, StoreError::ForeignTopic { .. }), "{error}");
    let recreated = TopicGeneration {
        partitions: 8,
        ..generation(TRADES, "two")
    };
    let error = store.register_topic(&recreated).await.unwrap_err();
    assert!(
        matches!(error, StoreError::PartitionsChanged { .. }),
        "{error}"
    );
    // Nothing was registered, and the topic may be recreated with the partitions of the state.
    let registered = store.registered_topic_generations(TRADES).await.unwrap();
    assert_eq!(registered.len(), 1);
    assert_eq!(registered[0].partitions, 4);
    assert_eq!(registered[0].origin.as_deref(), Some("here"));
    let recreated = generation(TRADES, "two");
    assert_eq!(store.register_topic(&recreated).await.unwrap(), 2);
}

pub(crate) async fn a_new_generation_records_where_the_one_before_ended(store: &impl BarStore) {
    let register = async |id| store.register_topic(&generation(TRADES, id)).await.unwrap();
    assert_eq!(register("one").await, 1);
    let mut transaction = step(0, 0, 7);
    let excluded = ExcludedRange {
        epoch: 1,
        first_offset: 2,
        end_offset: 4,
        verdict: TickVerdict::Duplicate,
        append_time_ns: 1,
    };
    transaction.excluded_ranges = vec![excluded];
    commit_step(store, transaction).await;
    let before = store.snapshot().await.unwrap();
    assert_eq!(store.epoch_ends(0).await.unwrap(), EpochEnds::default());
    assert_eq!(register("two").await, 2);

    let at = |epoch, offset| Position { epoch, offset };
    let ends = store.epoch_ends(0).await.unwrap();
    assert_eq!(ends, EpochEnds::new(vec![at(1, 7)]));
    // No worker had loaded this partition.
    let unloaded = store.epoch_ends(3).await.unwrap();
    assert_eq!(unloaded, EpochEnds::new(vec![at(1, 0)]));
    assert_eq!(store.epoch_ends(4).await.unwrap(), EpochEnds::default());
    assert_eq!(before.epoch_ends(0).await.unwrap(), EpochEnds::default());

    let beyond: Vec<_> = ends.excluded_ranges().collect();
    let runs = [OffsetRun {
        epoch: 1,
        first: 100,
        last: 100,
    }];
    let in_runs = store.excluded_ranges_in(0, &runs).await.unwrap();
    assert_eq!(in_runs, beyond[..1]);
    let read = async |epoch, first, end| store.excluded_ranges(0, epoch, first, end).await.unwrap();
    assert_eq!(read(1, 0, u64::MAX).await, [excluded, beyond[0]]);
    assert_eq!(read(1, 0, 7).await, [excluded]);
    assert_eq!(read(1, 100, 101).await, beyond);
    assert_eq!(read(2, 0, u64::MAX).await, []);
    while store
        .delete_expired_batch(i64::MAX, i64::MAX, i64::MAX)
        .await
        .unwrap()
        > 0
    {}
    assert_eq!(read(1, 0, u64::MAX).await, beyond);

    // The current generation again, a new one of another topic, and the next one.
    assert_eq!(register("two").await, 2);
    let updates = generation(BAR_UPDATES, "one");
    store.register_topic(&updates).await.unwrap();
    let updates = generation(BAR_UPDATES, "two");
    store.register_topic(&updates).await.unwrap();
    assert_eq!(store.epoch_ends(0).await.unwrap(), ends);
    assert_eq!(register("three").await, 3);
    let ends = store.epoch_ends(0).await.unwrap();
    assert_eq!(ends, EpochEnds::new(vec![at(1, 7), at(2, 0)]));
}

pub(crate) async fn a_new_generation_begins_with_the_latest_settings(store: &impl BarStore) {
    let register = async |id| store.register_topic(&generation(TRADES, id)).await.unwrap();
    register("one").await;
    let row = |venue: &str, lateness_ns: i64, epoch, offset| VenueRow {
        venue: venue.parse().unwrap(),
        settings: VenueSettings {
            lateness_ns,
            ..VenueSettings::default()
        },
        declared_at: Position { epoch, offset },
    };
    // Partition 0 has lost a change of which partition 1 has the copy; partition 2 has none.
    let latest = [
        row("binance", 5, 1, 5),
        row("kraken", 2, u64::MAX, 2),
        row("okx", 9, 1, u64::MAX),
    ];
    let of_partitions = [
        vec![
            row("binance", 3, 1, 3),
            latest[1].clone(),
            latest[2].clone(),
        ],
        vec![latest[0].clone(), row("kraken", 1, 9, 3)],
        vec![row("okx", 8, 1, 8)],
    ];
    for (partition, rows) in (0..).zip(of_partitions) {
        let mut transaction = step(partition, 0, 1);
        transaction.venues = rows;
        commit_step(store, transaction).await;
    }
    register("two").await;
    for partition in 0..4 {
        for expected in &latest {
            let found = store.venue_settings_in_partition(&expected.venue, partition);
            assert_eq!(found.await.unwrap().as_ref(), Some(expected));
        }
    }
}
