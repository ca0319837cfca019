//! What a worker tells others before it commits: bars that changed, and dead letters.

use std::time::Duration;

use bytes::Bytes;
use clock::Clock;
use eventlog::{Log, NewRecord};
use market::{BarRow, Interval, Position};
use store::{BarStore, HotStore, NewestPrice, TickStore};
use tokio_util::sync::CancellationToken;

use super::session::{Session, nanoseconds};
use crate::{Update, WorkerError};

/// So many bars of an instrument are told in one record at the most: far less than a record may
/// hold, however long their ids are.
const ROWS_A_RECORD: usize = 1_000;

impl<L, U, D, S, T, H, C> Session<'_, L, U, D, S, T, H, C>
where
    L: Log,
    U: Log,
    D: Log,
    S: BarStore,
    T: TickStore,
    H: HotStore,
    C: Clock,
{
    /// False where the worker is told to stop before what is due is acknowledged: what was
    /// taken from the core is then not to be committed.
    pub(super) async fn announce_if_due(
        &mut self,
        stop: &CancellationToken,
    ) -> Result<bool, WorkerError> {
        let now_ns = self.worker.stores.clock.monotonic_ns();
        if now_ns < self.next_tick_ns || !self.core.has_updates() {
            return Ok(true);
        }
        if !self.announce(stop).await? {
            return Ok(false);
        }
        let pace = &self.worker.pace;
        let after_ns = self.worker.stores.clock.monotonic_ns();
        let spent = Duration::from_nanos(after_ns - now_ns);
        self.tick = (spent * 10).clamp(pace.tick_least, pace.tick_most);
        self.next_tick_ns = now_ns + nanoseconds(self.tick);
        Ok(true)
    }

    /// Announces the bars that changed; false where the worker is told to stop before that is
    /// acknowledged.
    pub(super) async fn announce(&mut self, stop: &CancellationToken) -> Result<bool, WorkerError> {
        if !self.core.has_updates() {
            return Ok(true);
        }
        // Nobody is to be told what records of the next generation would give in this one.
        if !self.is_same_epoch(stop).await? {
            return Ok(false);
        }
        let updates = self.core.take_updates();
        if updates.is_empty() {
            return Ok(true);
        }
        let bars: usize = updates.iter().map(|update| update.rows.len()).sum();
        let prices = updates.iter().filter_map(newest_price).collect();
        let entries = updates.iter().flat_map(entries).collect();
        let topic = &self.worker.topics.updates;
        let Some(end) = self.worker.append_to(stop, topic, entries).await? else {
            return Ok(false);
        };
        self.worker.metrics.announced.increment(bars as u64);
        self.worker.stores.hot.queue_prices(prices);
        self.updates = Position {
            epoch: topic.epoch(),
            offset: end,
        };
        Ok(true)
    }

    /// Appends the dead letters; false where the worker is told to stop before that is
    /// acknowledged.
    pub(super) async fn bury(&mut self, stop: &CancellationToken) -> Result<bool, WorkerError> {
        let letters = self.core.take_dead_letters();
        if letters.is_empty() {
            return Ok(true);
        }
        let entries = letters.iter().map(|letter| NewRecord {
            key: letter.key.clone(),
            value: letter.encode().into(),
        });
        let topic = &self.worker.topics.dead_letters;
        let buried = self
            .worker
            .append_to(stop, topic, entries.collect())
            .await?;
        Ok(buried.is_some())
    }
}

/// The records that tell of an update.
fn entries(update: &Update) -> impl Iterator<Item = NewRecord> {
    let key = Bytes::copy_from_slice(update.instrument.key().as_bytes());
    let parts = update.rows.chunks(ROWS_A_RECORD);
    parts.map(move |rows: &[BarRow]| NewRecord {
        key: key.clone(),
        value: schemas::encode_bar_update(rows.iter()).into(),
    })
}

/// The close of the instrument's newest minute, where that has changed: a correction of an older
/// one is no newer price.
fn newest_price(update: &Update) -> Option<NewestPrice> {
    let newest = update.rows.iter().find(|row| {
        let window = row.window;
        window.interval == Interval::M1 && window.start_ns == update.newest_minute_ns
    })?;
    (newest.bar.trades > 0).then(|| NewestPrice {
        instrument: update.instrument.clone(),
        price: newest.bar.close.price,
        time_ns: newest.bar.close.time_ns,
        through: newest.through,
    })
}

#[cfg(test)]
mod tests {
    use market::{Bar, MINUTE_NS, Position, Trade, Window};

    use super::*;

    const NEWEST_NS: i64 = 1_700_000_040_000_000_000;

    /// Rows of so many minutes, the newest last.
    fn update(minutes: usize) -> Update {
        let row = |back: usize| {
            let start_ns = NEWEST_NS - i64::try_from(back).unwrap() * MINUTE_NS;
            let trade = Trade {
                time_ns: start_ns,
                price: "1.5".parse().unwrap(),
                quantity: None,
                side: None,
                id: None,
                scope: None,
                sender: None,
            };
            BarRow {
                window: Window {
                    interval: Interval::M1,
                    start_ns,
                },
                bar: Bar::from_trade(&trade, Position::default(), start_ns),
                closed: false,
                revision: 0,
                through: Position::default(),
            }
        };
        Update {
            instrument: "v:A".parse().unwrap(),
            rows: (0..minutes).rev().map(row).collect(),
            newest_minute_ns: NEWEST_NS,
        }
    }

    #[test]
    fn an_update_of_many_minutes_is_told_in_records_that_the_topic_takes() {
        let update = update(50_000);
        let told: Vec<NewRecord> = entries(&update).collect();
        assert_eq!(told.len(), 50);
        let mut rows = Vec::new();
        for entry in &told {
            assert_eq!(entry.key, "v:A");
            assert!(entry.value.len() < 1 << 20, "{} bytes", entry.value.len());
            rows.extend(schemas::decode_bar_update(&entry.value).unwrap());
        }
        assert_eq!(rows, update.rows);
    }

    #[test]
    fn a_correction_of_an_older_minute_is_no_newest_price() {
        let mut update = update(2);
        let newest = newest_price(&update).unwrap();
        assert_eq!(newest.time_ns, NEWEST_NS);
        update.rows.pop();
        assert_eq!(newest_price(&update), None);
    }
}
