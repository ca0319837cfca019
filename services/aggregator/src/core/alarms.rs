//! When to check which symbol whether time has closed a window of it.

use std::collections::BTreeSet;

/// The alarms of all symbols: at most one each.
///
/// An alarm that is set is in the set and in the symbol's [`WindowCloseAlarm`], with the same time.
#[derive(Debug)]
pub(crate) struct WindowCloseAlarms {
    by_time: BTreeSet<(i64, u32)>,
    /// The least time in the set; `i64::MAX` if it is empty.
    next_ns: i64,
}

/// The time of one symbol's alarm, kept with the symbol so that a trade finds it without a look-up.
#[derive(Debug)]
pub(crate) struct WindowCloseAlarm(i64);

impl WindowCloseAlarm {
    /// Returns an alarm that is not set.
    pub(crate) const fn unset() -> Self {
        Self(i64::MAX)
    }

    /// Returns whether the alarm is later than an append time, or not set.
    #[inline]
    pub(crate) const fn is_later_than(&self, append_time_ns: i64) -> bool {
        self.0 > append_time_ns
    }
}

impl WindowCloseAlarms {
    pub(crate) const fn new() -> Self {
        Self {
            by_time: BTreeSet::new(),
            next_ns: i64::MAX,
        }
    }

    /// Returns whether no alarm is set.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_time.is_empty()
    }

    /// Returns whether an alarm is due at an append time.
    #[inline]
    pub(crate) const fn is_due(&self, append_time_ns: i64) -> bool {
        self.next_ns <= append_time_ns
    }

    /// Removes the first alarm and returns the index of its symbol, whose [`WindowCloseAlarm`] is
    /// then to be reset or set again.
    pub(crate) fn pop_first_symbol(&mut self) -> u32 {
        let (_, index) = self.by_time.pop_first().expect("an alarm is due");
        self.update_next_time();
        index
    }

    /// Moves a symbol's alarm to an append time.
    pub(crate) fn set(&mut self, index: u32, alarm: &mut WindowCloseAlarm, append_time_ns: i64) {
        self.by_time.remove(&(alarm.0, index));
        alarm.0 = append_time_ns;
        self.by_time.insert((append_time_ns, index));
        self.update_next_time();
    }

    fn update_next_time(&mut self) {
        self.next_ns = self.by_time.first().map_or(i64::MAX, |alarm| alarm.0);
    }
}
