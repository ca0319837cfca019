//! The JSON of the HTTP API and the messages of the live stream.
//!
//! The server writes these types and clients read them; `docs/api.md` and `docs/stream.md` show
//! them endpoint by endpoint. Prices, quantities and sums are exact decimals as text, times are
//! RFC 3339 UTC as text. A client ignores members that it does not know.

mod bars;
mod duplicates;
mod page;
mod problem;
mod stream;
mod symbols;
mod trades;
mod venues;
mod version;

pub use bars::{BarJson, PositionJson};
pub use duplicates::{DuplicateJson, DuplicatePageJson};
pub use page::PageJson;
pub use problem::ProblemJson;
pub use stream::{
    BarChangeJson, BarChangeKind, ChannelSubscriptionJson, StreamMessage, StreamRequest,
};
pub use symbols::{PriceJson, SymbolJson};
pub use trades::{
    AmendmentResponseJson, AppendedOffsetsJson, RejectedSubmissionProblemJson, RejectedTradeJson,
    RepairResponseJson, SubmissionResponseJson, TradeJson,
};
pub use venues::{IdGapJson, RetirementResponseJson, VenueSettingsJson, public_venue_name};
pub use version::VersionJson;
