//! The backend of a simulated cluster.

use backend::Backend;
use store::MemoryNewestPriceStore;

use crate::bar_store::SimBarStore;
use crate::clock::SimClock;
use crate::log::SimLog;
use crate::tick_store::SimTickStore;

/// The simulated log, stores and clock.
pub struct SimBackend;

impl Backend for SimBackend {
    type Trades = SimLog;
    type Updates = SimLog;
    type DeadLetters = SimLog;
    type Bars = SimBarStore;
    type Ticks = SimTickStore;
    type Hot = MemoryNewestPriceStore;
    type Clock = SimClock;
}
