//! The producing side: trades are checked, keyed, partitioned and appended to the log.
//!
//! [`Producer`] is what the API and the collectors send trades through. It declares venues,
//! refuses what the fold would refuse anyway, and answers only when the log holds the rest
//! durably; edits, cancels and repairs go the same way.

mod amend;
mod error;
mod metrics;
mod partitioned;
mod producer;
mod routes;
mod venues;

pub use error::IngestError;
pub use metrics::Metrics;
pub use producer::{Appended, Producer};
