//! Detecting a reader that does not deliver records that exist.

use crate::poll_rounds::{CHECK_ROUNDS, TIMEOUT_ROUNDS};

/// A stalled reader is given twice the time after each restart, at most this many times.
const MAX_DOUBLINGS: u32 = 6;

/// Detects that the brokers have records which the reader does not deliver. Times are poll rounds.
#[derive(Debug, Default)]
pub(super) struct StallDetector {
    /// When the reader was started, or delivered a record last.
    last_record_round: u64,
    /// When the brokers were last queried for the end of the partition.
    query_round: u64,
    /// Whether that query is unanswered.
    is_query_open: bool,
    /// Since when the brokers have had a record that the reader has not delivered.
    undelivered_since: Option<u64>,
    /// How many readers before this one have delivered nothing from the same offset.
    restarts: u32,
}

impl StallDetector {
    /// Returns the detector of a reader that starts in `round`, after `restarts` stalled readers.
    pub(super) fn new(round: u64, restarts: u32) -> Self {
        Self {
            last_record_round: round,
            restarts,
            ..Self::default()
        }
    }

    pub(super) fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Begins a query of the partition's end if no record has come and no query was made for
    /// [`CHECK_ROUNDS`]. Returns whether it did, and the caller must make the query.
    pub(super) fn mark_end_query_begun_if_no_recent_record(&mut self, round: u64) -> bool {
        let since = self.last_record_round.max(self.query_round);
        let is_due = !self.is_query_open && round >= since + CHECK_ROUNDS;
        if is_due {
            (self.query_round, self.is_query_open) = (round, true);
        }
        is_due
    }

    /// Records the result of the end query that was sent in round `sent_round`. `has_undelivered`
    /// is whether the brokers hold a record that the reader has not delivered, and `false` if they
    /// did not answer.
    pub(super) fn finish_end_query(&mut self, has_undelivered: bool, sent_round: u64) {
        self.is_query_open = false;
        // The answer may be late, and the reader may be younger than the query.
        let since = sent_round.max(self.last_record_round);
        self.undelivered_since = match has_undelivered {
            true => self.undelivered_since.or(Some(since)),
            false => None,
        };
    }

    /// Records that the reader delivered a record.
    pub(super) fn record_delivered(&mut self, round: u64) {
        self.last_record_round = round;
        self.undelivered_since = None;
        self.restarts = 0;
    }

    /// Records that the reader reported the end of the partition, which a reader that librdkafka
    /// has forgotten does not do.
    pub(super) fn record_end_of_partition(&mut self) {
        self.undelivered_since = None;
    }

    /// Returns whether the brokers have had a record for too long that the reader has not
    /// delivered. The time doubles with each restart, because a large record may be on its way over
    /// a slow connection.
    pub(super) fn is_stalled(&self, round: u64) -> bool {
        let timeout = TIMEOUT_ROUNDS << self.restarts.min(MAX_DOUBLINGS);
        self.undelivered_since
            .is_some_and(|since| round >= since + timeout)
    }
}
