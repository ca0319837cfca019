//! Records that cannot count.

use std::sync::atomic::Ordering;

use clock::{Clock, SystemClock};
use market::{DAY_NS, RejectReason, Trade, TradeId};
use schemas::{TradesTopicRecord, partition_of};

use super::fault::Fault;
use crate::cluster::TortureCluster;
use crate::sent_trades::SentGarbageRecord;
use crate::trade_source::VENUES;

/// The greatest size of a value: what the topic allows, less the overhead of a record.
const MAX_VALUE_BYTES: usize = 4 << 20;

/// A record that cannot count, before it is sent.
pub(super) struct GarbageRecord {
    /// What is wrong with the record.
    pub(super) what: &'static str,
    pub(super) reason: RejectReason,
    pub(super) partition: u32,
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

impl GarbageRecord {
    /// Appends the record, and remembers that it cannot count; returns its offset.
    pub(super) async fn append(self, cluster: &TortureCluster) -> u64 {
        let (topic, partition) = (schemas::TRADES, Some(self.partition));
        let sent = cluster
            .kafka
            .send_until_acknowledged(topic, partition, &self.key, &self.value);
        let (partition, offset) = sent.await;
        let epoch = cluster.epoch.load(Ordering::Acquire);
        cluster.sent_trades.lock().garbage.push(SentGarbageRecord {
            what: self.what,
            reason: self.reason,
            epoch,
            partition,
            offset,
        });
        offset
    }
}

impl Fault {
    /// Appends some records that belong in `dead-letters`.
    pub(super) async fn append_garbage(&mut self, cluster: &TortureCluster) {
        for _ in 0..self.random.between(1, 20) {
            let record = self.generate_garbage(cluster.kafka.partitions());
            record.append(cluster).await;
        }
    }

    fn generate_garbage(&mut self, partitions: u32) -> GarbageRecord {
        let random = &mut self.random;
        let known = format!("{}:S1", random.choose(&VENUES).venue);
        let right = partition_of(known.as_bytes(), partitions);
        let any = u32::try_from(random.below(partitions.into())).unwrap_or_default();
        let mut trade = Trade {
            time_ns: SystemClock.now_ns(),
            price: "1.5".parse().unwrap_or(market::Decimal::ZERO),
            quantity: None,
            side: None,
            id: Some(TradeId::Number(random.next_u64())),
            scope: None,
            sender: None,
        };
        let (what, reason, partition, key) = match random.below(5) {
            0 => {
                let length = match random.one_in(8) {
                    true => random.index(MAX_VALUE_BYTES),
                    false => random.index(64),
                };
                return GarbageRecord {
                    what: "random bytes",
                    reason: RejectReason::Malformed,
                    partition: any,
                    key: known.into_bytes(),
                    value: random.bytes(length),
                };
            }
            1 => (
                "a key that names nothing",
                RejectReason::KeyMalformed,
                any,
                "nothing".to_owned(),
            ),
            2 if partitions > 1 => (
                "misrouted",
                RejectReason::Misrouted,
                (right + 1) % partitions,
                known,
            ),
            3 => {
                trade.time_ns += DAY_NS;
                ("of tomorrow", RejectReason::TimeInFuture, right, known)
            }
            _ => {
                let key = format!("undeclared:S{any}");
                (
                    "of an undeclared venue",
                    RejectReason::VenueUnknown,
                    partition_of(key.as_bytes(), partitions),
                    key,
                )
            }
        };
        let mut value = Vec::new();
        TradesTopicRecord::encode_trade(&trade, &mut value);
        GarbageRecord {
            what,
            reason,
            partition,
            key: key.into_bytes(),
            value,
        }
    }
}
