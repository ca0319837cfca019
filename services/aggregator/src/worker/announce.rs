//! What a worker appends before it commits: changed bars and dead letters.

use backend::Backend;
use bytes::Bytes;
use eventlog::{Log, NewRecord};
use futures_util::future::join_all;
use market::{BarRow, DeclaredSettings, Interval, Position, Venue};
use schemas::TradesTopicRecord;
use store::{NewestPrice, NewestPriceStore};
use tokio_util::sync::CancellationToken;

use super::own_records::new_record;
use super::role::PartitionWorker;
use crate::core::{FoldCore, InstrumentBarUpdate};
use crate::error::WorkerError;

/// How many bars of an instrument one record holds at most: far fewer than the size limit of a
/// record allows, however long their ids are.
const MAX_ROWS_PER_RECORD: usize = 1_000;

/// Appends changed bars to `bar-updates`, and knows where the next of them will lie.
pub(super) struct Announcer {
    /// A position in `bar-updates` that the next update does not lie before.
    earliest_next_update_position: Position,
}

impl Announcer {
    pub(super) const fn new(earliest_next_update_position: Position) -> Self {
        Self {
            earliest_next_update_position,
        }
    }

    /// Returns a position in `bar-updates` that the next update does not lie before.
    pub(super) const fn earliest_next_update_position(&self) -> Position {
        self.earliest_next_update_position
    }

    /// Copies changed settings to the other partitions, and announces them and the bars that
    /// changed. Returns `false` if the worker is stopped before they are
    /// acknowledged; what was taken from the core must then not be committed.
    pub(super) async fn announce_changed_bars_unless_stopped<B: Backend>(
        &mut self,
        worker: &PartitionWorker<B>,
        core: &mut FoldCore,
        stop: &CancellationToken,
    ) -> Result<bool, WorkerError> {
        if !core.may_have_announcements() {
            return Ok(true);
        }
        // Records of the next generation must not be announced as if they were of this one.
        if !worker.check_epoch_unless_stopped(stop).await? {
            return Ok(false);
        }
        let settings = core.take_settings_to_copy();
        let updates = core.take_updates();
        if settings.is_empty() && updates.is_empty() {
            return Ok(true);
        }
        if !copy_settings_unless_stopped(worker, &settings, stop).await? {
            return Ok(false);
        }
        let bars: usize = updates.iter().map(|update| update.rows.len()).sum();
        let prices = updates.iter().filter_map(newest_price).collect();
        let settings = settings.iter().map(|(venue, declared)| NewRecord {
            key: Bytes::new(),
            value: schemas::encode_settings_announcement(venue, declared).into(),
        });
        let records = settings.chain(updates.iter().flat_map(records_of_update));
        let records: Vec<NewRecord> = records.collect();
        let topic = &worker.topics.updates;
        let Some(end) = worker
            .append_all_unless_stopped(stop, topic, &records)
            .await?
        else {
            return Ok(false);
        };
        worker.metrics.announced.increment(bars as u64);
        worker.stores.hot.queue_prices(prices);
        self.earliest_next_update_position = Position {
            epoch: topic.epoch(),
            offset: end,
        };
        Ok(true)
    }
}

