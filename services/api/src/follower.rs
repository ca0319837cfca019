//! Feeds the hub with one partition of `bar-updates`.

mod error;

use std::fmt::Display;
use std::pin::pin;
use std::time::Duration;

use backend::Backend;
use clock::{Clock, RetryPolicy, RetryTimer, retry_until_stopped};
use eventlog::{Log, LogError, OffsetBounds};
use host::HealthComponent;
use ingest::KnownSettings;
use market::{Instrument, Position};
use schemas::{BarUpdatesTopicRecord, SETTINGS_PARTITION};
use store::{BarReader, EpochEnds, PartitionProgress};
use tokio_util::sync::CancellationToken;

pub use self::error::FollowError;

use crate::hub::Hub;

/// How often the follower reads the partition's progress and checks the topic's epoch.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
const FETCH_BYTES: usize = 256 * 1024;
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// The upper bound of the first backoff, and of all backoffs.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(5);

/// Reads one partition of `bar-updates` and applies its records to the hub.
pub struct BarUpdatesFollower<B: Backend> {
    /// The partition.
    pub partition: u32,
    /// The topic `bar-updates`.
    pub updates: B::Updates,
    /// The store that holds the partition's progress.
    pub bars: B::Bars,
    /// The clock.
    pub clock: B::Clock,
    /// The hub that is fed.
    pub hub: Hub,
    /// The settings of venues, to which those that are announced are added.
    pub settings: KnownSettings,
    /// Reports whether the forming bars are known.
    pub health: HealthComponent,
}

/// How far a follower has read.
#[derive(Debug)]
struct FollowProgress {
    /// The offset of the next update to read.
    next_offset: u64,
    /// The forming bars are known once the updates before this offset are read.
    ready_at: u64,
    /// Updates before this offset were missed and may not be in the store yet.
    missed_before: Option<u64>,
}

/// A partition's progress row, and where its earlier epochs ended if the hub does not know that
/// yet.
struct LoadedProgress {
    row: PartitionProgress,
    ends: Option<EpochEnds>,
}

/// The store did not return the partition's progress.
struct ProgressUnavailable;

