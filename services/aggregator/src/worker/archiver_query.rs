//! The query how far the archiver has stored the ticks of the partition.

use market::Position;
use store::StoreError;

use super::background::PendingAnswer;

/// The query of the archiver's position, while one is under way.
#[derive(Default)]
pub(super) struct ArchiverQuery {
    answer: Option<PendingAnswer<Result<Option<Position>, StoreError>>>,
}

impl ArchiverQuery {
    pub(super) const fn is_query_under_way(&self) -> bool {
        self.answer.is_some()
    }

    /// Keeps the answer of a query that has begun.
    pub(super) fn record_begun_query(
        &mut self,
        answer: PendingAnswer<Result<Option<Position>, StoreError>>,
    ) {
        self.answer = Some(answer);
    }

    /// Waits for the archiver's position; for ever if no query is under way. `None` if the archiver
    /// has none or the store failed, which is queried again soon. May be dropped and called again.
    pub(super) async fn wait_for_answer(&mut self) -> Option<Position> {
        let Some(answer) = &mut self.answer else {
            return std::future::pending().await;
        };
        let archived = answer.await.ok().and_then(Result::ok).flatten();
        self.answer = None;
        archived
    }
}
