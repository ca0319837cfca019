//! What happened in a run, or in many.

use std::collections::BTreeMap;
use std::fmt;

/// What happened, over all seeds.
#[derive(Debug, Default, Clone)]
pub struct Totals(pub BTreeMap<&'static str, u64>);

impl Totals {
    pub fn count(&mut self, what: &'static str, times: u64) {
        *self.0.entry(what).or_default() += times;
    }

    pub fn add(&mut self, other: &Self) {
        for (what, times) in &other.0 {
            self.count(what, *times);
        }
    }

    /// A simulation in which nothing goes wrong would prove nothing.
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
            "left out",
            "archiver crashes",
            "ticks counted",
            "long nights",
            "wrapped rings",
            "not recovered",
            "dead letters",
            "amendments",
            "refolds",
            "refolds in vain",
            "amended ahead",
            "emptied windows",
            "new epochs",
            "longer topics",
            "workers of an old epoch",
            "hand-overs",
            "rebalances",
            "retained",
            "positions that were dropped",
            "overruns",
        ] {
            assert!(
                self.0.get(what).is_some_and(|times| *times > 0),
                "no {what} in {seeds} seeds"
            );
        }
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
