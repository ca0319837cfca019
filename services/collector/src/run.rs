//! Appending the trades of a feed to the log.

use std::time::Duration;

use clock::{Clock, RetryPolicy, retry};
use eventlog::Log;
use ingest::{IngestError, IngestProducer};
use market::SettingsChange;
use store::BarReader;
use tokio_util::sync::CancellationToken;

use crate::error::CollectorError;
use crate::metrics::FeedMetrics;
use crate::synthetic::SyntheticFeed;

/// The upper bound of the first wait before another attempt.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// The upper bound of every wait before another attempt.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// The shortest wait for the next trade. Trades that happen meanwhile are appended together.
const MIN_WAIT: Duration = Duration::from_millis(10);

/// Declares the feed's venue and appends each trade when it happens, until `stop` is cancelled.
///
/// An append that fails with a transient error is repeated with the same trades. If the log has
/// some of them already, the fold recognizes the repeats by their ids.
///
/// # Errors
/// [`CollectorError`] if the venue or the trades are rejected, or the log has failed permanently.
pub async fn run_feed<L: Log, R: BarReader, C: Clock>(
    feed: SyntheticFeed,
    producer: &IngestProducer<L, R, C>,
    clock: C,
    stop: CancellationToken,
) -> Result<(), CollectorError> {
    stop.run_until_cancelled(declare_venue_and_append_trades(feed, producer, &clock))
        .await
        .unwrap_or(Ok(()))
}

async fn declare_venue_and_append_trades<L: Log, R: BarReader, C: Clock>(
    mut feed: SyntheticFeed,
    producer: &IngestProducer<L, R, C>,
    clock: &C,
) -> Result<(), CollectorError> {
    let metrics = FeedMetrics::new("synthetic");
    let policy = RetryPolicy::new(FIRST_WAIT, MAX_WAIT);
    let is_transient = |error: &IngestError| {
        let is_transient = error.is_transient();
        if is_transient {
            metrics.count_append_retry();
            tracing::debug!(%error, "trying again");
        }
        is_transient
    };
    let settings = SettingsChange::of_all(&SyntheticFeed::venue_settings());
    let declare = async || {
        let venue = producer.venue_in_use(feed.venue()).await?;
        producer.declare(&venue, settings).await
    };
    retry(clock, &policy, is_transient, declare).await?;
    feed.start_run(clock.now_ns());
    loop {
        let trades = feed.generate_trades_until(clock.now_ns());
        metrics.count_skipped_seconds(feed.take_skipped_seconds());
        if !trades.is_empty() {
            // The venue may be retired while the feed runs: the next generation has to be declared.
            let append = || producer.append_declaring(trades.clone(), &settings);
            let appended = retry(clock, &policy, is_transient, append).await?;
            if let Some(rejected) = appended.rejected.first() {
                return Err(CollectorError::Rejected(rejected.reason));
            }
            metrics.count_appended_trades(appended.accepted);
        }
        let wait_ns = feed.next_time_ns().saturating_sub(clock.now_ns());
        let wait = Duration::from_nanos(u64::try_from(wait_ns).unwrap_or(0));
        clock.sleep(wait.max(MIN_WAIT)).await;
    }
}
