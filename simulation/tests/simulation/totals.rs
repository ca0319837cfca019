//! The number of events in one run or several.

use std::collections::BTreeMap;
use std::fmt;

/// The number of events, by name.
#[derive(Debug, Default, Clone)]
pub struct Totals(pub BTreeMap<&'static str, u64>);

impl Totals {
    pub fn add_count(&mut self, what: &'static str, times: u64) {
        *self.0.entry(what).or_default() += times;
    }

    pub fn add_totals(&mut self, other: &Self) {
        for (what, times) in &other.0 {
            self.add_count(what, *times);
        }
    }

    /// Asserts that every kind of event happened: a simulation without faults proves nothing.
    pub fn assert_something_happened(&self, seeds: u64) {
        if seeds < 1_000 {
            return;
        }
        for what in [
            "worker crashes",
            "zombies",
            "power losses",
            "commits lost",
            "outages",
            "pods lost",
            "deltas",
            "resumed",
            "corrections",
            "excluded",
            "archiver crashes",
            "ticks counted",
            "long nights",
            "wrapped rings",
            "not recovered",
            "dead letters",
            "amendments",
            "refolds",
            "refolds in vain",
            "pending amendments",
            "left out",
            "emptied windows",
            "new epochs",
            "longer topics",
            "workers of an old epoch",
            "hand-overs",
            "rebalances",
            "retained",
            "positions that were dropped",
            "overruns",
            "weeks passed",
            "epochs that began while roles lagged",
            "expired ticks",
            "settings changed",
            "amendments past the horizon",
            "repairs past the horizon",
            "evicted id segments",
        ] {
            assert!(
                self.0.get(what).is_some_and(|times| *times > 0),
                "no {what} in {seeds} seeds"
            );
        }
        let (resumed, not_recovered) = (self.0["resumed"], self.0["not recovered"]);
        assert!(
            resumed * 10 > not_recovered,
            "{resumed} resumes recovered, and {not_recovered} did not: a pod that holds what a \
             client missed must send it"
        );
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self
            .0
            .iter()
            .map(|(what, times)| format!("{what} {times}"))
            .collect();
        out.write_str(&parts.join(", "))
    }
}
