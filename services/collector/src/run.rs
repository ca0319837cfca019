//! Sending what a feed makes.

use std::time::Duration;

use clock::{Clock, RetryPolicy, retry};
use eventlog::Log;
use ingest::{IngestError, Producer};
use market::{Instrument, Trade};
use store::BarReader;
use tokio_util::sync::CancellationToken;

use crate::{CollectorError, Metrics, SyntheticFeed};

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// The shortest wait for the next trade: what falls due meanwhile is sent together.
const LEAST_WAIT: Duration = Duration::from_millis(10);

/// Declares the feed's venue and sends its trades as they fall due, until `stop`.
///
/// A send that fails for now is tried again with the same trades, whose ids remove what the log
/// has already.
///
/// # Errors
/// [`CollectorError`] where the venue or the trades are refused, or the log has failed for good.
pub async fn run<L: Log, R: BarReader, C: Clock>(
    feed: SyntheticFeed,
    producer: &Producer<L, R, C>,
    clock: C,
    stop: CancellationToken,
) -> Result<(), CollectorError> {
    stop.run_until_cancelled(send(feed, producer, &clock))
        .await
        .unwrap_or(Ok(()))
}

async fn send<L: Log, R: BarReader, C: Clock>(
    mut feed: SyntheticFeed,
    producer: &Producer<L, R, C>,
    clock: &C,
) -> Result<(), CollectorError> {
    let metrics = Metrics::new("synthetic");
    let policy = RetryPolicy::new(FIRST_WAIT, LONGEST_WAIT);
    let is_transient = |error: &IngestError| {
        let is_transient = error.is_transient();
        if is_transient {
            metrics.retried();
            tracing::debug!(%error, "trying again");
        }
        is_transient
    };
    let declare = || producer.declare(feed.venue(), SyntheticFeed::settings());
    retry(clock, &policy, is_transient, declare).await?;
    feed.start(clock.now_ns());
    loop {
        let trades = feed.trades_until(clock.now_ns());
        metrics.skipped(feed.take_skipped_seconds());
        if !trades.is_empty() {
            let append = || producer.append(trades.clone());
            let appended = retry(clock, &policy, is_transient, append).await?;
            if let Some((_, reject)) = appended.rejected.first() {
                return Err(CollectorError::Refused(*reject));
            }
            metrics.sent(appended.accepted);
        }
        let wait_ns = feed.next_time_ns().saturating_sub(clock.now_ns());
        let wait = Duration::from_nanos(u64::try_from(wait_ns).unwrap_or(0));
        clock.sleep(wait.max(LEAST_WAIT)).await;
    }
}

/// A batch as [`Producer::append`] takes it.
pub(crate) type Trades = Vec<(Instrument, Trade)>;
