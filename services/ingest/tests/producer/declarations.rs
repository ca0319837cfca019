//! Declaring venues.

use candlewick_ingest::IngestError;
use eventlog::{Log, NewRecord};
use market::{IdScheme, IdScope, Venue, VenueSettings};
use schemas::TradesTopicRecord;

use crate::support::{
    PARTITIONS, contiguous_settings, empty_log, empty_store, new_producer, parse_instrument,
    read_records, store_folded_venue, trade,
};

#[tokio::test]
async fn scheme_and_scope_are_fixed_and_the_rest_may_change() {
    let log = empty_log();
    let (_folder, store) = empty_store().await;
    let first = new_producer(&log, &store);
    let venue: Venue = "v".parse().unwrap();
    first.declare(&venue, contiguous_settings()).await.unwrap();
    // The second producer stands for another process, for which nothing is folded yet.
    for producer in [&first, &new_producer(&log, &store)] {
        for (scheme, scope) in [
            (IdScheme::Unique, IdScope::Symbol),
            (IdScheme::Contiguous, IdScope::Day),
        ] {
            let other = VenueSettings {
                scheme,
                scope,
                ..contiguous_settings()
            };
            let error = producer.declare(&venue, other).await.unwrap_err();
            assert!(matches!(error, IngestError::Conflict { .. }), "{error}");
        }
    }
    let later = VenueSettings {
        lateness_ns: 7,
        ..contiguous_settings()
    };
    assert_eq!(first.declare(&venue, later).await.unwrap(), later);
    assert_eq!(
        first.settings_declared_everywhere(&venue).await.unwrap(),
        Some(later)
    );
    let beyond = VenueSettings {
        idle_ns: VenueSettings::MAX_WAIT_NS + 1,
        ..contiguous_settings()
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
async fn an_interrupted_declaration_is_completed_with_its_own_settings() {
    let log = empty_log();
    let (_folder, store) = empty_store().await;
    let venue: Venue = "v".parse().unwrap();
    let setting = TradesTopicRecord::Setting(venue.clone(), contiguous_settings());
    let mut value = Vec::new();
    setting.encode(&mut value);
    let record = NewRecord {
        key: bytes::Bytes::new(),
        value: value.into(),
    };
    log.append(0, vec![record]).await.unwrap();
    let producer = new_producer(&log, &store);
    let trades = vec![(parse_instrument("v:S"), trade(1))];
    assert_eq!(producer.append(trades).await.unwrap().accepted, 1);
    assert_eq!(
        producer.settings_declared_everywhere(&venue).await.unwrap(),
        Some(contiguous_settings())
    );
    for partition in 0..PARTITIONS {
        assert_eq!(
            read_records(&log, partition).await.first().unwrap().1,
            setting
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
    let error = producer.declare(&venue, VenueSettings::default()).await;
    assert!(matches!(error, Err(IngestError::Conflict { .. })));
    // The same settings change nothing, so nothing is appended.
    producer
        .declare(&venue, contiguous_settings())
        .await
        .unwrap();
    assert_eq!(log.bounds(0).await.unwrap().end, 0);
}
