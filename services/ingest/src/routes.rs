//! Where the trades of one call go.

use bytes::Bytes;
use hashbrown::HashMap;
use market::{Instrument, Trade, VenueSettings};

/// The place of an instrument's trades.
pub(crate) struct Route {
    /// The key of its records.
    pub(crate) key: Bytes,
    /// The partition that the key names.
    pub(crate) partition: u32,
    /// The settings of its venue.
    pub(crate) settings: VenueSettings,
}

/// The instruments of one call, each once, in the order in which they first come.
pub(crate) struct Instruments<'a> {
    /// Each instrument once.
    pub(crate) distinct: Vec<&'a Instrument>,
    /// For each trade the place of its instrument in `distinct`.
    pub(crate) places: Vec<u32>,
}

impl<'a> Instruments<'a> {
    /// Looks through the trades; runs of one instrument cost no hashing.
    pub(crate) fn of(trades: &'a [(Instrument, Trade)]) -> Self {
        let mut found = Self {
            distinct: Vec::new(),
            places: Vec::with_capacity(trades.len()),
        };
        let mut by_instrument = HashMap::new();
        let mut last: Option<(&Instrument, u32)> = None;
        for (instrument, _) in trades {
            let place = match last {
                Some((same, place)) if same == instrument => place,
                _ => *by_instrument.entry(instrument).or_insert_with(|| {
                    found.distinct.push(instrument);
                    u32::try_from(found.distinct.len() - 1).expect("trades fit in memory")
                }),
            };
            last = Some((instrument, place));
            found.places.push(place);
        }
        found
    }
}

impl Route {
    /// The route of an instrument whose venue's settings are known.
    pub(crate) fn new(instrument: &Instrument, settings: VenueSettings, partitions: u32) -> Self {
        let key = instrument.key().as_bytes();
        Self {
            key: Bytes::copy_from_slice(key),
            partition: schemas::partition_of(key, partitions),
            settings,
        }
    }
}
