//! A switch of epoch while a commit is in flight.

use std::time::Duration;

use candlewick_store::{BarReader, BarStore, EpochEnds, TopicGeneration};
use clock::{Clock, SystemClock};
use market::Position;
use schemas::TRADES;
use sqlx::Row;

use super::database::Database;
use crate::fixtures::{commit_step, step};

fn generation(topic_id: &str) -> TopicGeneration {
    TopicGeneration {
        topic: TRADES.to_owned(),
        topic_id: topic_id.to_owned(),
        partitions: 4,
        origin: "here".to_owned(),
    }
}

/// A commit moves the progress row first and ends later. A switch that read the row meanwhile would
/// see the offset before: it would record an end that the commit passes.
#[tokio::test]
async fn a_switch_of_epoch_waits_for_a_commit_in_flight_and_records_its_end() {
    let database = Database::migrated().await;
    let store = database.open().await;
    store.register_topic(&generation("one")).await.unwrap();
    commit_step(&store, step(0, 0, 7)).await;
    commit_step(&store, step(3, 0, 2)).await;
    let mut committing = database.session().await;
    for statement in [
        "BEGIN",
        "UPDATE partition_progress SET next_offset = 9 WHERE partition = 0",
    ] {
        sqlx::query(statement)
            .execute(&mut committing)
            .await
            .unwrap();
    }
    let switching = tokio::spawn({
        let store = store.clone();
        async move { store.register_topic(&generation("two")).await }
    });
    let mut observer = database.session().await;
    let mut waiting = 0_i64;
    while waiting == 0 {
        assert!(!switching.is_finished(), "it did not wait for the commit");
        SystemClock.sleep(Duration::from_millis(10)).await;
        let row = sqlx::query(
            "SELECT count(*) FROM pg_stat_activity \
             WHERE datname = current_database() AND wait_event_type = 'Lock'",
        );
        waiting = row.fetch_one(&mut observer).await.unwrap().get(0);
    }
    sqlx::query("COMMIT")
        .execute(&mut committing)
        .await
        .unwrap();
    assert_eq!(switching.await.unwrap().unwrap(), 2);
    let end = |offset| EpochEnds::new(vec![Position { epoch: 1, offset }]);
    assert_eq!(store.epoch_ends(0).await.unwrap(), end(9));
    assert_eq!(store.epoch_ends(3).await.unwrap(), end(2));
}
