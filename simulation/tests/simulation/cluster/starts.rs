//! Starting the tasks and clients of a simulated cluster.

use std::collections::BTreeMap;
use std::time::Duration;

use aggregator::{IdMemoryBudget, PartitionWorker, WorkerConfig, WorkerStores, WorkerTopics};
use api::ChannelName;
use archiver::{Archiver, BlockPolicy};
use host::Health;
use market::{DeclaredSettings, Interval, SettingsChange, Venue};
use store::MemoryNewestPriceStore;
use tokio_util::sync::CancellationToken;

use super::SimCluster;
use crate::check::records_in_fold;
use crate::mutant::Mutant;
use crate::oracle::Oracle;
use crate::pod::Pod;
use crate::sim_client::SimClient;
use crate::simulated::SimBackend;
use crate::tasks::{CrashableTask, Role, Task};
use crate::trade_producer::PARTITIONS;

impl SimCluster {
    pub fn start_all(&mut self) {
        for partition in 0..PARTITIONS {
            self.start_worker(partition);
            self.start_archiver(partition);
        }
        for _ in 0..2 {
            self.start_pod();
        }
    }

    pub(super) fn start_clients(&mut self) {
        for instrument in self.producer.instruments() {
            let interval = *self.random.choose(&Interval::ALL);
            for interval in [Interval::M1, interval] {
                let name = ChannelName {
                    instrument: instrument.clone(),
                    interval,
                };
                self.clients
                    .push(SimClient::new(name, &self.random, self.mutant));
            }
        }
    }

    fn add_task(&mut self, role: Role, number: u64, stop: CancellationToken, task: Task) {
        self.tasks.push(CrashableTask {
            task,
            role,
            number,
            frozen_until_turn: 0,
            stop,
        });
    }

    pub fn next_process_number(&mut self) -> u64 {
        self.last_process_number += 1;
        self.last_process_number
    }

    /// Adopts the current epoch of the log, as an aggregator does when it starts.
    pub fn adopt_current_epoch(&mut self) {
        if self.bars.adopt_epoch(self.trades_log.current_epoch()) {
            self.renew_oracles();
            self.fold_settings_of_epoch();
            self.restart_pods();
        }
    }

    /// Restarts the pods, as they do when they find that the topic was recreated.
    fn restart_pods(&mut self) {
        for _ in 0..self.pods.len() {
            self.lose_pod(0);
        }
    }

    /// Folds what the epochs before the current one hold, and keeps the settings that result.
    fn fold_settings_of_epoch(&mut self) {
        let mut oracles = self.oracles.clone();
        let epoch = self.trades_log.current_epoch();
        for ended in 1..epoch {
            for oracle in &mut oracles {
                let records = self.bars.read_stored(|stored| {
                    records_in_fold(&self.trades_log, stored, ended, oracle.partition)
                });
                records.iter().for_each(|record| oracle.apply(record));
            }
            let settings = latest_settings(&oracles);
            for oracle in &mut oracles {
                oracle.start_next_epoch(&settings);
            }
            let index = usize::try_from(ended).unwrap() - 1;
            self.settings_of_epochs.truncate(index);
            self.settings_of_epochs.push(settings);
        }
    }

    /// Begins the oracles anew.
    pub fn renew_oracles(&mut self) {
        let refuses_price = self.bars.refuses_price();
        let fresh = |partition| Oracle::new(partition, PARTITIONS, refuses_price);
        self.oracles = (0..PARTITIONS).map(fresh).collect();
    }

    pub fn start(&mut self, role: Role) {
        match role {
            Role::Worker(partition) => self.start_worker(partition),
            Role::Archiver(partition) => self.start_archiver(partition),
            Role::Follower => unreachable!("pods start these"),
        }
    }

