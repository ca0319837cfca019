//! What the handlers answer from.

use std::ops::Deref;
use std::sync::Arc;

use clock::Clock;
use eventlog::Log;
use host::Health;
use ingest::Producer;
use market::Instrument;
use store::{BarReader, TickStore};
use tokio_util::sync::CancellationToken;

use crate::submit::Intake;
use crate::{Hub, NewestPrices};

/// What the handlers answer from.
pub struct ApiParts<L, B, T, C> {
    /// The topic `trades`.
    pub log: L,
    /// The identity of the log, as `/api/v1/version` tells it.
    pub log_id: String,
    /// Bars and the state of the fold.
    pub bars: B,
    /// Ticks.
    pub ticks: T,
    /// Newest prices.
    pub hot: NewestPrices,
    /// The clock of timeouts and of what is forming now.
    pub clock: C,
    /// Sends trades and settings.
    pub producer: Arc<Producer<L, B, C>>,
    /// What the live stream knows of the newest bars.
    pub hub: Hub,
    /// The health of the process.
    pub health: Health,
    /// Writes the process's metrics in the Prometheus text format.
    pub render_metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// The version of the binary.
    pub version: &'static str,
    /// Cancelled when the process drains: live connections are then closed.
    pub stop: CancellationToken,
}

/// A cheap handle of [`ApiParts`].
pub struct ApiState<L, B, T, C>(Arc<Shared<L, B, T, C>>);

struct Shared<L, B, T, C> {
    parts: ApiParts<L, B, T, C>,
    intake: Intake,
}

impl<L, B, T, C> ApiState<L, B, T, C> {
    /// A state of these parts.
    #[must_use]
    pub fn new(parts: ApiParts<L, B, T, C>) -> Self {
        Self(Arc::new(Shared {
            parts,
            intake: Intake::new(),
        }))
    }

    /// Room for the bodies of trades.
    pub(crate) fn intake(&self) -> &Intake {
        &self.0.intake
    }
}

impl<L, B, T, C> Clone for ApiState<L, B, T, C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L, B, T, C> Deref for ApiState<L, B, T, C> {
    type Target = ApiParts<L, B, T, C>;

    fn deref(&self) -> &Self::Target {
        &self.0.parts
    }
}

impl<L: Log, B: BarReader, T: TickStore, C: Clock> ApiParts<L, B, T, C> {
    /// The partition that an instrument's records are in.
    pub(crate) fn partition_of(&self, instrument: &Instrument) -> u32 {
        schemas::partition_of(instrument.key().as_bytes(), self.log.partitions())
    }
}
