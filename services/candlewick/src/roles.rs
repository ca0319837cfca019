//! How each role is built, over any backend.
//!
//! `standalone` and the processes of a cluster both build their workers, archivers, followers and
//! API here. They differ in the [`Backend`](backend::Backend): which log, stores and clock.

mod aggregator;
mod api;
mod archiver;
mod follower;
mod retention;
mod venue_and_symbol_limits;

pub(crate) use self::aggregator::WorkerFactory;
pub(crate) use self::api::{ApiServices, BackendProducer, new_producer};
pub(crate) use self::archiver::ArchiverFactory;
pub(crate) use self::follower::FollowerFactory;
pub(crate) use self::retention::RetentionTask;
pub(crate) use self::venue_and_symbol_limits::VenueAndSymbolLimitArgs;
