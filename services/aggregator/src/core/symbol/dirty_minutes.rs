//! Dirty minutes: their refold marks, the trades that arrive meanwhile, and their refolded bars.

use std::collections::BTreeMap;

use market::{Bar, Instrument, Position};
use schemas::Refold;
use store::{DirtyMinuteChange, RefoldMark};

use crate::core::loading::{RefoldedTicks, TicksRequest};

/// The dirty minutes of one symbol, by their starts.
#[derive(Debug, Default)]
pub(crate) struct DirtyMinutes {
    minutes: BTreeMap<i64, DirtyMinute>,
    /// Starts of minutes whose mark differs from the stored one.
    changed: Vec<i64>,
}

#[derive(Debug)]
struct DirtyMinute {
    mark: RefoldMark,
    /// Whether its refold was requested.
    is_requested: bool,
    /// The sum of its ticks up to the mark, once it was loaded.
    refolded: Option<RefoldedTicks>,
}

/// A dirty minute that was refolded.
pub(crate) struct RefoldedMinute {
    /// The minute's first nanosecond.
    pub(crate) start_ns: i64,
    /// The sum of its trades, or `None` if no trade is left.
    pub(crate) bar: Option<Bar>,
    /// How many edits and cancels it contains.
    pub(crate) amendments: u64,
}

impl DirtyMinutes {
    pub(crate) fn len(&self) -> usize {
        self.minutes.len()
    }

    /// Adds trades that were merged into a minute, if it is dirty.
    pub(crate) fn add_later_trades_if_dirty(&mut self, start_ns: i64, bar: &Bar) {
        let Some(minute) = self.minutes.get_mut(&start_ns) else {
            return;
        };
        match &mut minute.mark.later_bar {
            Some(later) => later.merge(bar),
            none => *none = Some(bar.clone()),
        }
        self.changed.push(start_ns);
    }

    /// Marks a minute: its ticks before `up_to` are to be refolded.
    pub(crate) fn mark_dirty(&mut self, start_ns: i64, up_to: Position, amendments: u64) {
        let before = self.minutes.get(&start_ns);
        let before = before.map_or(0, |minute| minute.mark.amendments);
        let mark = RefoldMark {
            up_to,
            amendments: before + amendments,
            later_bar: None,
        };
        self.restore(start_ns, mark);
        self.changed.push(start_ns);
    }

    /// Adds a stored mark.
    pub(crate) fn restore(&mut self, start_ns: i64, mark: RefoldMark) {
        let minute = DirtyMinute {
            mark,
            is_requested: false,
            refolded: None,
        };
        self.minutes.insert(start_ns, minute);
    }

    /// Returns whether a refold matches the mark of its minute; if not, it is stale.
    pub(crate) fn matches_mark(&self, refold: Refold) -> bool {
        let minute = self.minutes.get(&refold.start_ns);
        minute.is_some_and(|minute| minute.mark.up_to == refold.up_to)
    }

    /// Returns whether the sum of a minute's ticks was loaded.
    pub(crate) fn has_loaded_ticks(&self, start_ns: i64) -> bool {
        let minute = self.minutes.get(&start_ns);
        minute.is_some_and(|minute| minute.refolded.is_some())
    }

    /// Keeps the sum of a minute's ticks for its refold, unless the minute was marked again.
    pub(crate) fn keep_refolded_ticks(&mut self, request: &TicksRequest, refolded: RefoldedTicks) {
        if let Some(minute) = self.minutes.get_mut(&request.start_ns)
            && minute.mark.up_to == request.up_to
        {
            minute.refolded = Some(refolded);
        }
    }

    /// Removes a minute whose ticks were loaded and returns its refolded bar, with the trades that
    /// arrived meanwhile, or `None` if the ticks have expired.
    pub(crate) fn take_refolded(&mut self, start_ns: i64) -> Option<RefoldedMinute> {
        let minute = self.minutes.remove(&start_ns);
        let minute = minute.expect("the refold matches a mark");
        self.changed.push(start_ns);
        let refolded = minute.refolded.expect("a refold waits for its ticks");
        let RefoldedTicks::Bar(bar) = refolded else {
            return None;
        };
        let bar = match (bar.map(|bar| *bar), minute.mark.later_bar) {
            (Some(mut bar), Some(later)) => {
                bar.merge(&later);
                Some(bar)
            }
            (bar, later) => bar.or(later),
        };
        Some(RefoldedMinute {
            start_ns,
            bar,
            amendments: minute.mark.amendments,
        })
    }

    /// Returns whether any dirty minute has no refold requested.
    pub(crate) fn has_unrequested_refolds(&self) -> bool {
        self.minutes.values().any(|minute| !minute.is_requested)
    }

    /// Requests refolds, at most `limit`, of the minutes that are marked up to `marked_up_to` at
    /// most.
    pub(crate) fn request_refolds(&mut self, marked_up_to: Position, limit: usize) -> Vec<Refold> {
        let is_due =
            |minute: &DirtyMinute| !minute.is_requested && minute.mark.up_to <= marked_up_to;
        let minutes = self.minutes.iter_mut();
        let due = minutes.filter(|(_, minute)| is_due(minute)).take(limit);
        let request = |(start_ns, minute): (&i64, &mut DirtyMinute)| {
            minute.is_requested = true;
            Refold {
                start_ns: *start_ns,
                up_to: minute.mark.up_to,
            }
        };
        due.map(request).collect()
    }

    /// Forgets which refolds were requested.
    pub(crate) fn forget_requested_refolds(&mut self) {
        for minute in self.minutes.values_mut() {
            minute.is_requested = false;
        }
    }

    /// Takes the changes since the last call, each minute once.
    pub(crate) fn take_changes(
        &mut self,
        instrument: &Instrument,
        changes: &mut Vec<DirtyMinuteChange>,
    ) {
        self.changed.sort_unstable();
        self.changed.dedup();
        for start_ns in self.changed.drain(..) {
            let minute = self.minutes.get(&start_ns);
            changes.push(DirtyMinuteChange {
                instrument: instrument.clone(),
                start_ns,
                mark: minute.map(|minute| minute.mark.clone()),
            });
        }
    }
}
