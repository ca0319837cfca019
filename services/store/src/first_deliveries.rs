//! Finding the first delivery of trades that were delivered again.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use market::{Instrument, Position, Trade, TradeId, TradeIdentity, VenueSettings};

use crate::bar_store::BarReader;
use crate::current::{DuplicateTick, find_excluding_range};
use crate::error::StoreError;
use crate::offset_run::OffsetRun;
use crate::state::{ExcludedRange, TickVerdict};
use crate::tick_lookup::TickLookup;
use crate::tick_store::{Tick, TickStore};

/// The most runs of adjacent ticks for which excluded ranges are read at once.
const RUNS_PER_READ: usize = 20_000;

/// How many excluded deliveries of a trade, each in an excluded range of its own, are passed over
/// before the trade counts as one whose first delivery is gone.
const MAX_ROUNDS: usize = 16;

/// Finds the first deliveries of trades of one instrument that were delivered again.
#[derive(Debug)]
pub struct FirstDeliveryFinder<'a, R, T> {
    /// Holds the excluded ranges.
    pub bars: &'a R,
    /// Holds the ticks.
    pub ticks: &'a T,
    /// The instrument.
    pub instrument: &'a Instrument,
    /// The partition of `trades` that holds the instrument.
    pub partition: u32,
    /// The settings of the venue, which say what identifies a trade.
    pub settings: VenueSettings,
    /// The first position that is not folded.
    pub next: Position,
}

/// An owned [`TradeIdentity`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct IdentityKey {
    bucket_ns: Option<(i64, i64)>,
    scope: Option<Arc<str>>,
    sender_key: Option<[u8; 16]>,
    id: TradeId,
}

/// The first deliveries of some identities, as far as they were found.
type FirstDeliveries = HashMap<IdentityKey, Option<Tick>>;

