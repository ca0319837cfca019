//! The API of a process.

use std::sync::Arc;

use api::{ApiParts, ApiState, Hub};
use backend::Backend;
use host::{Health, MetricsHandle};
use ingest::{IngestProducer, VenueAndSymbolLimits};
use tokio_util::sync::CancellationToken;

use crate::process::VERSION;

/// The producer of trades over a [`Backend`].
pub(crate) type BackendProducer<B> =
    IngestProducer<<B as Backend>::Trades, <B as Backend>::Bars, <B as Backend>::Clock>;

/// Returns the producer that appends the trades of clients and feeds to the log.
pub(crate) fn new_producer<B: Backend>(
    trades: &B::Trades,
    bars: &B::Bars,
    clock: &B::Clock,
    limits: VenueAndSymbolLimits,
) -> Arc<BackendProducer<B>> {
    let producer = IngestProducer::new(trades.clone(), bars.clone(), clock.clone());
    Arc::new(producer.with_limits(limits))
}

/// What the API of a process serves.
pub(crate) struct ApiServices<B: Backend> {
    pub(crate) trades: B::Trades,
    /// The identity of the log, as `/api/v1/version` reports it.
    pub(crate) log_id: String,
    pub(crate) bars: B::Bars,
    pub(crate) ticks: B::Ticks,
    pub(crate) hot: B::Hot,
    pub(crate) clock: B::Clock,
    pub(crate) producer: Arc<BackendProducer<B>>,
    pub(crate) hub: Hub,
    pub(crate) health: Health,
    pub(crate) metrics: MetricsHandle,
    /// Cancelled when live connections are to be closed.
    pub(crate) draining: CancellationToken,
}

impl<B: Backend> ApiServices<B> {
    /// Builds the state of the handlers.
    pub(crate) fn into_api_state(self) -> ApiState<B> {
        let metrics = self.metrics;
        ApiState::new(ApiParts {
            log: self.trades,
            log_id: self.log_id,
            bars: self.bars,
            ticks: self.ticks,
            hot: self.hot,
            clock: self.clock,
            producer: self.producer,
            hub: self.hub,
            health: self.health,
            render_metrics: Arc::new(move || metrics.render()),
            version: VERSION,
            stop: self.draining,
        })
    }
}