    pub fn start_worker(&mut self, partition: u32) {
        let number = self.next_process_number();
        self.adopt_current_epoch();
        // Often so little that each segment of ids leaves memory after its use.
        let budget_bytes = *self.random.choose(&[0, 1_000, 20_000, 1_000_000]);
        let id_memory = IdMemoryBudget::new(budget_bytes);
        self.id_budgets.push(id_memory.clone());
        let worker: PartitionWorker<SimBackend> = PartitionWorker {
            partition,
            topics: WorkerTopics {
                trades: match self.mutant {
                    Some(Mutant::SettingsNotCopied) => {
                        self.trades_log.reopened().with_lost_settings_copies()
                    }
                    _ => self.trades_log.reopened(),
                },
                updates: self.updates_log.written_by(number),
                dead_letters: self.dead_letters_log.clone(),
            },
            stores: WorkerStores {
                bars: self.bars.for_worker(number, &self.updates_log),
                ticks: self.ticks.clone(),
                hot: MemoryNewestPriceStore::default(),
                clock: self.clock.clone(),
            },
            config: WorkerConfig {
                commit_interval: Duration::from_millis(self.random.below(400) + 20),
                call_timeout: Duration::from_secs(2),
                max_backoff: Duration::from_millis(400),
                max_left_out_per_hour: usize::MAX,
                max_uncommitted_bytes: (self.random.below(100) + 20) * 40,
                ..WorkerConfig::default()
            },
            id_memory,
            metrics: aggregator::WorkerMetrics::new(partition),
            health: Health::default().register("worker"),
        };
        let stop = CancellationToken::new();
        let token = stop.clone();
        let task = async move { worker.run(token).await.map_err(|error| error.to_string()) };
        self.add_task(Role::Worker(partition), number, stop, Box::pin(task));
    }

    pub fn start_archiver(&mut self, partition: u32) {
        let number = self.next_process_number();
        let archiver: Archiver<SimBackend> = Archiver {
            partition,
            trades: self.trades_log.reopened(),
            ticks: self.ticks.clone(),
            clock: self.clock.clone(),
            policy: BlockPolicy {
                offsets_per_block: self.random.below(30) + 5,
                max_delay: Duration::from_millis(200),
                ..BlockPolicy::default()
            },
            metrics: archiver::ArchiverMetrics::new(partition),
            health: Health::default().register("archiver"),
        };
        let stop = CancellationToken::new();
        let token = stop.clone();
        let task = async move { archiver.run(token).await.map_err(|error| error.to_string()) };
        self.add_task(Role::Archiver(partition), number, stop, Box::pin(task));
    }

    pub fn start_pod(&mut self) {
        let number = self.next_process_number();
        let (trades, updates) = (&self.trades_log, &self.updates_log);
        let (pod, tasks) = Pod::start(number, trades, updates, &self.bars, &self.clock);
        for task in tasks {
            self.add_task(Role::Follower, number, CancellationToken::new(), task);
        }
        self.pods.push(pod);
    }

    /// Starts the declaration of a venue by one of the pods. It ends with the pod, at whatever
    /// point it has reached.
    pub fn declare_by_pod(&mut self, venue: Venue, change: SettingsChange) {
        let pod = self.random.choose(&self.pods).clone();
        let task = async move {
            // Others may have declared other ids, and calls may fail.
            let _ = pod.producer.declare(&venue, change).await;
            Ok(())
        };
        let stop = CancellationToken::new();
        self.add_task(Role::Follower, pod.number, stop, Box::pin(task));
        self.totals.add_count("settings changed", 1);
    }

    /// Starts a producer that sends some records, and repeats them until they are acknowledged.
    pub fn send(&mut self, partition: u32, entries: Vec<eventlog::NewRecord>) {
        let (log, random) = (self.trades_log.clone(), self.random.clone());
        let task = async move {
            while eventlog::Log::append(&log, partition, entries.clone())
                .await
                .is_err()
            {
                random.pause(3).await;
            }
            Ok(())
        };
        let number = self.next_process_number();
        self.add_task(
            Role::Follower,
            number,
            CancellationToken::new(),
            Box::pin(task),
        );
    }
}

/// Returns the settings of each venue's latest change in any partition.
fn latest_settings(oracles: &[Oracle]) -> BTreeMap<Venue, DeclaredSettings> {
    let mut latest: BTreeMap<Venue, DeclaredSettings> = BTreeMap::new();
    for (venue, declared) in oracles.iter().flat_map(Oracle::venues) {
        let known = latest.entry(venue.clone()).or_insert(*declared);
        *known = std::cmp::max_by_key(*known, *declared, |settings| settings.declared_at);
    }
    latest
}
