//! Feeds the hub with one partition of `bar-updates`.

use std::fmt::Display;
use std::pin::pin;
use std::time::Duration;

use clock::{Clock, RetryPolicy, RetryTimer};
use eventlog::{Log, LogError};
use host::HealthComponent;
use market::Instrument;
use store::{BarReader, PartitionProgress};
use tokio_util::sync::CancellationToken;

use super::Hub;

/// How often the pod asks what is in the store.
const ASK_EVERY: Duration = Duration::from_secs(1);
const FETCH_BYTES: usize = 256 * 1024;
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest first wait before another try, and the longest of all.
const RETRY_AFTER: Duration = Duration::from_millis(100);
const RETRY_MOST: Duration = Duration::from_secs(5);

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

/// Where a follower is.
#[derive(Debug)]
struct Place {
    /// The next update to read.
    next: u64,
    /// The forming bars are known from here on.
    known_at: u64,
    /// Updates before this one were missed, and may not be in the store yet.
    missed: Option<u64>,
}

impl<U: Log, B: BarReader, C: Clock> Follower<U, B, C> {
    /// Follows until it is told to stop.
    ///
    /// # Errors
    /// [`FollowError`], where no retry can help.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), FollowError> {
        let Some(mut place) = self.start(&stop).await? else {
            return Ok(());
        };
        let mut retry_timer = RetryTimer::new(self.retries());
        // Neither question holds up the reading: live bars go on while a store is away.
        let mut check = pin!(self.check_epoch(Duration::ZERO));
        let mut ask = pin!(self.ask_store(Duration::ZERO));
        loop {
            if place.next >= place.known_at && place.missed.is_none() {
                self.hub.set_ready(self.partition);
                self.health.ready();
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                same = &mut check => {
                    same?;
                    check.set(self.check_epoch(ASK_EVERY));
                }
                row = &mut ask => {
                    if let Some(row) = row {
                        self.note(&mut place, &row);
                    }
                    ask.set(self.ask_store(ASK_EVERY));
                }
                ready = self.wait(place.next, &retry_timer) => match ready {
                    Ok(()) => self.take(&mut place, &mut retry_timer).await?,
                    Err(LogError::Closed) => return Ok(()),
                    Err(LogError::OutOfRange { first, .. }) => self.fall_behind(&mut place, first),
                    Err(error) if error.is_transient() => self.hold_off(&mut retry_timer, &error),
                    Err(source) => return Err(self.failed(source)),
                },
            }
        }
    }

    /// Waits for the next update, and before that for another try where the last one failed.
    async fn wait(&self, next: u64, retry_timer: &RetryTimer) -> Result<(), LogError> {
        retry_timer.wait(&self.clock).await;
        self.updates.wait(self.partition, next).await
    }

    /// Where to read on: where the progress row says, or from the beginning where that is of
    /// another epoch or no longer kept; none where it is told to stop before the store answers.
    async fn start(&self, stop: &CancellationToken) -> Result<Option<Place>, FollowError> {
        let mut backoff = self.retries().backoff();
        let row = loop {
            if let Some(row) = self.progress().await {
                break row;
            }
            let pause = self.clock.sleep(backoff.next_delay());
            if stop.run_until_cancelled(pause).await.is_none() {
                return Ok(None);
            }
        };
        let mut backoff = self.retries().backoff();
        let bounds = loop {
            match self.updates.bounds(self.partition).await {
                Ok(bounds) => break bounds,
                Err(LogError::Closed) => return Ok(None),
                Err(error) if error.is_transient() => {
                    self.health.not_ready(error.to_string());
                    let pause = self.clock.sleep(backoff.next_delay());
                    if stop.run_until_cancelled(pause).await.is_none() {
                        return Ok(None);
                    }
                }
                Err(source) => return Err(self.failed(source)),
            }
        };
        let of_this = row.filter(|row| row.updates.epoch == self.updates.epoch());
        let wanted = of_this.map_or(0, |row| row.updates.offset);
        let next = wanted.clamp(bounds.first, bounds.end);
        self.hub.restart(self.partition, next);
        let place = Place {
            next,
            known_at: bounds.end,
            missed: (wanted < bounds.first).then_some(bounds.first),
        };
        // Before anything is read: the position may be one of another topic of the name.
        let checked = stop.run_until_cancelled(self.check_epoch(Duration::ZERO));
        checked.await.transpose().map(|same| same.map(|()| place))
    }

    /// The progress row, where the store answers: there may be none yet.
    async fn progress(&self) -> Option<Option<PartitionProgress>> {
        let call = self.bars.partition_progress(self.partition);
        clock::timeout(&self.clock, CALL_TIMEOUT, call)
            .await
            .ok()?
            .ok()
    }

    /// The progress row, asked for after a while.
    async fn ask_store(&self, after: Duration) -> Option<PartitionProgress> {
        self.clock.sleep(after).await;
        self.progress().await.flatten()
    }

    /// Tells the hub what is in the store. Updates that were missed are, once the owner has
    /// committed after it announced them: then nothing is unknown any more.
    fn note(&self, place: &mut Place, row: &PartitionProgress) {
        self.hub.set_durable(self.partition, row.position());
        let stored = (row.updates.epoch == self.updates.epoch()).then_some(row.updates.offset);
        if place.missed.is_some_and(|missed| stored >= Some(missed)) {
            place.missed = None;
            self.hub.distrust(self.partition);
        }
    }

    async fn take(
        &self,
        place: &mut Place,
        retry_timer: &mut RetryTimer,
    ) -> Result<(), FollowError> {
        let fetch = self.updates.fetch(self.partition, place.next, FETCH_BYTES);
        let batch = match clock::timeout(&self.clock, CALL_TIMEOUT, fetch).await {
            Ok(Ok(batch)) => batch,
            Ok(Err(LogError::OutOfRange { first, .. })) => {
                self.fall_behind(place, first);
                return Ok(());
            }
            Ok(Err(source)) if !source.is_transient() && source != LogError::Closed => {
                return Err(self.failed(source));
            }
            Ok(Err(error)) => {
                self.hold_off(retry_timer, &error);
                return Ok(());
            }
            Err(elapsed) => {
                self.hold_off(retry_timer, &elapsed);
                return Ok(());
            }
        };
        retry_timer.record_success();
        place.next = batch.next_offset;
        for record in batch.records {
            let text = std::str::from_utf8(&record.key).ok();
            let instrument = text.and_then(|text| text.parse::<Instrument>().ok());
            match (instrument, schemas::decode_bar_update(&record.value)) {
                (Some(instrument), Ok(rows)) => {
                    let hub = &self.hub;
                    hub.apply(self.partition, record.offset, &instrument, rows);
                }
                _ => {
                    let (partition, offset) = (self.partition, record.offset);
                    tracing::error!(partition, offset, "a record of bar-updates does not decode");
                    self.miss(place, offset + 1);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Fails where the topic is not the one whose epoch the hub counts by: offsets of another
    /// would be taken for those of this one. What hinders the question is seen elsewhere.
    async fn check_epoch(&self, after: Duration) -> Result<(), FollowError> {
        self.clock.sleep(after).await;
        let asked = clock::timeout(&self.clock, CALL_TIMEOUT, self.updates.check_epoch()).await;
        match asked {
            Ok(Err(source @ LogError::Recreated { .. })) => Err(self.failed(source)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Lets the next try wait.
    fn hold_off(&self, retry_timer: &mut RetryTimer, reason: &impl Display) {
        tracing::debug!(partition = self.partition, %reason, "trying again shortly");
        retry_timer.record_failure(&self.clock);
    }

    /// How long to wait between tries: partitions and pods do not try in step.
    fn retries(&self) -> RetryPolicy {
        let seed = self.clock.monotonic_ns() ^ u64::from(self.partition);
        RetryPolicy::new(RETRY_AFTER, RETRY_MOST).seeded(seed)
    }

    /// Goes on where the topic begins by now.
    fn fall_behind(&self, place: &mut Place, first: u64) {
        tracing::warn!(
            partition = self.partition,
            "fell behind what bar-updates keeps"
        );
        self.miss(place, first);
    }

    /// Goes on at an offset without what was before it.
    fn miss(&self, place: &mut Place, next: u64) {
        let reason = "updates were missed; waiting until the store holds them";
        self.health.not_ready(reason);
        self.hub.restart(self.partition, next);
        place.next = next;
        place.missed = Some(next);
    }

    const fn failed(&self, source: LogError) -> FollowError {
        FollowError {
            partition: self.partition,
            source,
        }
    }
}

#[cfg(test)]
mod tests;
