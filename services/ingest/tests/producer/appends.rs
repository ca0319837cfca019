//! Appending trades.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use candlewick_ingest::IngestError;
use market::{
    Decimal, DeclaredSettings, Position, RejectReason, SettingsChange, Venue, VenueSettings,
};
use schemas::{TradesTopicRecord, partition_of};

use crate::support::{
    AppendFault, FaultyLog, PARTITIONS, contiguous_change, empty_log, empty_store, new_producer,
    parse_instrument, read_records, trade,
};

#[tokio::test]
async fn trades_are_appended_in_order_to_the_partitions_of_their_keys() {
    let log = empty_log();
    let (_folder, store) = empty_store().await;
    let keys: Vec<_> = (0..20).map(|number| format!("venue:S{number}")).collect();
    let trades: Vec<_> = (0..200)
        .map(|id| (parse_instrument(&keys[id * 7 % 20]), trade(id as u64)))
        .collect();
    let appended = new_producer(&log, &store)
        .append(trades.clone())
        .await
        .unwrap();
    assert_eq!((appended.accepted, appended.rejected), (200, vec![]));
    for partition in 0..PARTITIONS {
        let venue = "venue".parse().unwrap();
        let declared = DeclaredSettings {
            settings: VenueSettings::default(),
            declared_at: Position {
                epoch: 1,
                offset: 0,
            },
        };
        let setting = match partition {
            0 => TradesTopicRecord::Setting(venue, SettingsChange::default()),
            _ => TradesTopicRecord::SettingCopy(venue, declared),
        };
        let mut expected = vec![(String::new(), setting)];
        for (instrument, trade) in &trades {
            if partition_of(instrument.key().as_bytes(), PARTITIONS) == partition {
                let key = instrument.key().to_owned();
                expected.push((key, TradesTopicRecord::Trade(trade.clone())));
            }
        }
        assert_eq!(read_records(&log, partition).await, expected);
    }
}

#[tokio::test]
async fn rejected_trades_are_listed_and_the_others_appended() {
    let log = empty_log();
    let (_folder, store) = empty_store().await;
    let producer = new_producer(&log, &store);
    let venue: Venue = "v".parse().unwrap();
    producer.declare(&venue, contiguous_change()).await.unwrap();
    let mut trades = vec![trade(0); 5];
    trades[1].time_ns = -1;
    trades[2].id = None;
    trades[3].price = Decimal::ZERO;
    let trades = trades
        .into_iter()
        .map(|trade| (parse_instrument("v:S"), trade));
    let appended = producer.append(trades.collect()).await.unwrap();
    assert_eq!(appended.accepted, 2);
    let expected = [
        (1, RejectReason::TimeBefore1970),
        (2, RejectReason::IdMissing),
        (3, RejectReason::PriceNotPositive),
    ];
    let rejected = appended.rejected.iter();
    let rejected: Vec<_> = rejected.map(|trade| (trade.index, trade.reason)).collect();
    assert_eq!(rejected, expected);
    let partition = partition_of(b"v:S", PARTITIONS);
    assert_eq!(read_records(&log, partition).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn appending_to_a_busy_log_is_retried_until_the_deadline() {
    let (_folder, store) = empty_store().await;
    let busy_appends: Arc<AtomicUsize> = Arc::default();
    let busy = FaultyLog {
        log: empty_log(),
        fault: AppendFault::Busy(Arc::clone(&busy_appends)),
    };
    let producer = new_producer(&busy, &store).with_deadline(Duration::from_secs(2));
    let trades = || {
        vec![
            (parse_instrument("v:S"), trade(1)),
            (parse_instrument("v:T"), trade(1)),
        ]
    };
    busy_appends.store(6, Ordering::Relaxed);
    assert_eq!(producer.append(trades()).await.unwrap().accepted, 2);
    busy_appends.store(usize::MAX, Ordering::Relaxed);
    let error = producer.append(trades()).await.unwrap_err();
    assert!(matches!(error, IngestError::Busy { waited_ms } if waited_ms <= 2_000));
    assert!(error.is_transient());
}
