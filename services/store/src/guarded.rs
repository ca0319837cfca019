//! Stores behind a timeout and a circuit breaker.
//!
//! [`GuardedStore`] implements the traits of the store inside it; a store of bars has a type
//! of its own, [`GuardedBarStore`]. A call that takes too long, or that returns a transient
//! error, counts as a failure. After several failures in a row, further calls fail at once for a
//! while, with an error that is transient too. The roles retry transient errors, so they need not
//! know about the guard.

mod bars;
mod calls;
mod hot;
#[cfg(test)]
mod tests;
mod ticks;

pub use bars::GuardedBarStore;
pub use calls::GuardedStore;
