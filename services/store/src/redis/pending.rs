//! Prices that are waiting to be written: the newest of each instrument.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};

use market::Instrument;
use tokio::sync::Notify;

use crate::NewestPrice;

/// How many instruments may wait.
const MOST_INSTRUMENTS: usize = 65_536;

/// Prices that are waiting to be written.
#[derive(Default)]
pub(super) struct Pending {
    prices: Mutex<HashMap<Instrument, NewestPrice>>,
    offered: Notify,
}

impl Pending {
    /// Takes prices over; a newer one replaces the one that waits. Answers how many there was
    /// no room for.
    pub(super) fn offer(&self, offered: Vec<NewestPrice>) -> u64 {
        let mut dropped = 0;
        {
            let mut prices = self.prices.lock().unwrap_or_else(PoisonError::into_inner);
            for price in offered {
                let is_full = prices.len() >= MOST_INSTRUMENTS;
                match prices.entry(price.instrument.clone()) {
                    Entry::Occupied(mut known) if known.get().through <= price.through => {
                        known.insert(price);
                    }
                    Entry::Occupied(_) => {}
                    Entry::Vacant(_) if is_full => dropped += 1,
                    Entry::Vacant(room) => _ = room.insert(price),
                }
            }
        }
        self.offered.notify_one();
        dropped
    }

    /// Waits until there are some, and takes all.
    pub(super) async fn take(&self) -> Vec<NewestPrice> {
        loop {
            let taken = {
                let mut prices = self.prices.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut *prices)
            };
            if !taken.is_empty() {
                return taken.into_values().collect();
            }
            self.offered.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use market::{Decimal, Position};

    use super::{MOST_INSTRUMENTS, Pending};
    use crate::NewestPrice;

    fn price(symbol: usize, offset: u64) -> NewestPrice {
        NewestPrice {
            instrument: format!("binance:S{symbol}").parse().unwrap(),
            price: Decimal::ZERO,
            time_ns: 0,
            through: Position { epoch: 0, offset },
        }
    }

    #[tokio::test]
    async fn the_newest_of_each_waits() {
        let pending = Pending::default();
        assert_eq!(
            pending.offer(vec![price(1, 5), price(2, 1), price(1, 7)]),
            0
        );
        assert_eq!(pending.offer(vec![price(1, 6)]), 0);
        let mut taken = pending.take().await;
        taken.sort_by_key(|price| price.through);
        assert_eq!(taken, [price(2, 1), price(1, 7)]);
    }

    #[tokio::test]
    async fn no_more_wait_than_there_is_room_for() {
        let pending = Pending::default();
        let many = (0..MOST_INSTRUMENTS + 3).map(|symbol| price(symbol, 1));
        assert_eq!(pending.offer(many.collect()), 3);
        // One that waits is still replaced.
        assert_eq!(pending.offer(vec![price(0, 2)]), 0);
        assert_eq!(pending.take().await.len(), MOST_INSTRUMENTS);
        assert_eq!(pending.offer(vec![price(MOST_INSTRUMENTS, 1)]), 0);
    }
}
