//! Queued prices that are not written yet: the newest of each instrument.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};

use market::Instrument;
use tokio::sync::Notify;

use crate::NewestPrice;

/// The greatest number of instruments with a queued price.
const MAX_INSTRUMENTS: usize = 65_536;

/// Queued prices that are not written yet.
#[derive(Default)]
pub(super) struct PendingPrices {
    prices: Mutex<HashMap<Instrument, NewestPrice>>,
    added: Notify,
}

impl PendingPrices {
    /// Adds prices. A newer price of an instrument replaces the queued one. Returns how many prices
    /// were dropped because the queue is full.
    pub(super) fn add_and_count_dropped(&self, new_prices: Vec<NewestPrice>) -> u64 {
        let mut dropped = 0;
        {
            let mut prices = self.prices.lock().unwrap_or_else(PoisonError::into_inner);
            for price in new_prices {
                let is_full = prices.len() >= MAX_INSTRUMENTS;
                match prices.entry(price.instrument.clone()) {
                    Entry::Occupied(mut queued) if queued.get().through <= price.through => {
                        queued.insert(price);
                    }
                    Entry::Occupied(_) => {}
                    Entry::Vacant(_) if is_full => dropped += 1,
                    Entry::Vacant(entry) => _ = entry.insert(price),
                }
            }
        }
        self.added.notify_one();
        dropped
    }

    /// Waits until prices are queued, and removes all of them.
    pub(super) async fn wait_and_take_all(&self) -> Vec<NewestPrice> {
        loop {
            let taken = {
                let mut prices = self.prices.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut *prices)
            };
            if !taken.is_empty() {
                return taken.into_values().collect();
            }
            self.added.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use market::{Decimal, Position};

    use super::{MAX_INSTRUMENTS, PendingPrices};
    use crate::NewestPrice;

    fn price(symbol: usize, offset: u64) -> NewestPrice {
        NewestPrice {
            instrument: format!("binance:S{symbol}").parse().unwrap(),
            price: Some(Decimal::ZERO),
            time_ns: 0,
            through: Position { epoch: 0, offset },
        }
    }

    #[tokio::test]
    async fn the_newest_price_of_each_instrument_is_queued() {
        let pending = PendingPrices::default();
        assert_eq!(
            pending.add_and_count_dropped(vec![price(1, 5), price(2, 1), price(1, 7)]),
            0
        );
        assert_eq!(pending.add_and_count_dropped(vec![price(1, 6)]), 0);
        let mut taken = pending.wait_and_take_all().await;
        taken.sort_by_key(|price| price.through);
        assert_eq!(taken, [price(2, 1), price(1, 7)]);
    }

    #[tokio::test]
    async fn prices_are_dropped_if_the_queue_is_full() {
        let pending = PendingPrices::default();
        let many = (0..MAX_INSTRUMENTS + 3).map(|symbol| price(symbol, 1));
        assert_eq!(pending.add_and_count_dropped(many.collect()), 3);
        // A queued price can still be replaced.
        assert_eq!(pending.add_and_count_dropped(vec![price(0, 2)]), 0);
        assert_eq!(pending.wait_and_take_all().await.len(), MAX_INSTRUMENTS);
        assert_eq!(
            pending.add_and_count_dropped(vec![price(MAX_INSTRUMENTS, 1)]),
            0
        );
    }
}