impl<R: BarReader, T: TickStore> FirstDeliveryFinder<'_, R, T> {
    /// Returns each of the deliveries `later`, which the fold has excluded as duplicates, with the
    /// first delivery of the same trade. `counted` are ticks that were read already and that the
    /// fold has not excluded, amendments aside; what is not among them is looked up in the store.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub async fn find<'t>(
        &self,
        later: Vec<Tick>,
        counted: impl IntoIterator<Item = &'t Tick>,
    ) -> Result<Vec<DuplicateTick>, StoreError> {
        let mut firsts = FirstDeliveries::new();
        for tick in &later {
            if let Some(key) = self.identity_key(tick) {
                firsts.insert(key, None);
            }
        }
        if !firsts.is_empty() {
            for tick in counted {
                self.record_if_first(&mut firsts, tick);
            }
            self.look_up_missing(&mut firsts, &later).await?;
        }
        let with_first = |later: Tick| {
            let key = self.identity_key(&later);
            let first = key.and_then(|key| firsts.get(&key).cloned().flatten());
            DuplicateTick::new(first, later)
        };
        Ok(later.into_iter().map(with_first).collect())
    }

    /// Returns those of the deliveries `later` whose first delivery is not among `counted`, in
    /// their order, and the others with their first deliveries. Reads no store: what
    /// [`FirstDeliveryFinder::find`] would look up can be gathered, to be looked up at once.
    pub fn match_counted<'t>(
        &self,
        later: Vec<Tick>,
        counted: impl IntoIterator<Item = &'t Tick>,
    ) -> (Vec<Tick>, Vec<DuplicateTick>) {
        let keys = later.iter().filter_map(|tick| self.identity_key(tick));
        let mut firsts: FirstDeliveries = keys.map(|key| (key, None)).collect();
        for tick in counted {
            self.record_if_first(&mut firsts, tick);
        }
        let (mut missing, mut matched) = (Vec::new(), Vec::new());
        for later in later {
            let key = self.identity_key(&later);
            match key.map(|key| firsts.get(&key).cloned().flatten()) {
                Some(None) => missing.push(later),
                first => matched.push(DuplicateTick::new(first.flatten(), later)),
            }
        }
        (missing, matched)
    }

    /// Looks the trades up whose first delivery is not known yet. A delivery that the fold has
    /// excluded is not the first: the next one is looked for behind the range that excludes it.
    async fn look_up_missing(
        &self,
        firsts: &mut FirstDeliveries,
        later: &[Tick],
    ) -> Result<(), StoreError> {
        let mut missing: HashMap<IdentityKey, (Trade, Position)> = HashMap::new();
        for tick in later {
            if let Some(key) = self.identity_key(tick)
                && firsts.get(&key).is_some_and(Option::is_none)
            {
                missing.insert(key, (tick.trade.clone(), Position::default()));
            }
        }
        for _round in 0..MAX_ROUNDS {
            if missing.is_empty() {
                return Ok(());
            }
            let mut lookups: BTreeMap<(i64, i64), TickLookup> = BTreeMap::new();
            for (key, (trade, from)) in &missing {
                let range_ns = key.bucket_ns.unwrap_or((i64::MIN, i64::MAX));
                lookups.entry(range_ns).or_default().insert(trade, *from);
            }
            let mut excluded_firsts = HashMap::new();
            for ((start_ns, end_ns), lookup) in lookups {
                let found =
                    self.ticks
                        .read_first_matching(self.instrument, start_ns, end_ns, &lookup);
                let mut found = found.await?;
                found.retain(|tick| tick.position < self.next);
                let excluded = load_excluded_ranges(self.bars, self.partition, &found).await?;
                for tick in found {
                    match find_excluding_range(tick.position, &excluded) {
                        None => self.record_if_first(firsts, &tick),
                        // The delivery that counted was before this one, and is deleted.
                        Some(range)
                            if range.verdict == TickVerdict::Duplicate
                                && self
                                    .identity_key(&tick)
                                    .is_some_and(|key| key.bucket_ns.is_none()) => {}
                        Some(range) => {
                            let behind = Position {
                                epoch: range.epoch,
                                offset: range.end_offset,
                            };
                            let key = self.identity_key(&tick);
                            excluded_firsts.extend(key.map(|key| (key, (tick.trade, behind))));
                        }
                    }
                }
            }
            missing = excluded_firsts;
        }
        Ok(())
    }

    /// Keeps a delivery that counts if it is of one of the wanted trades, and the first of it.
    fn record_if_first(&self, firsts: &mut FirstDeliveries, tick: &Tick) {
        let key = self.identity_key(tick);
        let Some(first) = key.and_then(|key| firsts.get_mut(&key)) else {
            return;
        };
        if first
            .as_ref()
            .is_none_or(|first| tick.position < first.position)
        {
            *first = Some(tick.clone());
        }
    }

    /// Returns what identifies the trade of a tick; `None` if only its position does.
    fn identity_key(&self, tick: &Tick) -> Option<IdentityKey> {
        let identity = self.settings.trade_identity(&tick.trade)?;
        Some(IdentityKey::from_identity(&identity))
    }
}

impl IdentityKey {
    fn from_identity(identity: &TradeIdentity<'_>) -> Self {
        Self {
            bucket_ns: identity.bucket_ns,
            scope: identity.scope.cloned(),
            sender_key: identity.sender_key,
            id: identity.id.to_trade_id(),
        }
    }
}

/// Returns the excluded ranges that hold some ticks of one partition, in the order that
/// [`find_verdict`](crate::find_verdict) needs. The ticks must be in order of their positions.
///
/// # Errors
/// [`StoreError`] if the store cannot be read.
pub async fn load_excluded_ranges<R: BarReader>(
    bars: &R,
    partition: u32,
    ticks: &[Tick],
) -> Result<Vec<ExcludedRange>, StoreError> {
    let runs = OffsetRun::of_positions(ticks.iter().map(|tick| tick.position));
    let mut ranges: Vec<ExcludedRange> = Vec::new();
    for runs in runs.chunks(RUNS_PER_READ) {
        ranges.extend(bars.excluded_ranges_in(partition, runs).await?);
    }
    // A range that reaches from one read into the next is returned by both.
    ranges.dedup();
    Ok(ranges)
}
