//! Declaring venues.

use std::sync::Arc;

use candlewick_ingest::{IngestError, IngestProducer};
use clock::SystemClock;
use eventlog::{Log, LogError, MemoryLog, NewRecord};
use market::{
    DeclaredSettings, IdScheme, IdScope, Position, RejectReason, SettingsChange, TieOrder, Venue,
    VenueSettings,
};
use schemas::TradesTopicRecord;
use store::SqliteBarStore;
use tokio::sync::Semaphore;

use crate::support::{
    AppendFault, FaultyLog, PARTITIONS, contiguous_change, contiguous_settings, empty_log,
    empty_store, new_producer, parse_instrument, read_records, store_folded_venue, trade,
};

fn lateness_change(lateness_ns: i64) -> SettingsChange {
    SettingsChange {
        lateness_ns: Some(lateness_ns),
        ..SettingsChange::default()
    }
}

async fn append_setting(log: &impl Log, venue: &Venue, change: SettingsChange) {
    let mut value = Vec::new();
    TradesTopicRecord::Setting(venue.clone(), change).encode(&mut value);
    let record = NewRecord {
        key: bytes::Bytes::new(),
        value: value.into(),
    };
    log.append(0, vec![record]).await.unwrap();
}

#[tokio::test]
async fn scheme_scope_and_ties_are_fixed_and_the_rest_may_change() {
    let log = empty_log();
    let (_folder, store) = empty_store().await;
    let first = new_producer(&log, &store);
    let venue: Venue = "v".parse().unwrap();
    first.declare(&venue, contiguous_change()).await.unwrap();
    // The second producer stands for another process, for which nothing is folded yet.
    for producer in [&first, &new_producer(&log, &store)] {
        let scheme = SettingsChange {
            scheme: Some(IdScheme::Unique),
            ..SettingsChange::default()
        };
        let scope = SettingsChange {
            scope: Some(IdScope::Day),
            ..SettingsChange::default()
        };
        let ties = SettingsChange {
            ties: Some(TieOrder::Log),
            ..SettingsChange::default()
        };
        for (expected, change) in [("id_scheme", scheme), ("id_scope", scope), ("ties", ties)] {
            let error = producer.declare(&venue, change).await.unwrap_err();
            let IngestError::Conflict { field, .. } = &error else {
                panic!("{error}");
            };
            assert_eq!(*field, expected, "{error}");
        }
    }
    let later = VenueSettings {
        lateness_ns: 7,
        ..contiguous_settings()
    };
    assert_eq!(
        first.declare(&venue, lateness_change(7)).await.unwrap(),
        later
    );
    assert_eq!(
        first.settings_declared_everywhere(&venue).await.unwrap(),
        Some(later)
    );
    let beyond = SettingsChange {
        idle_ns: Some(VenueSettings::MAX_WAIT_NS + 1),
        ..SettingsChange::default()
    };
    let error = first.declare(&venue, beyond).await.unwrap_err();
    assert!(matches!(
        error,
        IngestError::OutOfRange { field: "idle_ms" }
    ));
    for partition in 0..PARTITIONS {
        assert_eq!(read_records(&log, partition).await.len(), 2);
    }
}

#[tokio::test]
async fn changes_of_two_processes_do_not_undo_each_other() {
    let log = empty_log();
    let (_folder, store) = empty_store().await;
    let pods = [(); 2].map(|()| new_producer(&log, &store));
    let venue: Venue = "v".parse().unwrap();
    for pod in &pods {
        // Both know the venue as it is now.
        pod.declare(&venue, contiguous_change()).await.unwrap();
    }
    pods[0].declare(&venue, lateness_change(7)).await.unwrap();
    let idle = SettingsChange {
        idle_ns: Some(9),
        ..SettingsChange::default()
    };
    let expected = VenueSettings {
        lateness_ns: 7,
        idle_ns: 9,
        ..contiguous_settings()
    };
    assert_eq!(pods[1].declare(&venue, idle).await.unwrap(), expected);
    // Each partition holds the result as a copy, with the position of the change that led to it.
    let end = log.bounds(0).await.unwrap().end;
    let declared = DeclaredSettings {
        settings: expected,
        declared_at: Position {
            epoch: 1,
            offset: end - 1,
        },
    };
    for partition in 1..PARTITIONS {
        let records = read_records(&log, partition).await;
        let copy = TradesTopicRecord::SettingCopy(venue.clone(), declared);
        assert_eq!(records.last().unwrap().1, copy);
    }
    // The first process is told of it, and does not fall back to an older announcement.
    let known = pods[0].known_settings();
    let before = known.get("v").unwrap();
    known.insert_announced(&venue, declared);
    known.insert_announced(&venue, before);
    let found = pods[0].settings_declared_everywhere(&venue).await.unwrap();
    assert_eq!(found, Some(expected));
}

