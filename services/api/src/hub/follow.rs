//! Feeds the hub with one partition of `bar-updates`.

use std::time::Duration;

use eventlog::{Log, LogError};
use host::{Clock, HealthComponent};
use market::Instrument;
use store::{BarReader, Progress};
use tokio_util::sync::CancellationToken;

use super::Hub;

/// How often the pod asks what is in the store, in nanoseconds.
const ASK_EVERY: Duration = Duration::from_secs(1);
const FETCH_BYTES: usize = 256 * 1024;
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// Why a follower stops: no retry can help.
#[derive(Debug, thiserror::Error)]
#[error("following bar-updates of partition {partition}: {source}")]
pub struct FollowError {
    partition: u32,
    source: LogError,
}

/// Feeds the hub with one partition of `bar-updates`.
#[derive(Debug)]
pub struct Follower<U, B, C> {
    /// Which partition.
    pub partition: u32,
    /// The topic `bar-updates`.
    pub updates: U,
    /// Where the progress rows are.
    pub bars: B,
    /// The time.
    pub clock: C,
    /// What is fed.
    pub hub: Hub,
    /// Where it says whether the forming bars are known.
    pub health: HealthComponent,
}

impl<U: Log, B: BarReader, C: Clock> Follower<U, B, C> {
    /// Follows until it is told to stop.
    ///
    /// # Errors
    /// [`FollowError`], where no retry can help.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), FollowError> {
        let mut next = self.start().await?;
        let known_at = self.updates.bounds(self.partition).await;
        let known_at = known_at.map_err(|source| self.failed(source))?.end;
        let mut ask_ns = 0;
        loop {
            if next >= known_at {
                self.hub.set_ready(self.partition);
                self.health.ready();
            }
            if self.clock.monotonic_ns() >= ask_ns {
                self.ask_durable().await;
                let every_ns = u64::try_from(ASK_EVERY.as_nanos()).unwrap_or(u64::MAX);
                ask_ns = self.clock.monotonic_ns() + every_ns;
            }
            let left_ns = ask_ns.saturating_sub(self.clock.monotonic_ns());
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                ready = self.updates.wait(self.partition, next) => match ready {
                    Ok(()) => next = self.take(next).await?,
                    Err(LogError::Closed) => return Ok(()),
                    Err(source) => return Err(self.failed(source)),
                },
                () = self.clock.sleep(Duration::from_nanos(left_ns)) => {}
            }
        }
    }

    /// Where to read on: where the progress row says, or from the beginning where that is of
    /// another epoch or no longer kept.
    async fn start(&self) -> Result<u64, FollowError> {
        let row = loop {
            match host::timeout(&self.clock, CALL_TIMEOUT, self.progress()).await {
                Ok(Some(row)) => break row,
                Ok(None) | Err(_) => self.clock.sleep(RETRY_AFTER).await,
            }
        };
        let bounds = self.updates.bounds(self.partition).await;
        let bounds = bounds.map_err(|source| self.failed(source))?;
        let of_this = row.filter(|row| row.updates.epoch == self.updates.epoch());
        let next = of_this.map_or(bounds.first, |row| {
            row.updates.offset.clamp(bounds.first, bounds.end)
        });
        self.hub.restart(self.partition, next);
        Ok(next)
    }

    /// The progress row, where the store answers: there may be none yet.
    async fn progress(&self) -> Option<Option<Progress>> {
        let rows = self.bars.progress().await.ok()?;
        let row = rows.into_iter().find(|row| row.partition == self.partition);
        Some(row)
    }

    async fn ask_durable(&self) {
        if let Ok(Some(Some(row))) = host::timeout(&self.clock, CALL_TIMEOUT, self.progress()).await
        {
            let durable = market::Position {
                epoch: row.epoch,
                offset: row.next_offset,
            };
            self.hub.set_durable(self.partition, durable);
        }
    }

    async fn take(&self, next: u64) -> Result<u64, FollowError> {
        let fetch = self.updates.fetch(self.partition, next, FETCH_BYTES);
        let batch = match host::timeout(&self.clock, CALL_TIMEOUT, fetch).await {
            Ok(Ok(batch)) => batch,
            Ok(Err(LogError::OutOfRange { first, .. })) => {
                tracing::warn!(
                    partition = self.partition,
                    "fell behind what bar-updates keeps"
                );
                self.hub.restart(self.partition, first);
                return Ok(first);
            }
            Ok(Err(_)) | Err(_) => {
                self.clock.sleep(RETRY_AFTER).await;
                return Ok(next);
            }
        };
        for record in &batch.records {
            let text = std::str::from_utf8(&record.key).ok();
            let instrument = text.and_then(|text| text.parse::<Instrument>().ok());
            match (instrument, schemas::decode_bar_update(&record.value)) {
                (Some(instrument), Ok(rows)) => {
                    self.hub
                        .apply(self.partition, record.offset, &instrument, rows);
                }
                _ => tracing::warn!(
                    partition = self.partition,
                    offset = record.offset,
                    "a record of bar-updates does not decode"
                ),
            }
        }
        Ok(batch.next_offset)
    }

    const fn failed(&self, source: LogError) -> FollowError {
        FollowError {
            partition: self.partition,
            source,
        }
    }
}