impl<B: Backend> BarUpdatesFollower<B> {
    /// Follows the partition until `stop` is cancelled.
    ///
    /// # Errors
    /// [`FollowError`] if no retry can help.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), FollowError> {
        let Some(mut state) = self.load_start_and_restart_hub(&stop).await? else {
            return Ok(());
        };
        let mut retry_timer = RetryTimer::new(self.retry_policy());
        // Neither check delays the reading: live bars continue while a store is unavailable.
        let mut epoch_check = pin!(self.fail_if_topic_recreated_after(Duration::ZERO));
        let mut progress = pin!(self.load_progress_after(Duration::ZERO));
        loop {
            let FollowProgress {
                next_offset,
                ready_at,
                ..
            } = state;
            if self
                .updates
                .is_read_to(self.partition, next_offset, ready_at)
                && state.missed_before.is_none()
            {
                self.hub.mark_partition_ready(self.partition);
                self.health.ready();
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                checked = &mut epoch_check => {
                    checked?;
                    epoch_check.set(self.fail_if_topic_recreated_after(CHECK_INTERVAL));
                }
                row = &mut progress => {
                    if let Some(loaded) = row {
                        self.apply_progress_to_hub(&mut state, &loaded);
                    }
                    progress.set(self.load_progress_after(CHECK_INTERVAL));
                }
                ready = self.wait_until_readable(state.next_offset, &retry_timer) => match ready {
                    Ok(()) => self.read_and_apply_updates(&mut state, &mut retry_timer).await?,
                    Err(LogError::Closed) => return Ok(()),
                    Err(LogError::OutOfRange { first, .. }) => {
                        self.skip_expired_updates(&mut state, first);
                    }
                    Err(error) if error.is_transient() => {
                        self.record_failure(&mut retry_timer, &error);
                    }
                    Err(source) => return Err(self.follow_error(source)),
                },
            }
        }
    }

    /// Requires that settings are read again, if this partition announces them.
    fn require_reads_if_settings_partition(&self) {
        if self.partition == SETTINGS_PARTITION {
            self.settings.require_reads();
        }
    }

    /// Waits until the next attempt is due after a failure, and then for the next update.
    async fn wait_until_readable(
        &self,
        next_offset: u64,
        retry_timer: &RetryTimer,
    ) -> Result<(), LogError> {
        retry_timer.wait_until_due(&self.clock).await;
        self.updates
            .wait_for_record(self.partition, next_offset)
            .await
    }

    /// Determines where to start reading: at the offset of the progress row, or at the first offset
    /// that the topic holds if the row is of another epoch or its offset is no longer kept.
    ///
    /// Returns `None` if `stop` is cancelled first.
    async fn load_start_and_restart_hub(
        &self,
        stop: &CancellationToken,
    ) -> Result<Option<FollowProgress>, FollowError> {
        let Some(loaded) = self.load_progress_with_retries(stop).await else {
            return Ok(None);
        };
        let row = loaded.map(|loaded| {
            self.set_epoch_ends(&loaded);
            loaded.row
        });
        let Some(bounds) = self.load_partition_bounds(stop).await? else {
            return Ok(None);
        };
        let row = row.filter(|row| row.updates_position.epoch == self.updates.epoch());
        let stored_offset = row.map_or(0, |row| row.updates_position.offset);
        let next_offset = stored_offset.clamp(bounds.first, bounds.end);
        self.hub
            .clear_partition_and_restart_at(self.partition, next_offset);
        // Those that were announced before are in the store.
        self.require_reads_if_settings_partition();
        let state = FollowProgress {
            next_offset,
            ready_at: bounds.end,
            missed_before: (stored_offset < bounds.first).then_some(bounds.first),
        };
        // Before anything is read: the offset may be one of another topic of the same name.
        let checked = stop.run_until_cancelled(self.fail_if_topic_recreated_after(Duration::ZERO));
        let checked = checked.await.transpose()?;
        Ok(checked.map(|()| state))
    }

    /// Loads the progress row, which may not exist yet; retries until the store returns it. Returns
    /// `None` if `stop` is cancelled first.
    async fn load_progress_with_retries(
        &self,
        stop: &CancellationToken,
    ) -> Option<Option<LoadedProgress>> {
        let policy = self.retry_policy();
        let should_retry = |_: &ProgressUnavailable| true;
        let load = || self.load_progress();
        let row = retry_until_stopped(&self.clock, &policy, stop, should_retry, load).await;
        row.ok().flatten()
    }

    /// Loads the bounds of the partition; retries while the log is unavailable. Returns `None` if
    /// `stop` is cancelled first or the log is closed.
    async fn load_partition_bounds(
        &self,
        stop: &CancellationToken,
    ) -> Result<Option<OffsetBounds>, FollowError> {
        let policy = self.retry_policy();
        let should_retry = |error: &LogError| {
            let should_retry = *error != LogError::Closed && error.is_transient();
            if should_retry {
                self.health.not_ready(error.to_string());
            }
            should_retry
        };
        let load = || self.updates.bounds(self.partition);
        match retry_until_stopped(&self.clock, &policy, stop, should_retry, load).await {
            Ok(bounds) => Ok(bounds),
            Err(LogError::Closed) => Ok(None),
            Err(source) => Err(self.follow_error(source)),
        }
    }

    /// Loads the progress row, which may not exist yet, and then the ends of earlier epochs if the
    /// row is of another epoch than those that the hub knows.
    async fn load_progress(&self) -> Result<Option<LoadedProgress>, ProgressUnavailable> {
        let rows = self.bars.all_partition_progress();
        let rows = clock::timeout(&self.clock, CALL_TIMEOUT, rows).await;
        let rows = rows.map_err(|_| ProgressUnavailable)?;
        let mut rows = rows.map_err(|_| ProgressUnavailable)?.into_iter();
        let Some(row) = rows.find(|row| row.partition == self.partition) else {
            return Ok(None);
        };
        if self.hub.epoch_of_known_ends(self.partition) == Some(row.epoch) {
            return Ok(Some(LoadedProgress { row, ends: None }));
        }
        let ends = self.bars.epoch_ends(self.partition);
        let ends = clock::timeout(&self.clock, CALL_TIMEOUT, ends).await;
        let ends = ends.map_err(|_| ProgressUnavailable)?;
        let ends = Some(ends.map_err(|_| ProgressUnavailable)?);
        Ok(Some(LoadedProgress { row, ends }))
    }

    fn set_epoch_ends(&self, loaded: &LoadedProgress) {
        if let Some(ends) = &loaded.ends {
            let epoch = loaded.row.epoch;
            self.hub.set_epoch_ends(self.partition, epoch, ends);
            if self.partition == SETTINGS_PARTITION {
                self.settings.set_epoch_ends(ends);
            }
        }
    }

    /// Loads the progress row after a delay; `None` if it does not exist or the store does not
    /// return it.
    async fn load_progress_after(&self, delay: Duration) -> Option<LoadedProgress> {
        self.clock.sleep(delay).await;
        self.load_progress().await.ok().flatten()
    }

    /// Sets the hub's durable position. Missed updates are in the store once the partition's owner
    /// has committed after it announced them; after that commit no bar is unknown.
    fn apply_progress_to_hub(&self, state: &mut FollowProgress, loaded: &LoadedProgress) {
        // Before the durable position: by that, a state that was never stored would count as
        // stored.
        self.set_epoch_ends(loaded);
        let row = &loaded.row;
        let durable = Position {
            epoch: row.epoch,
            offset: row.next_offset,
        };
        self.hub.set_durable_position(self.partition, durable);
        let is_same_epoch = row.updates_position.epoch == self.updates.epoch();
        let stored_offset = is_same_epoch.then_some(row.updates_position.offset);
        if state
            .missed_before
            .is_some_and(|offset| stored_offset >= Some(offset))
        {
            state.missed_before = None;
            self.require_reads_if_settings_partition();
            self.hub.require_snapshots(self.partition);
        }
    }

    /// Reads the next updates and applies them to the hub.
    async fn read_and_apply_updates(
        &self,
        state: &mut FollowProgress,
        retry_timer: &mut RetryTimer,
    ) -> Result<(), FollowError> {
        let fetch = self
            .updates
            .fetch(self.partition, state.next_offset, FETCH_BYTES);
        let batch = match clock::timeout(&self.clock, CALL_TIMEOUT, fetch).await {
            Ok(Ok(batch)) => batch,
            Ok(Err(LogError::OutOfRange { first, .. })) => {
                self.skip_expired_updates(state, first);
                return Ok(());
            }
            Ok(Err(source)) if !source.is_transient() && source != LogError::Closed => {
                return Err(self.follow_error(source));
            }
            Ok(Err(error)) => {
                self.record_failure(retry_timer, &error);
                return Ok(());
            }
            Err(elapsed) => {
                self.record_failure(retry_timer, &elapsed);
                return Ok(());
            }
        };
        retry_timer.record_success();
        state.next_offset = batch.next_offset;
        for record in batch.records {
            let key = std::str::from_utf8(&record.key).ok();
            let instrument = key.and_then(|key| key.parse::<Instrument>().ok());
            match (
                instrument,
                schemas::decode_bar_updates_record(&record.value),
            ) {
                (_, Ok(BarUpdatesTopicRecord::Settings(venue, declared))) => {
                    self.settings.insert_announced(&venue, declared);
                }
                (Some(instrument), Ok(BarUpdatesTopicRecord::Bars(rows))) => {
                    let hub = &self.hub;
                    hub.apply_update(self.partition, record.offset, &instrument, rows);
                }
                _ => {
                    let (partition, offset) = (self.partition, record.offset);
                    tracing::error!(partition, offset, "a record of bar-updates does not decode");
                    self.skip_updates_before(state, offset + 1);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Fails if the topic was recreated since the hub was: the offsets of a new topic would be
    /// mistaken for those of the old one. Other errors of the check are ignored, because reading
    /// reports them.
    async fn fail_if_topic_recreated_after(&self, delay: Duration) -> Result<(), FollowError> {
        self.clock.sleep(delay).await;
        let checked = clock::timeout(&self.clock, CALL_TIMEOUT, self.updates.check_epoch()).await;
        match checked {
            Ok(Err(source @ LogError::Recreated { .. })) => Err(self.follow_error(source)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Delays the next attempt to read.
    fn record_failure(&self, retry_timer: &mut RetryTimer, reason: &impl Display) {
        tracing::debug!(partition = self.partition, %reason, "reading bar-updates failed; retrying");
        retry_timer.record_failure(&self.clock);
    }

    /// Returns the policy of retries, with a seed of its own so that partitions and pods do not
    /// retry at the same times.
    fn retry_policy(&self) -> RetryPolicy {
        let seed = self.clock.monotonic_ns() ^ u64::from(self.partition);
        RetryPolicy::new(FIRST_BACKOFF, MAX_BACKOFF).with_seed(seed)
    }

    /// Continues at the first offset that the topic still holds.
    fn skip_expired_updates(&self, state: &mut FollowProgress, first_offset: u64) {
        tracing::warn!(
            partition = self.partition,
            "bar-updates no longer holds the next updates; they are skipped"
        );
        self.skip_updates_before(state, first_offset);
    }

    /// Continues at `offset` without the updates before it.
    fn skip_updates_before(&self, state: &mut FollowProgress, offset: u64) {
        let reason = "updates were missed; waiting until the store holds them";
        self.health.not_ready(reason);
        self.hub
            .clear_partition_and_restart_at(self.partition, offset);
        self.require_reads_if_settings_partition();
        state.next_offset = offset;
        state.missed_before = Some(offset);
    }

    const fn follow_error(&self, source: LogError) -> FollowError {
        FollowError::new(self.partition, source)
    }
}

#[cfg(test)]
mod tests;