/// Appends copies of changed settings to every other partition of `trades`. Returns `false` if the
/// worker is stopped before they are acknowledged.
async fn copy_settings_unless_stopped<B: Backend>(
    worker: &PartitionWorker<B>,
    settings: &[(Venue, DeclaredSettings)],
    stop: &CancellationToken,
) -> Result<bool, WorkerError> {
    if settings.is_empty() {
        return Ok(true);
    }
    let records = settings.iter().map(|(venue, declared)| {
        let copy = TradesTopicRecord::SettingCopy(venue.clone(), *declared);
        new_record(Bytes::new(), &copy)
    });
    let records: Vec<NewRecord> = records.collect();
    let trades = &worker.topics.trades;
    let others = (0..trades.partition_count()).filter(|partition| *partition != worker.partition);
    // The appends run at the same time, so a partition that is not available delays no other one.
    let copies = others.map(|partition| {
        worker.append_to_partition_unless_stopped(stop, trades, partition, &records)
    });
    for copied in join_all(copies).await {
        if copied?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Appends the dead letters. Returns `false` if the worker is stopped before they are
/// acknowledged; what was taken from the core must then not be committed.
pub(super) async fn append_dead_letters_unless_stopped<B: Backend>(
    worker: &PartitionWorker<B>,
    core: &mut FoldCore,
    stop: &CancellationToken,
) -> Result<bool, WorkerError> {
    let dead_letters = core.take_dead_letters();
    if dead_letters.is_empty() {
        return Ok(true);
    }
    let records = dead_letters.iter().map(|dead_letter| NewRecord {
        key: dead_letter.key.clone(),
        value: dead_letter.encode().into(),
    });
    let records: Vec<NewRecord> = records.collect();
    let topic = &worker.topics.dead_letters;
    let appended = worker
        .append_all_unless_stopped(stop, topic, &records)
        .await?;
    Ok(appended.is_some())
}

/// Returns the records that announce an update.
fn records_of_update(update: &InstrumentBarUpdate) -> impl Iterator<Item = NewRecord> {
    let key = Bytes::copy_from_slice(update.instrument.key().as_bytes());
    let parts = update.rows.chunks(MAX_ROWS_PER_RECORD);
    parts.map(move |rows: &[BarRow]| NewRecord {
        key: key.clone(),
        value: schemas::encode_bar_update(rows.iter()).into(),
    })
}

/// Returns the close of the instrument's newest minute if it has changed: a correction of an
/// older minute is not a newer price. It is without a price if every trade of the minute was
/// cancelled.
fn newest_price(update: &InstrumentBarUpdate) -> Option<NewestPrice> {
    let newest = update.rows.iter().find(|row| {
        let window = row.window;
        window.interval == Interval::M1 && window.start_ns == update.newest_minute_ns
    })?;
    Some(NewestPrice {
        instrument: update.instrument.clone(),
        price: (newest.bar.trades > 0).then_some(newest.bar.close.price),
        time_ns: newest.bar.close.time_ns,
        through: newest.through,
    })
}

#[cfg(test)]
mod tests {
    use market::{Bar, MINUTE_NS, Trade, Window};

    use super::*;

    const NEWEST_NS: i64 = 1_700_000_040_000_000_000;

    /// Returns an update with rows of `minutes` consecutive minutes, the newest last.
    fn update_with_minutes(minutes: usize) -> InstrumentBarUpdate {
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
                provable: true,
                through: Position::default(),
            }
        };
        InstrumentBarUpdate {
            instrument: "v:A".parse().unwrap(),
            rows: (0..minutes).rev().map(row).collect(),
            newest_minute_ns: NEWEST_NS,
        }
    }

    #[test]
    fn an_update_of_many_minutes_is_split_into_records_that_the_topic_accepts() {
        let update = update_with_minutes(50_000);
        let records: Vec<NewRecord> = records_of_update(&update).collect();
        assert_eq!(records.len(), 50);
        let mut rows = Vec::new();
        for record in &records {
            assert_eq!(record.key, "v:A");
            assert!(record.value.len() < 1 << 20, "{} bytes", record.value.len());
            rows.extend(schemas::decode_bar_update(&record.value).unwrap());
        }
        assert_eq!(rows, update.rows);
    }

    #[test]
    fn a_correction_of_an_older_minute_is_no_newest_price() {
        let mut update = update_with_minutes(2);
        let newest = newest_price(&update).unwrap();
        assert_eq!(newest.time_ns, NEWEST_NS);
        update.rows.pop();
        assert_eq!(newest_price(&update), None);
    }
}
