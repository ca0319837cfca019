//! Records that nobody can count.

use std::sync::atomic::Ordering;

use clock::{Clock, SystemClock};
use market::{DAY_NS, Trade, TradeId};
use schemas::{TradesRecord, partition_of};

use super::Fault;
use crate::exchange::MARKETS;
use crate::ledger::Garbage;
use crate::world::World;

/// What a record of the topic may have, less what is around it.
const MOST_BYTES: usize = 4 << 20;

impl Fault {
    /// Appends some records that belong in `dead-letters`.
    pub(super) async fn litter(&mut self, world: &World) {
        for _ in 0..self.random.between(1, 20) {
            let (what, partition, key, value) = self.garbage(world.kafka.partitions());
            let sent = world
                .kafka
                .send(schemas::TRADES, Some(partition), key.as_bytes(), &value);
            let (partition, offset) = sent.await;
            let epoch = world.epoch.load(Ordering::Acquire);
            world.ledger.open().garbage.push(Garbage {
                what,
                epoch,
                partition,
                offset,
            });
        }
    }

    fn garbage(&mut self, partitions: u32) -> (&'static str, u32, String, Vec<u8>) {
        let random = &mut self.random;
        let known = format!("{}:S1", random.choose(&MARKETS).venue);
        let right = partition_of(known.as_bytes(), partitions);
        let any = u32::try_from(random.below(partitions.into())).unwrap_or_default();
        let mut trade = Trade {
            time_ns: SystemClock.now_ns(),
            price: "1.5".parse().unwrap_or(market::Decimal::ZERO),
            quantity: None,
            side: None,
            id: Some(TradeId::Number(random.next())),
            scope: None,
            sender: None,
        };
        let (what, partition, key) = match random.below(5) {
            0 => {
                let length = match random.one_in(8) {
                    true => random.place(MOST_BYTES),
                    false => random.place(64),
                };
                return ("random bytes", any, known, random.bytes(length));
            }
            1 => ("a key that names nothing", any, "nothing".to_owned()),
            2 if partitions > 1 => ("misrouted", (right + 1) % partitions, known),
            3 => {
                trade.time_ns += DAY_NS;
                ("of tomorrow", right, known)
            }
            _ => {
                let key = format!("undeclared:S{any}");
                (
                    "of an undeclared venue",
                    partition_of(key.as_bytes(), partitions),
                    key,
                )
            }
        };
        let mut value = Vec::new();
        TradesRecord::encode_trade(&trade, &mut value);
        (what, partition, key, value)
    }
}
