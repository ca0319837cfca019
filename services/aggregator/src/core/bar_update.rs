//! Changed bars to announce.

use market::{BarRow, Instrument};

/// The bars of one instrument that changed, each complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstrumentBarUpdate {
    /// The instrument.
    pub instrument: Instrument,
    /// The bars: at least one, in order of intervals and starts.
    pub rows: Vec<BarRow>,
    /// The start of the instrument's newest minute, changed or not.
    pub newest_minute_ns: i64,
}