#[tokio::test]
async fn an_interrupted_declaration_is_completed_with_its_own_settings() {
    let log = empty_log();
    let (_folder, store) = empty_store().await;
    let venue: Venue = "v".parse().unwrap();
    append_setting(&log, &venue, contiguous_change()).await;
    let producer = new_producer(&log, &store);
    let trades = vec![(parse_instrument("v:S"), trade(1))];
    assert_eq!(producer.append(trades).await.unwrap().accepted, 1);
    assert_eq!(
        producer.settings_declared_everywhere(&venue).await.unwrap(),
        Some(contiguous_settings())
    );
    let declared = DeclaredSettings {
        settings: contiguous_settings(),
        declared_at: Position {
            epoch: 1,
            offset: 0,
        },
    };
    for partition in 1..PARTITIONS {
        assert_eq!(
            read_records(&log, partition).await.first().unwrap().1,
            TradesTopicRecord::SettingCopy(venue.clone(), declared)
        );
    }
}

#[tokio::test]
async fn settings_are_in_force_once_every_partition_has_folded_them() {
    let log = empty_log();
    let (_folder, store) = empty_store().await;
    let venue: Venue = "v".parse().unwrap();
    for partition in 0..PARTITIONS {
        let settings = new_producer(&log, &store)
            .settings_declared_everywhere(&venue)
            .await
            .unwrap();
        assert_eq!(settings, None);
        store_folded_venue(&store, partition, &venue).await;
    }
    let producer = new_producer(&log, &store);
    assert_eq!(
        producer.settings_declared_everywhere(&venue).await.unwrap(),
        Some(contiguous_settings())
    );
    let other = SettingsChange::of_all(&VenueSettings::default());
    let error = producer.declare(&venue, other).await;
    assert!(matches!(error, Err(IngestError::Conflict { .. })));
    // The same settings change nothing, so nothing is appended.
    producer.declare(&venue, contiguous_change()).await.unwrap();
    assert_eq!(log.bounds(0).await.unwrap().end, 0);
}

#[tokio::test]
async fn settings_are_unknown_until_every_partition_has_acknowledged_them() {
    let (_folder, store) = empty_store().await;
    let venue: Venue = "v".parse().unwrap();
    for bad in 0..PARTITIONS {
        let opened = Arc::new(Semaphore::new(0));
        let log = FaultyLog {
            log: empty_log(),
            fault: AppendFault::HeldBack(bad, Arc::clone(&opened)),
        };
        let producer = new_producer(&log, &store);
        let declaring = producer.declare(&venue, contiguous_change());
        let mut declaring = std::pin::pin!(declaring);
        // The change is first in the partition that orders changes; the copies wait for it.
        let others = if bad == 0 { 0..0 } else { 0..PARTITIONS };
        for partition in others.filter(|partition| *partition != bad) {
            tokio::select! {
                _ = &mut declaring => panic!("partition {bad} has not acknowledged"),
                held = log.wait_for_record(partition, 0) => held.unwrap(),
            }
        }
        assert!(futures_util::poll!(&mut declaring).is_pending());
        let known = producer.settings_declared_everywhere(&venue).await.unwrap();
        assert_eq!(known, None, "partition {bad} has not acknowledged");
        opened.close();
        assert_eq!(declaring.await.unwrap(), contiguous_settings());
        let known = producer.settings_declared_everywhere(&venue).await.unwrap();
        assert_eq!(known, Some(contiguous_settings()));
    }
}

