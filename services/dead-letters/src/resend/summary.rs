//! Counts of the records that would be sent.

use std::collections::BTreeMap;
use std::fmt;

use schemas::{DeadLetter, TradesTopicRecord};

/// Counts of the records that would be sent, by reason, and of those that need attention.
#[derive(Debug, Default)]
pub(super) struct ResendSummary {
    counts_by_reason: BTreeMap<&'static str, u64>,
    /// The number of control records, which are not sent: they have no key that names a partition,
    /// and mean nothing at a later time.
    keyless: u64,
    /// The number of trades whose second delivery counts as a new trade.
    without_identity: u64,
}

impl ResendSummary {
    /// Counts a dead letter.
    pub(super) fn add(&mut self, letter: &DeadLetter) {
        if letter.key.is_empty() {
            self.keyless += 1;
            return;
        }
        *self
            .counts_by_reason
            .entry(letter.reason.code())
            .or_default() += 1;
        self.without_identity += u64::from(is_trade_without_identity(letter));
    }

    /// Returns the number of records that would be sent.
    pub(super) fn sendable_record_count(&self) -> u64 {
        self.counts_by_reason.values().sum()
    }
}

fn is_trade_without_identity(letter: &DeadLetter) -> bool {
    let record = TradesTopicRecord::decode(&letter.value);
    matches!(record, Ok(TradesTopicRecord::Trade(trade)) if trade.id.is_none() && trade.sender.is_none())
}

impl fmt::Display for ResendSummary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (reason, count) in &self.counts_by_reason {
            writeln!(out, "{count:>10}  {reason}")?;
        }
        if self.keyless > 0 {
            writeln!(
                out,
                "{:>10}  not sent: control records, which have no key",
                self.keyless
            )?;
        }
        if self.without_identity > 0 {
            writeln!(
                out,
                "{} of them are trades that are known by their position only: sent again, they \
                 count as new trades.\nThe others are known by their ids: a second delivery \
                 changes nothing.",
                self.without_identity
            )?;
        }
        Ok(())
    }
}
