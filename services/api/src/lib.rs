//! REST and the live stream: history, the forming bars, and appending trades.
//!
//! [`router`] serves every request from the stores, the hub and the producer that [`ApiState`]
//! holds. It keeps no state of its own, so any number of pods may run. `docs/api.md` describes each
//! endpoint.

mod amend;
mod bars;
mod body;
mod body_budget;
mod cursor;
mod deferred_router;
mod duplicates;
mod follower;
mod headers;
mod hub;
mod json_response;
mod metrics;
mod object_body;
mod operations;
mod params;
mod problem;
mod raw_object;
mod repairs;
mod router;
mod serve;
mod settings_json;
mod state;
mod store_damage;
mod stream;
mod submit;
mod symbols;
mod trades;
mod venue_name;
mod venues;

pub use deferred_router::{DeferredRouter, starting_router};
pub use follower::{BarUpdatesFollower, FollowError};
pub use hub::{
    ChangesUnknown, ChannelName, ChannelNameError, ConnectionChangedChannels, EncodedMessage, Hub,
    HubLimits, StreamEncoding, Subscription,
};
pub use metrics::HttpMetrics;
pub use operations::ProbesAndMetrics;
pub use problem::{ErrorCode, Problem};
pub use router::{probes_and_metrics_router, router};
pub use serve::serve;
pub use state::{ApiParts, ApiState};
