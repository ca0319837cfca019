//! Partitions in which nobody trades.

use market::{DAY_NS, SECOND_NS};

use crate::cluster::SimCluster;
use crate::trade_producer::PARTITIONS;

fn ends(cluster: &SimCluster) -> Vec<u64> {
    let end = |partition| cluster.trades_log.end(partition);
    (0..PARTITIONS).map(end).collect()
}

fn run_for(cluster: &mut SimCluster, time_ns: i64) {
    let end_ns = clock::Clock::now_ns(&cluster.clock) + time_ns;
    while clock::Clock::now_ns(&cluster.clock) < end_ns {
        cluster.step().unwrap();
    }
}

#[test]
fn a_partition_without_open_windows_gets_an_advance_a_minute_if_it_has_symbols() {
    for seed in 0..4 {
        let mut cluster = SimCluster::new(seed, None);
        for _ in 0..300 {
            cluster.maybe_send_records_or_inject_fault();
            cluster.step().unwrap();
        }
        cluster.catch_up().unwrap();
        // Every window closes.
        cluster.clock.advance(3 * DAY_NS);
        run_for(&mut cluster, 10 * SECOND_NS);
        let before = ends(&cluster);
        run_for(&mut cluster, 300 * SECOND_NS);
        for partition in 0..PARTITIONS {
            let appended = cluster.trades_log.end(partition) - before[partition as usize];
            let has_symbols = cluster.bars.read_stored(|stored| {
                stored.symbols.keys().any(|instrument| {
                    schemas::partition_of(instrument.key().as_bytes(), PARTITIONS) == partition
                })
            });
            let expected = if has_symbols { 4..=5 } else { 0..=0 };
            assert!(
                expected.contains(&appended),
                "seed {seed}, partition {partition}: {appended} records"
            );
        }
    }
}
