//! REST and the live stream: history, what is forming now, and the taking in of trades.
//!
//! [`router`] answers every request from the stores, the hub and the producer that
//! [`ApiState`] holds; it keeps nothing of its own, so any number of pods may run.
//! `docs/api.md` describes each endpoint.

mod amend;
mod bars;
mod cursor;
mod hot;
mod hub;
mod json_response;
mod metrics;
mod operations;
mod params;
mod problem;
mod raw_object;
mod repairs;
mod router;
mod serve;
mod settings_json;
mod starting;
mod state;
mod stream;
mod submit;
mod symbols;
mod trades;
mod venues;

pub use hot::NewestPrices;
pub use hub::{
    ChannelName, ChannelNameError, Encoding, FollowError, Follower, Gap, Hub, HubLimits, Mailbox,
    Message, Subscription,
};
pub use metrics::Metrics;
pub use operations::Operations;
pub use problem::{ErrorCode, Problem};
pub use router::{operations_router, router};
pub use serve::serve;
pub use starting::{DeferredRouter, starting_router};
pub use state::{ApiParts, ApiState};
