//! What would be sent.

use std::collections::BTreeMap;
use std::fmt;

use schemas::{DeadLetter, TradesRecord};

/// What would be sent, by reason, and what to know about it.
#[derive(Debug, Default)]
pub(super) struct Summary {
    counts: BTreeMap<&'static str, u64>,
    /// Control records: these belong to their partition and their moment, and have no key that
    /// leads anywhere.
    keyless: u64,
    /// Trades of which a second delivery could not be told from another trade.
    nameless: u64,
}

impl Summary {
    pub(super) fn note(&mut self, letter: &DeadLetter) {
        if letter.key.is_empty() {
            self.keyless += 1;
            return;
        }
        *self.counts.entry(letter.reason.code()).or_default() += 1;
        self.nameless += u64::from(is_nameless(letter));
    }

    /// How many would be sent.
    pub(super) fn count(&self) -> u64 {
        self.counts.values().sum()
    }
}

fn is_nameless(letter: &DeadLetter) -> bool {
    let record = TradesRecord::decode(&letter.value);
    matches!(record, Ok(TradesRecord::Trade(trade)) if trade.id.is_none() && trade.sender.is_none())
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (reason, count) in &self.counts {
            writeln!(out, "{count:>10}  {reason}")?;
        }
        if self.keyless > 0 {
            writeln!(
                out,
                "{:>10}  left out: control records, which no key leads anywhere",
                self.keyless
            )?;
        }
        if self.nameless > 0 {
            writeln!(
                out,
                "{} of them are trades that are known by their position only. Sent again they \
                 count as new trades;\nthe others are known by their ids, so a second delivery \
                 of them is harmless.",
                self.nameless
            )?;
        }
        Ok(())
    }
}