#[tokio::test]
async fn an_append_of_settings_that_one_partition_refuses_is_an_error() {
    let (_folder, store) = empty_store().await;
    let venue: Venue = "v".parse().unwrap();
    for bad in 0..PARTITIONS {
        let log = FaultyLog {
            log: empty_log(),
            fault: AppendFault::Refused(bad),
        };
        let producer = new_producer(&log, &store);
        for _ in 0..2 {
            let declared = producer.declare(&venue, contiguous_change()).await;
            let error = declared.unwrap_err();
            assert!(
                matches!(&error, IngestError::Log(LogError::Denied { .. })),
                "partition {bad}: {error}"
            );
            let known = producer.settings_declared_everywhere(&venue).await.unwrap();
            assert_eq!(known, None, "partition {bad}");
        }
    }
}

/// Retires a generation of a venue, and asserts which one follows it.
async fn assert_retires_to(
    producer: &IngestProducer<MemoryLog, SqliteBarStore, SystemClock>,
    venue: &Venue,
    generation: u16,
    expected: &str,
) {
    let next = producer
        .retire_and_return_next_generation(venue, generation)
        .await;
    assert_eq!(next.unwrap().as_str(), expected);
}

#[tokio::test]
async fn a_retired_name_begins_another_generation_on_every_process() {
    let log = empty_log();
    let (_folder, store) = empty_store().await;
    let [pod, other] = [new_producer(&log, &store), new_producer(&log, &store)];
    let venue: Venue = "v".parse().unwrap();
    let unknown = pod
        .retire_and_return_next_generation(&venue, 1)
        .await
        .unwrap_err();
    let IngestError::Rejected { reason, .. } = unknown else {
        panic!("{unknown}");
    };
    assert_eq!(reason, RejectReason::VenueUnknown);
    let trades = |name: &str, id| vec![(parse_instrument(&format!("{name}:A")), trade(id))];
    pod.append(trades("v", 1)).await.unwrap();
    // A repeated request retires nothing else.
    for _ in 0..2 {
        assert_retires_to(&pod, &venue, 1, "v@2").await;
    }
    assert_eq!(pod.venue_in_use(&venue).await.unwrap().as_str(), "v@2");
    let settings = pod.settings_declared_everywhere(&venue).await.unwrap();
    assert!(settings.unwrap().retired);
    let second = pod.venue_in_use(&venue).await.unwrap();
    // What the first had fixed does not bind the second.
    pod.declare(&second, contiguous_change()).await.unwrap();
    pod.append(trades("v", 2)).await.unwrap();
    pod.append(trades("v@2", 3)).await.unwrap();
    let rejected = pod.append(trades("v@3", 4)).await.unwrap().rejected;
    assert_eq!(rejected[0].reason, RejectReason::VenueUnknown);
    assert_eq!(keys_of_trades(&log).await, ["v:A", "v@2:A", "v@2:A"]);
    // Another process reads the change from the log when it declares, at the latest.
    assert_retires_to(&other, &venue, 1, "v@2").await;
    other.append(trades("v", 5)).await.unwrap();
    assert_eq!(keys_of_trades(&log).await.len(), 4);
    assert_retires_to(&pod, &venue, 2, "v@3").await;
    let rejected = pod.append(trades("v@2", 6)).await.unwrap().rejected;
    assert_eq!(rejected[0].reason, RejectReason::VenueRetired);
}

/// Returns the keys of the trades in the log, in order.
async fn keys_of_trades(log: &impl Log) -> Vec<String> {
    let mut keys = Vec::new();
    for partition in 0..PARTITIONS {
        for record in log.fetch(partition, 0, 1 << 20).await.unwrap().records {
            keys.push(String::from_utf8(record.key.to_vec()).unwrap());
        }
    }
    keys.retain(|key| !key.is_empty());
    keys.sort_unstable();
    keys
}
