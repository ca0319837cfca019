//! Finding the first delivery of trades that were delivered again.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use market::{Instrument, Position, TradeId, TradeIdentity, VenueSettings};

use crate::bar_store::BarReader;
use crate::current::{DuplicateTick, find_verdict};
use crate::error::StoreError;
use crate::state::ExcludedRange;
use crate::tick_lookup::TickLookup;
use crate::tick_store::{Tick, TickStore};

/// Ticks that are further apart are not covered by one read of excluded ranges.
const MAX_OFFSETS_BETWEEN: u64 = 1 << 20;

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
            let first = first.filter(|first| first.position < later.position);
            DuplicateTick { first, later }
        };
        Ok(later.into_iter().map(with_first).collect())
    }

    /// Reads those deliveries from the store whose first one is not known yet.
    async fn look_up_missing(
        &self,
        firsts: &mut FirstDeliveries,
        later: &[Tick],
    ) -> Result<(), StoreError> {
        let mut lookups: BTreeMap<(i64, i64), TickLookup> = BTreeMap::new();
        for tick in later {
            let Some(key) = self.identity_key(tick) else {
                continue;
            };
            if firsts.get(&key).is_some_and(Option::is_none) {
                let range_ns = key.bucket_ns.unwrap_or((i64::MIN, i64::MAX));
                lookups.entry(range_ns).or_default().insert(&tick.trade);
            }
        }
        for ((start_ns, end_ns), lookup) in lookups {
            let found = self
                .ticks
                .read_matching(self.instrument, start_ns, end_ns, &lookup);
            let found = found.await?;
            let excluded = load_excluded_ranges(self.bars, self.partition, &found).await?;
            for tick in &found {
                let is_counted = tick.amendment.is_none()
                    && tick.position < self.next
                    && find_verdict(tick.position, &excluded).is_none();
                if is_counted {
                    self.record_if_first(firsts, tick);
                }
            }
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

/// Returns the excluded ranges among ticks of one partition that are in order of their positions,
/// in the order that [`find_verdict`] needs.
///
/// # Errors
/// [`StoreError`] if the store cannot be read.
pub async fn load_excluded_ranges<R: BarReader>(
    bars: &R,
    partition: u32,
    ticks: &[Tick],
) -> Result<Vec<ExcludedRange>, StoreError> {
    let mut ranges: Vec<ExcludedRange> = Vec::new();
    let are_near = |left: &Tick, right: &Tick| {
        left.position.epoch == right.position.epoch
            && right.position.offset - left.position.offset <= MAX_OFFSETS_BETWEEN
    };
    for run in ticks.chunk_by(are_near) {
        let (first, last) = (run[0].position, run[run.len() - 1].position);
        let found = bars
            .excluded_ranges(partition, first.epoch, first.offset, last.offset + 1)
            .await?;
        ranges.extend(found);
    }
    // A range that spans two runs is read with each of them.
    ranges.dedup();
    Ok(ranges)
}
