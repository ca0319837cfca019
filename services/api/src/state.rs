//! What the handlers share.

use std::ops::Deref;
use std::sync::Arc;

use backend::Backend;
use eventlog::Log;
use host::Health;
use ingest::IngestProducer;
use market::Instrument;
use tokio_util::sync::CancellationToken;

use crate::body_budget::BodyBudget;
use crate::hub::Hub;
use crate::store_damage::StoreDamageReporter;

/// The components that the handlers use.
pub struct ApiParts<B: Backend> {
    /// The topic `trades`.
    pub log: B::Trades,
    /// The identity of the log, which `/api/v1/version` returns.
    pub log_id: String,
    /// The store of bars and of the fold's state.
    pub bars: B::Bars,
    /// The store of ticks.
    pub ticks: B::Ticks,
    /// The store of the newest prices.
    pub hot: B::Hot,
    /// The clock of timeouts and of the current window.
    pub clock: B::Clock,
    /// Appends trades, amendments, repairs and settings to the log.
    pub producer: Arc<IngestProducer<B::Trades, B::Bars, B::Clock>>,
    /// The newest bars, and the subscribers of the live stream.
    pub hub: Hub,
    /// The health of the process.
    pub health: Health,
    /// Returns the metrics of the process in the Prometheus text format.
    pub render_metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// The version of the binary.
    pub version: &'static str,
    /// Cancelled when the process drains: live connections are closed then.
    pub stop: CancellationToken,
}

/// A handle of [`ApiParts`] that is cheap to clone.
pub struct ApiState<B: Backend>(Arc<SharedApiState<B>>);

struct SharedApiState<B: Backend> {
    parts: ApiParts<B>,
    body_budget: BodyBudget,
    store_damage: StoreDamageReporter,
}

impl<B: Backend> ApiState<B> {
    /// Returns the state of these parts.
    #[must_use]
    pub fn new(parts: ApiParts<B>) -> Self {
        Self(Arc::new(SharedApiState {
            store_damage: StoreDamageReporter::new(parts.health.clone()),
            parts,
            body_budget: BodyBudget::new(),
        }))
    }

    /// Returns what reports the damage of stores that requests find.
    pub(crate) fn store_damage(&self) -> &StoreDamageReporter {
        &self.0.store_damage
    }

    /// Returns the memory budget of request bodies.
    pub(crate) fn body_budget(&self) -> &BodyBudget {
        &self.0.body_budget
    }
}

impl<B: Backend> Clone for ApiState<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B: Backend> Deref for ApiState<B> {
    type Target = ApiParts<B>;

    fn deref(&self) -> &Self::Target {
        &self.0.parts
    }
}

impl<B: Backend> ApiParts<B> {
    /// Returns the partition that holds an instrument's records.
    pub(crate) fn partition_of(&self, instrument: &Instrument) -> u32 {
        schemas::partition_of(instrument.key().as_bytes(), self.log.partition_count())
    }
}
