//! What a role runs over: the log, the stores and the clock, named as one type.
//!
//! A role is generic over one [`Backend`] instead of over each log and store. There are three:
//! the embedded one of `standalone`, the one of a cluster, and the simulated one.

use clock::Clock;
use eventlog::Log;
use store::{BarStore, NewestPriceStore, TickStore};

/// The types of the log, the stores and the clock that belong together.
///
/// The implementing type is only a name; it is never constructed by a role.
pub trait Backend: Send + Sync + 'static {
    /// The topic `trades`.
    type Trades: Log;
    /// The topic `bar-updates`.
    type Updates: Log;
    /// The topic `dead-letters`.
    type DeadLetters: Log;
    /// The store of bars and of the fold's state.
    type Bars: BarStore;
    /// The store of ticks.
    type Ticks: TickStore;
    /// The store of the newest prices.
    type Hot: NewestPriceStore;
    /// The clock.
    type Clock: Clock;
}
