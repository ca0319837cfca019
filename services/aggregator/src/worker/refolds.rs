//! Minutes folded anew: when a refold is appended to the log, and what the ticks give.

use bytes::Bytes;
use clock::Clock;
use eventlog::{Log, LogError, NewRecord};
use market::{Bar, MINUTE_NS, Position, SECOND_NS, TICK_RETENTION_NS, VenueSettings};
use schemas::TradesRecord;
use store::{
    BarReader, BarStore, CommitOutcome, ExcludedRange, HotStore, StoreError, Tick, TickStore,
    trades_current,
};
use tokio_util::sync::CancellationToken;

use super::aside::Answer;
use super::session::{End, Session, nanoseconds, settled};
use crate::{Need, Refolded, Supply, WorkerError};

/// How many refolds are appended at once.
const MOST_REFOLDS: usize = 256;
/// How long before they are due to go, by the log's time, ticks are not counted on any more: so
/// much later a record may be folded again and gives the same.
const LAG_MARGIN_NS: i64 = 3_600 * SECOND_NS;
/// The same by the clock, which may differ from the store's.
const CLOCK_MARGIN_NS: i64 = 300 * SECOND_NS;

/// The answer how far the archiver is.
pub(super) type Archived = Answer<Result<Option<Position>, StoreError>>;

/// How far the archiver is; never where that is not asked.
pub(super) async fn answered(asking: &mut Option<Archived>) -> Option<Position> {
    match asking {
        // A store that fails is asked again soon.
        Some(answer) => answer.await.ok().and_then(Result::ok).flatten(),
        None => std::future::pending().await,
    }
}

