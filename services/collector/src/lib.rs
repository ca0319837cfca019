//! Feeds that produce trades.
