//! A core that folds trades with unique ids, and its store.

use aggregator::{FoldCore, LoadRequest, LoadedData};
use anyhow::Context;
use bytes::Bytes;
use eventlog::Record;
use market::{
    Decimal, HOUR_NS, IdScheme, IdScope, Instrument, Position, SettingsChange, Trade, TradeId,
    VenueSettings,
};
use schemas::TradesTopicRecord;
use store::{BarReader, BarStore, CommitOutcome, IdSetKey, SqliteBarStore};

pub(super) const SYMBOLS: u64 = 1_000;

const START_NS: i64 = 1_700_000_000_000_000_000 / HOUR_NS * HOUR_NS;
/// The event time between two trades: 100,000 in a second.
const STEP_NS: i64 = 10_000;
/// The records that are applied at once.
const BATCH: u64 = 5_000;

/// A core that folds trades of random symbols in turn. Their ids ascend over all symbols, as those
/// of a venue do that numbers all its trades, so that those of one symbol have gaps.
pub(super) struct IdWorkload {
    core: FoldCore,
    stored: Position,
    keys: Vec<Bytes>,
    trade_count: u64,
    segment_load_count: u64,
}

impl IdWorkload {
    /// Continues after `trade_count` trades from what `store` holds.
    pub(super) async fn restore(store: &SqliteBarStore, trade_count: u64) -> anyhow::Result<Self> {
        let state = store.load_or_create_partition(0, 1).await?;
        let stored = state.progress.next_position();
        let keys = (0..SYMBOLS).map(|symbol| Bytes::from(instrument_key(symbol)));
        let mut workload = Self {
            core: FoldCore::new(state, 1),
            stored,
            keys: keys.collect(),
            trade_count,
            segment_load_count: 0,
        };
        if trade_count == 0 {
            workload.core.apply(&[setting_record()]);
        }
        Ok(workload)
    }

    pub(super) const fn limit_memory(&mut self, limit_bytes: usize) {
        self.core.set_id_memory_limit(limit_bytes);
    }

    /// Returns how many trades were folded.
    pub(super) const fn folded_trade_count(&self) -> u64 {
        self.trade_count
    }

    pub(super) const fn segment_load_count(&self) -> u64 {
        self.segment_load_count
    }

    pub(super) const fn id_memory_bytes(&self) -> usize {
        self.core.id_memory_bytes()
    }

    /// Folds trades, all of which count, and commits them.
    pub(super) async fn fold_and_commit(
        &mut self,
        store: &SqliteBarStore,
        count: u64,
    ) -> anyhow::Result<()> {
        let end = self.trade_count + count;
        let mut counted = 0;
        while self.trade_count < end {
            let batch = BATCH.min(end - self.trade_count);
            let records: Vec<_> = (0..batch)
                .map(|ahead| self.upcoming_record(ahead))
                .collect();
            let mut rest = records.as_slice();
            loop {
                rest = &rest[self.core.apply(rest)..];
                if rest.is_empty() {
                    break;
                }
                match self.core.waits_for_commit() {
                    true => {
                        self.commit(store).await?;
                        self.core.record_awaited_commit();
                    }
                    false => self.load_requested(store).await?,
                }
            }
            self.trade_count += batch;
            counted += self.core.take_counts().trades;
        }
        anyhow::ensure!(counted == count, "{counted} of {count} trades count");
        self.core.take_updates();
        self.commit(store).await
    }

    async fn commit(&mut self, store: &SqliteBarStore) -> anyhow::Result<()> {
        let transaction = self.core.flush(self.stored, Position::default());
        let outcome = store.commit(&transaction).await?;
        anyhow::ensure!(outcome == CommitOutcome::Committed, "{outcome:?}");
        self.stored = self.core.next_position();
        self.core.record_commit_and_evict_unused();
        Ok(())
    }

    async fn load_requested(&mut self, store: &SqliteBarStore) -> anyhow::Result<()> {
        let mut loaded = Vec::new();
        for request in self.core.load_requests().to_vec() {
            loaded.push(match request {
                LoadRequest::Bar(key) => {
                    let bars = store.bars(std::slice::from_ref(&key)).await?;
                    let bar = bars.into_iter().flatten().next();
                    LoadedData::Bar(key, bar.map(Box::new))
                }
                LoadRequest::IdSet(request) => {
                    let rows = store.id_sets(std::slice::from_ref(&request.key)).await?;
                    let row = rows.into_iter().next().context("a set was requested")?;
                    LoadedData::IdSet(request, row)
                }
                LoadRequest::IdSegment(request) => {
                    self.segment_load_count += 1;
                    let keys = std::slice::from_ref(&request.key);
                    let rows = store.id_segments(keys).await?;
                    let row = rows.into_iter().next().context("a segment was requested")?;
                    LoadedData::IdSegment(request.key, row)
                }
            });
        }
        self.core.accept_loaded(loaded);
        Ok(())
    }

    /// Returns the record of the trade that comes `trades_ahead` trades after the next one.
    fn upcoming_record(&self, trades_ahead: u64) -> Record {
        let number = self.trade_count + trades_ahead;
        let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
        let time_ns = START_NS + i64::try_from(number).expect("few trades") * STEP_NS;
        let price = 10_000 + i64::try_from(random % 5_000).expect("a small number");
        let trade = Trade {
            time_ns,
            price: Decimal::new(price, 2).expect("a price"),
            quantity: Some(Decimal::new(1, 0).expect("a quantity")),
            side: None,
            id: Some(TradeId::Number(1_000_000 + number)),
            scope: None,
            sender: None,
        };
        let mut value = Vec::new();
        TradesTopicRecord::encode_trade(&trade, &mut value);
        let symbol = usize::try_from(random % SYMBOLS).expect("an index");
        Record {
            offset: number + 1,
            append_time_ns: time_ns,
            key: self.keys[symbol].clone(),
            value: value.into(),
        }
    }
}

/// Returns the keys of the sets of ids that a store may hold.
pub(super) async fn possible_id_set_keys(store: &SqliteBarStore) -> anyhow::Result<Vec<IdSetKey>> {
    let state = store.load_or_create_partition(0, 1).await?;
    let hours = (state.progress.append_time_ns - START_NS) / HOUR_NS;
    let mut keys = Vec::new();
    for symbol in 0..SYMBOLS {
        let instrument: Instrument = instrument_key(symbol).parse()?;
        for hour in 0..=hours {
            keys.push(IdSetKey {
                instrument: instrument.clone(),
                scope: "".into(),
                bucket_ns: START_NS + hour * HOUR_NS,
            });
        }
    }
    Ok(keys)
}

fn instrument_key(symbol: u64) -> String {
    format!("bench:S{symbol}")
}

fn setting_record() -> Record {
    let settings = VenueSettings {
        scheme: IdScheme::Unique,
        scope: IdScope::Symbol,
        ..VenueSettings::default()
    };
    let venue = "bench".parse().expect("a venue");
    let mut value = Vec::new();
    TradesTopicRecord::Setting(venue, SettingsChange::of_all(&settings)).encode(&mut value);
    Record {
        offset: 0,
        append_time_ns: START_NS,
        key: Bytes::new(),
        value: value.into(),
    }
}
