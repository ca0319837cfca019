//! Writes every trade of the log to the tick store.
