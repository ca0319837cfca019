//! Dirty minutes: their refold marks, and the trades that arrive meanwhile.

use std::collections::BTreeMap;

use market::{Bar, Instrument, Position, TieOrder};
use schemas::RefoldResult;
use store::{DirtyMinuteChange, RefoldMark};

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
}

impl DirtyMinutes {
    pub(crate) fn len(&self) -> usize {
        self.minutes.len()
    }

    /// Adds trades that were merged into a minute, if it is dirty.
    pub(crate) fn add_later_trades_if_dirty(&mut self, start_ns: i64, bar: &Bar, ties: TieOrder) {
        let Some(minute) = self.minutes.get_mut(&start_ns) else {
            return;
        };
        match &mut minute.mark.later_bar {
            Some(later) => later.merge(bar, ties),
            none => *none = Some(bar.clone()),
        }
        self.changed.push(start_ns);
    }

    /// Marks a minute: its ticks before `up_to` are to be refolded. With `force`, the refold counts
    /// even if its ticks are not all there.
    pub(crate) fn mark_dirty(
        &mut self,
        start_ns: i64,
        up_to: Position,
        amendments: u64,
        force: bool,
    ) {
        let before = self.minutes.get(&start_ns).map(|minute| &minute.mark);
        let mark = RefoldMark {
            up_to,
            amendments: amendments + before.map_or(0, |before| before.amendments),
            force: force || before.is_some_and(|before| before.force),
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
        };
        self.minutes.insert(start_ns, minute);
    }

    /// Returns whether a refold matches the mark of its minute; if not, it is stale.
    pub(crate) fn matches_mark(&self, refold: &RefoldResult) -> bool {
        let minute = self.minutes.get(&refold.start_ns);
        minute.is_some_and(|minute| minute.mark.up_to == refold.up_to)
    }

    /// Removes the mark of a dirty minute and returns it.
    pub(crate) fn take_mark(&mut self, start_ns: i64) -> RefoldMark {
        let minute = self.minutes.remove(&start_ns);
        self.changed.push(start_ns);
        minute.expect("the refold matches a mark").mark
    }

    /// Returns whether any dirty minute has no refold requested.
    pub(crate) fn has_unrequested_refolds(&self) -> bool {
        self.minutes.values().any(|minute| !minute.is_requested)
    }

    /// Requests refolds, at most `limit`, of the minutes that are marked up to `marked_up_to` at
    /// most. Returns the start and the mark's position of each.
    pub(crate) fn request_refolds(
        &mut self,
        marked_up_to: Position,
        limit: usize,
    ) -> Vec<(i64, Position)> {
        let is_due =
            |minute: &DirtyMinute| !minute.is_requested && minute.mark.up_to <= marked_up_to;
        let minutes = self.minutes.iter_mut();
        let due = minutes.filter(|(_, minute)| is_due(minute)).take(limit);
        let request = |(start_ns, minute): (&i64, &mut DirtyMinute)| {
            minute.is_requested = true;
            (*start_ns, minute.mark.up_to)
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
