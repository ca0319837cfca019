//! The commits of a session while a record is searched for whose effects the store refuses.

use backend::Backend;
use eventlog::Record;

use super::WorkerSession;
use crate::error::WorkerError;
use crate::worker::refused_commit::RefusedCommit;
use crate::worker::session_end::SessionEnd;

impl<B: Backend> WorkerSession<'_, B> {
    /// Returns the first of some fetched records, as many as a commit may contain.
    pub(super) fn within_commit_limit<'r>(&self, records: &'r [Record]) -> &'r [Record] {
        let next_offset = self.core.next_position().offset;
        let is_new = |record: &Record| record.offset >= next_offset;
        let first = records.iter().position(is_new).unwrap_or(records.len());
        let records = &records[first..];
        match &self.mode.limit {
            Some(limit) => &records[..records.len().min(limit.max_records)],
            None => records,
        }
    }

    /// Commits the records that were just folded, of which a refusal names the number. Removes the
    /// limit once it has ended.
    pub(super) async fn commit_limited(
        &mut self,
        record_count: usize,
    ) -> Result<Option<SessionEnd>, WorkerError> {
        let ended = self.commit_all_of_limit(record_count).await?;
        let stored = self.committer.commit_state().stored_position().offset;
        let limit = &mut self.mode.limit;
        limit.take_if(|limit| stored >= limit.end_offset);
        Ok(ended)
    }

    /// Commits what was folded before a record that waits for it. If commits are limited, that is
    /// `record_count` records.
    pub(super) async fn commit_all_for_waiting_record(
        &mut self,
        record_count: usize,
    ) -> Result<Option<SessionEnd>, WorkerError> {
        let ended = match &self.mode.limit {
            Some(_) => self.commit_all_of_limit(record_count).await?,
            None => self.commit_all().await?,
        };
        self.core.record_awaited_commit();
        Ok(ended)
    }

    /// Commits everything that was folded since the last commit, `record_count` records. A refusal
    /// has to name that number: if it went by offsets, which may have gaps, the search for the
    /// record at fault could begin with the same number again and again.
    async fn commit_all_of_limit(
        &mut self,
        record_count: usize,
    ) -> Result<Option<SessionEnd>, WorkerError> {
        let ended = self.commit_all().await?;
        Ok(match ended {
            Some(SessionEnd::DataRefused(refused)) => {
                Some(SessionEnd::DataRefused(RefusedCommit {
                    record_count: Some(record_count),
                    ..refused
                }))
            }
            ended => ended,
        })
    }

    /// Checks whether the store would commit the one record that was just folded.
    pub(super) async fn dry_run_limited_commit(&mut self) -> Result<SessionEnd, WorkerError> {
        let checked = self.committer.dry_run_commit_unless_stopped(&mut self.core);
        let end = checked.await?;
        Ok(match end {
            SessionEnd::DataRefused(refused) => SessionEnd::DataRefused(RefusedCommit {
                record_count: Some(1),
                ..refused
            }),
            end => end,
        })
    }
}
