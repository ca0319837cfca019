//! The routes of the trades of one call.

use bytes::Bytes;
use hashbrown::HashMap;
use market::{Instrument, RejectReason, Trade, VenueSettings};

/// Where an instrument's trades are appended, and by which rules.
pub(crate) struct InstrumentRoute {
    /// The instrument, at the generation of its venue that is in use.
    pub(crate) instrument: Instrument,
    /// The key of the instrument's records.
    pub(crate) key: Bytes,
    /// The partition that the key names.
    pub(crate) partition: u32,
    /// The settings of the instrument's venue.
    pub(crate) settings: VenueSettings,
    /// Why no trade of the instrument may be appended.
    pub(crate) refusal: Option<RejectReason>,
}

/// The distinct instruments of one call, in the order of their first trades.
pub(crate) struct DistinctInstruments<'a> {
    /// Each instrument once.
    pub(crate) instruments: Vec<&'a Instrument>,
    /// For each trade the index of its instrument in `instruments`.
    pub(crate) indexes: Vec<u32>,
}

impl<'a> DistinctInstruments<'a> {
    /// Collects the instruments of trades. Consecutive trades of one instrument cost no hashing.
    pub(crate) fn from_trades(trades: &'a [(Instrument, Trade)]) -> Self {
        let mut distinct = Self {
            instruments: Vec::new(),
            indexes: Vec::with_capacity(trades.len()),
        };
        let mut by_instrument = HashMap::new();
        let mut last: Option<(&Instrument, u32)> = None;
        for (instrument, _) in trades {
            let index = match last {
                Some((same, index)) if same == instrument => index,
                _ => *by_instrument.entry(instrument).or_insert_with(|| {
                    distinct.instruments.push(instrument);
                    u32::try_from(distinct.instruments.len() - 1).expect("trades fit in memory")
                }),
            };
            last = Some((instrument, index));
            distinct.indexes.push(index);
        }
        distinct
    }
}

impl InstrumentRoute {
    /// Returns the route of an instrument whose venue has these settings.
    pub(crate) fn new(instrument: Instrument, settings: VenueSettings, partitions: u32) -> Self {
        let key = Bytes::copy_from_slice(instrument.key().as_bytes());
        Self {
            partition: schemas::partition_of(&key, partitions),
            instrument,
            key,
            settings,
            refusal: None,
        }
    }

    /// Makes the checks that the fold makes without its state, and whether the instrument is
    /// refused.
    ///
    /// # Errors
    /// Why the trade may not be appended.
    pub(crate) fn validate(&self, trade: &Trade, now_ns: i64) -> Result<(), RejectReason> {
        match self.refusal {
            Some(reason) => Err(reason),
            None => market::validate_trade_of_any_venue(trade, now_ns)
                .and_then(|()| self.settings.validate_trade(trade)),
        }
    }

    /// Refuses all trades of the instrument.
    pub(crate) fn refused(self, reason: RejectReason) -> Self {
        Self {
            refusal: Some(reason),
            ..self
        }
    }
}
