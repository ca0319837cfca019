//! A store that refuses to close bars: no trade is to blame for a close.

use market::RejectReason;
use schemas::{DeadLetter, TradesTopicRecord};

use crate::bar_store::refused_price;
use crate::cluster::SimCluster;
use crate::trade_producer::PARTITIONS;

/// Runs a cluster until a worker ends with an error, and returns the error.
fn run_until_a_worker_fails(cluster: &mut SimCluster) -> String {
    // Rarely a fault, so that the search for the record can end.
    cluster.fault_interval_turns = 2_000;
    for turn in 0..20_000 {
        if turn < 600 {
            cluster.maybe_send_records_or_inject_fault();
        }
        if let Err(error) = cluster.step() {
            return error;
        }
    }
    let partitions = (0..PARTITIONS).map(|of| cluster.describe_progress(of));
    let progress = partitions.collect::<Vec<_>>().join("; ");
    panic!("no worker failed: {progress}");
}

#[test]
fn a_close_that_the_store_refuses_stops_the_partition_and_blames_no_trade() {
    for seed in 0..20 {
        let mut cluster = SimCluster::new(seed, None);
        cluster.bars.refuse_closed();
        let error = run_until_a_worker_fails(&mut cluster);
        assert!(
            error.starts_with("Worker(") && error.contains("without the record at offset"),
            "seed {seed}: {error}"
        );
        for partition in 0..PARTITIONS {
            cluster.dead_letters_log.sync(partition);
            for record in cluster.dead_letters_log.records(partition, 0) {
                let letter = DeadLetter::decode(&record.value).unwrap();
                let is_unstorable = letter.reason == RejectReason::Unstorable;
                let decoded = TradesTopicRecord::decode(&letter.value);
                let may_be_blamed = match &decoded {
                    // A refold replaces a closed bar.
                    Ok(TradesTopicRecord::Refold(_)) => true,
                    Ok(TradesTopicRecord::Trade(trade)) => trade.price == refused_price(),
                    _ => false,
                };
                let blamed = format!("seed {seed}: {decoded:?} is blamed");
                assert!(!is_unstorable || may_be_blamed, "{blamed}");
            }
        }
    }
}
