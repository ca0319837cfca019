//! Folding the ticks of dirty minutes and appending the results, in the background.

use backend::Backend;
use eventlog::{Log, LogError};
use market::VenueSettings;

use super::background::PendingAnswer;
use super::own_records::refold_record;
use super::role::PartitionWorker;
use super::ticks::fold_ticks;
use crate::core::RefoldRequest;

/// The background call that folds some dirty minutes, while one is under way.
#[derive(Default)]
pub(super) struct RefoldCall {
    answer: Option<PendingAnswer<Result<(), RefoldError>>>,
}

/// Why refolds may not be in the log.
#[derive(Debug)]
pub(super) enum RefoldError {
    /// They can be requested again. If the log holds a refold twice, the second has no effect.
    Repeatable(String),
    /// The topic was recreated or refuses the records.
    Log(LogError),
}

impl RefoldCall {
    pub(super) const fn is_under_way(&self) -> bool {
        self.answer.is_some()
    }

    /// Keeps the answer of a call that has begun.
    pub(super) fn record_begun_call(&mut self, answer: PendingAnswer<Result<(), RefoldError>>) {
        self.answer = Some(answer);
    }

    /// Waits until the refolds are appended; for ever if no call is under way. May be dropped and
    /// called again.
    pub(super) async fn wait_for_end(&mut self) -> Result<(), RefoldError> {
        let Some(answer) = &mut self.answer else {
            return std::future::pending().await;
        };
        let ended = answer.await;
        self.answer = None;
        ended.expect("the driver of background calls lives as long as the session")
    }
}

/// Folds the ticks of each minute and appends the refolds to `trades`: those of the minutes whose
/// ticks can be read, also if others fail. The archiver and the stored
/// state must have passed the marks of all minutes.
pub(super) fn fold_and_append_refolds<B: Backend>(
    worker: &PartitionWorker<B>,
    requests: Vec<(RefoldRequest, VenueSettings)>,
) -> impl Future<Output = Result<(), RefoldError>> + Send + 'static {
    let (stores, trades) = (worker.stores.clone(), worker.topics.trades.clone());
    let (partition, timeout) = (worker.partition, worker.config.call_timeout);
    async move {
        let mut records = Vec::with_capacity(requests.len());
        let mut failed = None;
        let mut elapsed_calls = 0;
        for (request, settings) in &requests {
            let fold = fold_ticks::<B>(&stores, partition, request, settings);
            match clock::timeout(&stores.clock, timeout, fold).await {
                Ok(Ok(refold)) => records.push(refold_record(&request.instrument, refold)),
                // A minute whose ticks cannot be read, such as a damaged block, keeps no other
                // minute waiting.
                Ok(Err(error)) if !error.is_transient() => failed = Some(error.to_string()),
                Ok(Err(error)) => {
                    failed = Some(error.to_string());
                    break;
                }
                // One minute that takes too long keeps no other minute waiting; two are a store
                // that does not answer.
                Err(elapsed) => {
                    failed = Some(elapsed.to_string());
                    elapsed_calls += 1;
                    if elapsed_calls > 1 {
                        break;
                    }
                }
            }
        }
        let append = trades.append(partition, records);
        clock::timeout(&stores.clock, timeout, append)
            .await
            .map_err(|elapsed| RefoldError::Repeatable(elapsed.to_string()))??;
        failed.map_or(Ok(()), |reason| Err(RefoldError::Repeatable(reason)))
    }
}

impl From<LogError> for RefoldError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Recreated { .. } | LogError::Refused { .. } => Self::Log(error),
            _ => Self::Repeatable(error.to_string()),
        }
    }
}