impl<L, U, D, S, T, H, C> Session<'_, L, U, D, S, T, H, C>
where
    L: Log,
    U: Log,
    D: Log,
    S: BarStore,
    T: TickStore,
    H: HotStore,
    C: Clock,
{
    /// Whether a marked minute waits for the archiver. What the log held at the start comes
    /// first: the refolds that an earlier worker asked for are there. Where two workers took a
    /// partition from each other again and again, each of them would append all of them anew,
    /// and the log would grow faster than they fold it.
    pub(super) fn wants_archived(&self) -> bool {
        self.caught_up && self.asking.is_none() && self.core.wants_refolds()
    }

    /// Asks how far the archiver is, where a marked minute waits for that. The fold goes on
    /// meanwhile.
    pub(super) fn ask_archived_if_due(&mut self) {
        let worker = self.worker;
        let now_ns = worker.stores.clock.monotonic_ns();
        if now_ns < self.next_refold_ns || !self.wants_archived() {
            return;
        }
        self.next_refold_ns = now_ns + nanoseconds(worker.pace.refold_every);
        let (ticks, partition) = (worker.stores.ticks.clone(), worker.partition);
        let (clock, timeout) = (worker.stores.clock.clone(), worker.pace.call_timeout);
        self.asking = Some(self.aside.begin(async move {
            let asked = clock::timeout(&clock, timeout, ticks.archive_position(partition));
            asked.await.unwrap_or(Ok(None))
        }));
    }

    /// Appends a refold for every marked minute whose mark the archiver and the stored state
    /// have passed.
    pub(super) async fn ask_refolds(
        &mut self,
        archived: Option<Position>,
    ) -> Result<(), WorkerError> {
        let passed = archived.unwrap_or_default().min(self.stored);
        let refolds = self.core.ask_refolds(passed, MOST_REFOLDS);
        if refolds.is_empty() {
            return Ok(());
        }
        let entry = |(instrument, refold): &(market::Instrument, schemas::Refold)| {
            let mut value = Vec::new();
            TradesRecord::Refold(*refold).encode(&mut value);
            NewRecord {
                key: Bytes::copy_from_slice(instrument.key().as_bytes()),
                value: value.into(),
            }
        };
        let entries = refolds.iter().map(entry).collect();
        let worker = self.worker;
        let append = worker.topics.trades.append(worker.partition, entries);
        let reason =
            match clock::timeout(&worker.stores.clock, worker.pace.call_timeout, append).await {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(source @ (LogError::Recreated { .. } | LogError::Refused { .. }))) => {
                    return Err(worker.log(source));
                }
                Ok(Err(error)) => error.to_string(),
                Err(elapsed) => elapsed.to_string(),
            };
        // A refold that the log holds twice does nothing the second time.
        tracing::warn!(
            partition = worker.partition,
            reason,
            "refolds are asked for again"
        );
        self.core.forget_asked();
        Ok(())
    }

    /// Commits all that was applied, or says how the session ends instead.
    pub(super) async fn commit_all(
        &mut self,
        stop: &CancellationToken,
    ) -> Result<Option<End>, WorkerError> {
        while self.core.place() != self.stored || self.committing.is_some() {
            if self.committing.is_none() && !self.start_commit(stop).await? {
                return Ok(Some(End::Stopped));
            }
            let outcome: Result<CommitOutcome, StoreError> = settled(&mut self.committing).await;
            if !self.committed(outcome)? {
                return Ok(Some(End::Lost));
            }
        }
        Ok(None)
    }

    /// What the ticks of a minute add up to, once the archiver has passed its mark; none where
    /// the worker is told to stop before.
    pub(super) async fn fold_ticks(
        &mut self,
        stop: &CancellationToken,
        need: Need,
    ) -> Result<Option<Supply>, WorkerError> {
        let Need::Ticks {
            instrument,
            start_ns,
            up_to,
            first_append_ns,
        } = need
        else {
            return Ok(None);
        };
        let supply = |refolded| Supply::Ticks {
            instrument: instrument.clone(),
            start_ns,
            up_to,
            refolded,
        };
        if !self.wait_for_archiver(stop, up_to).await? {
            return Ok(None);
        }
        let stores = &self.worker.stores;
        let read = || {
            stores
                .ticks
                .read(&instrument, start_ns, start_ns + MINUTE_NS)
        };
        let Some(ticks) = self.worker.ask_store(stop, read).await? else {
            return Ok(None);
        };
        // The clock is read after the ticks: none that is younger can be gone.
        let clock_ns = stores.clock.now_ns();
        let by_clock_ns = clock_ns.saturating_sub(TICK_RETENTION_NS - CLOCK_MARGIN_NS);
        let log_ns = self.core.append_time_ns();
        let by_log_ns = log_ns.saturating_sub(TICK_RETENTION_NS - LAG_MARGIN_NS);
        let oldest_ns = by_clock_ns.max(by_log_ns);
        if first_append_ns.is_some_and(|first_ns| first_ns < oldest_ns) {
            return Ok(Some(supply(Refolded::Gone)));
        }
        let Some(excluded) = self.excluded_ranges(stop, &ticks, up_to).await? else {
            return Ok(None);
        };
        let settings = self.core.settings_of(&instrument).unwrap_or_default();
        let bar = fold(ticks, &excluded, up_to, &settings);
        Ok(Some(supply(Refolded::Bar(bar.map(Box::new)))))
    }

    /// False where the worker is told to stop before the archiver is there.
    async fn wait_for_archiver(
        &mut self,
        stop: &CancellationToken,
        up_to: Position,
    ) -> Result<bool, WorkerError> {
        let worker = self.worker;
        loop {
            let asked = || worker.stores.ticks.archive_position(worker.partition);
            let Some(archived) = worker.ask_store(stop, asked).await? else {
                return Ok(false);
            };
            if archived.is_some_and(|archived| archived >= up_to) {
                self.say_ready();
                return Ok(true);
            }
            worker
                .health
                .not_ready("a minute is folded anew once the archiver has come there");
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(false),
                () = worker.stores.clock.sleep(worker.pace.refold_every) => {}
            }
        }
    }

    /// What the fold has left out of some ticks, which are in order of their positions.
    async fn excluded_ranges(
        &mut self,
        stop: &CancellationToken,
        ticks: &[Tick],
        up_to: Position,
    ) -> Result<Option<Vec<ExcludedRange>>, WorkerError> {
        let worker = self.worker;
        let mut ranges = Vec::new();
        let same_epoch = |left: &Tick, right: &Tick| left.position.epoch == right.position.epoch;
        for run in ticks.chunk_by(same_epoch) {
            let (first, last) = (run[0].position, run[run.len() - 1].position);
            if first >= up_to {
                continue;
            }
            let bars = &worker.stores.bars;
            let end = last.offset + 1;
            let asked = || bars.excluded_ranges(worker.partition, first.epoch, first.offset, end);
            let Some(found) = worker.ask_store(stop, asked).await? else {
                return Ok(None);
            };
            ranges.extend(found);
        }
        Ok(Some(ranges))
    }

    /// Whether the topic is still the generation that is being folded; false where the worker is
    /// told to stop before that is known.
    pub(super) async fn is_same_epoch(
        &mut self,
        stop: &CancellationToken,
    ) -> Result<bool, WorkerError> {
        let worker = self.worker;
        let asked = || worker.topics.trades.check_epoch();
        Ok(worker.ask_log(stop, asked).await?.is_some())
    }
}

/// The bar of the trades among some ticks, as of a position; none where there are none.
fn fold(
    ticks: Vec<Tick>,
    excluded: &[ExcludedRange],
    up_to: Position,
    settings: &VenueSettings,
) -> Option<Bar> {
    let trades = trades_current(ticks, excluded, up_to, settings);
    let mut bars = trades
        .iter()
        .map(|tick| Bar::from_trade(&tick.trade, tick.position, tick.append_time_ns));
    let mut folded = bars.next()?;
    bars.for_each(|bar| folded.merge(&bar));
    Some(folded)
}
