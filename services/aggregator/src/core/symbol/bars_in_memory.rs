//! The bars of a symbol's windows that are in memory.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use market::{Bar, BarRow, Instrument, Interval, Position, TieOrder, Window};
use store::{StoredBar, SymbolRow};

use super::changed_windows::{ChangedWindows, WindowChangeFlags};
use super::window_range::windows_overlapping;
use crate::core::applied_at::AppliedAt;
use crate::core::minute_accumulator::PartialMinuteBar;

/// The bars of a symbol's windows that are in memory.
///
/// Every open window that holds trades is in memory and in `open`. A changed bar stays in memory
/// until it is announced and written.
#[derive(Debug)]
pub(crate) struct BarsInMemory {
    cached: HashMap<Window, CachedWindow, RandomState>,
    open: Vec<Window>,
    changed: ChangedWindows,
    /// The start of the newest minute that has traded; `i64::MIN` if none is known.
    newest_minute_ns: i64,
}

/// A window in memory.
#[derive(Debug, Default)]
struct CachedWindow {
    /// Its bar, or `None` if the store has none either.
    row: Option<BarRow>,
    changes: WindowChangeFlags,
    /// The number of the commit that came next when it was last used.
    used: u64,
}

/// A dirty minute that is replaced by its refold.
pub(crate) struct RefoldedMinute {
    /// The minute's first nanosecond.
    pub(crate) start_ns: i64,
    /// The bar of its trades.
    pub(crate) bar: Bar,
    /// Whether the bar is known to hold all trades that were counted.
    pub(crate) provable: bool,
    /// How many edits and cancels it contains that it did not contain before.
    pub(crate) amendments: u64,
    /// Whether a minute without a bar gets one even if no trade is left, so that clients hear of
    /// it.
    pub(crate) creates_row: bool,
}

/// What replaces the bar of a window.
struct WindowReplacement {
    bar: Bar,
    provable: bool,
}

impl BarsInMemory {
    pub(crate) fn new() -> Self {
        Self {
            cached: HashMap::default(),
            open: Vec::new(),
            changed: ChangedWindows::default(),
            newest_minute_ns: i64::MIN,
        }
    }

    /// Returns the bars of a stored symbol, of which none is in memory yet.
    pub(crate) fn of_stored_symbol_without_bars(row: &SymbolRow) -> Self {
        Self {
            newest_minute_ns: row.newest_minute_ns,
            ..Self::new()
        }
    }

    /// Adds a stored open bar.
    pub(crate) fn restore_open_bar(&mut self, row: BarRow) {
        let window = row.window;
        self.open.push(window);
        self.insert_loaded_if_absent(window, Some(row), 0);
    }

    /// Adds a loaded bar, unless the window is in memory.
    pub(crate) fn insert_loaded_if_absent(
        &mut self,
        window: Window,
        row: Option<BarRow>,
        commit_number: u64,
    ) {
        self.cached.entry(window).or_insert_with(|| CachedWindow {
            row,
            used: commit_number,
            ..CachedWindow::default()
        });
    }

    /// Returns whether a window is in memory.
    pub(crate) fn contains(&self, window: Window) -> bool {
        self.cached.contains_key(&window)
    }

    /// Records that a window is used before a commit, if it is in memory. Returns whether it is.
    pub(crate) fn mark_used_if_cached(&mut self, window: Window, commit_number: u64) -> bool {
        let entry = self.cached.get_mut(&window);
        entry.map(|entry| entry.used = commit_number).is_some()
    }

    /// Returns when the first trade that a window counted was appended, if it is in memory and has
    /// one.
    pub(crate) fn first_trade_append_ns(&self, window: Window) -> Option<i64> {
        let row = self.cached.get(&window)?.row.as_ref()?;
        row.bar.first_trade_append_ns()
    }

    /// Returns the start of the newest minute that has traded.
    pub(crate) const fn newest_minute_ns(&self) -> i64 {
        self.newest_minute_ns
    }

    /// Merges trades of a minute into the bars of all intervals. Windows that end at or before
    /// `closed_until_ns` are closed. Returns the least end of the windows that this opens.
    pub(crate) fn merge_minute_and_get_earliest_new_open_end(
        &mut self,
        minute: &PartialMinuteBar,
        ties: TieOrder,
        closed_until_ns: i64,
        commit_number: u64,
    ) -> Option<i64> {
        let mut earliest_new_open_end_ns: Option<i64> = None;
        self.newest_minute_ns = self.newest_minute_ns.max(minute.start_ns);
        for interval in Interval::ALL {
            let window = interval.window_containing(minute.start_ns);
            let closed = window.end_ns() <= closed_until_ns;
            let entry = self.cached.entry(window).or_default();
            entry.used = commit_number;
            let row = match &mut entry.row {
                Some(row) => {
                    row.bar.merge(&minute.bar, ties);
                    row
                }
                none => {
                    if !closed {
                        self.open.push(window);
                        earliest_new_open_end_ns =
                            earliest_end(earliest_new_open_end_ns, window.end_ns());
                    }
                    none.insert(new_row(window, minute.bar.clone(), closed))
                }
            };
            row.revision += if row.closed { minute.bar.trades } else { 0 };
            row.through = minute.through;
            self.changed.add(window, &mut entry.changes);
        }
        earliest_new_open_end_ns
    }

    /// Closes the open windows that end at or before `closed_until_ns`. Returns the least end of
    /// those that stay open; `i64::MAX` if none does.
    pub(crate) fn close_and_find_next_end(&mut self, closed_until_ns: i64, at: AppliedAt) -> i64 {
        let mut next_close_ns = i64::MAX;
        for window in std::mem::take(&mut self.open) {
            if window.end_ns() > closed_until_ns {
                next_close_ns = next_close_ns.min(window.end_ns());
                self.open.push(window);
                continue;
            }
            let entry = self.cached.get_mut(&window);
            let entry = entry.expect("an open window is in memory");
            let row = entry.row.as_mut().expect("an open window has a bar");
            row.closed = true;
            row.through = at.position();
            entry.used = at.commit_number();
            self.changed.add(window, &mut entry.changes);
        }
        next_close_ns
    }

    /// Returns the closed windows that refolding a minute reads or changes and that are not in
    /// memory: the minute, the longer windows that contain it, and the children of those.
    pub(crate) fn windows_missing_for_refold(
        &mut self,
        minute_start_ns: i64,
        closed_until_ns: i64,
        commit_number: u64,
    ) -> Vec<Window> {
        let mut missing = Vec::new();
        let mut require = |window: Window| {
            let is_known = self.mark_used_if_cached(window, commit_number)
                || window.end_ns() > closed_until_ns;
            if !is_known && !missing.contains(&window) {
                missing.push(window);
            }
        };
        let mut child_interval = Interval::M1;
        require(Interval::M1.window_containing(minute_start_ns));
        for interval in Interval::ALL.into_iter().skip(1) {
            let parent = interval.window_containing(minute_start_ns);
            require(parent);
            windows_overlapping(child_interval, parent.start_ns, parent.end_ns())
                .for_each(&mut require);
            child_interval = interval;
        }
        missing
    }

    /// Returns the number of trades that a window has counted, those cancelled included, or `None`
    /// if it has no bar. A closed window has to be in memory.
    pub(crate) fn admitted_count_if_bar_exists(&self, window: Window) -> Option<u64> {
        let row = self.cached.get(&window)?.row.as_ref()?;
        Some(row.bar.admitted)
    }

    /// Records that the bars of a minute, and of the longer windows that contain it, cannot be
    /// proved any more.
    pub(crate) fn mark_unprovable(&mut self, minute_start_ns: i64, at: AppliedAt) {
        for interval in Interval::ALL {
            let window = interval.window_containing(minute_start_ns);
            let Some(entry) = self.cached.get_mut(&window) else {
                continue;
            };
            let Some(row) = &mut entry.row else {
                continue;
            };
            row.provable = false;
            row.through = at.position();
            entry.used = at.commit_number();
            self.changed.add(window, &mut entry.changes);
        }
    }

    /// Records that a record changed every open window, without another change.
    pub(crate) fn set_through_of_open_bars(&mut self, at: AppliedAt) {
        for window in &self.open {
            let entry = self.cached.get_mut(window);
            let entry = entry.expect("an open window is in memory");
            let row = entry.row.as_mut().expect("an open window has a bar");
            row.through = at.position();
            entry.used = at.commit_number();
            self.changed.add(*window, &mut entry.changes);
        }
    }

    /// Replaces the bar of a minute, and the bars of the longer windows that contain it by the sum
    /// of their children. Returns the least end of the windows that this opens.
    pub(crate) fn replace_minute_and_get_earliest_new_open_end(
        &mut self,
        minute: RefoldedMinute,
        closed_until_ns: i64,
        at: AppliedAt,
    ) -> Option<i64> {
        let mut earliest_new_open_end_ns = None;
        let RefoldedMinute {
            start_ns,
            bar,
            provable,
            amendments,
            creates_row,
        } = minute;
        let mut window = Interval::M1.window_containing(start_ns);
        let mut replacement = (creates_row || bar.trades > 0 || self.has_bar(window))
            .then_some(WindowReplacement { bar, provable });
        for parent_interval in Interval::ALL.into_iter().skip(1).map(Some).chain([None]) {
            if let Some(replacement) = replacement.take()
                && self.replace_bar_and_opens_window(
                    window,
                    replacement,
                    amendments,
                    closed_until_ns,
                    at,
                )
            {
                earliest_new_open_end_ns = earliest_end(earliest_new_open_end_ns, window.end_ns());
            }
            if let Some(interval) = parent_interval {
                let parent = interval.window_containing(start_ns);
                replacement = self.sum_children(parent, window.interval);
                window = parent;
            }
        }
        earliest_new_open_end_ns
    }

    fn has_bar(&self, window: Window) -> bool {
        let entry = self.cached.get(&window);
        entry.is_some_and(|entry| entry.row.is_some())
    }

    /// Returns the sum of the bars of a window's children, or `None` if they have none.
    fn sum_children(&self, parent: Window, child_interval: Interval) -> Option<WindowReplacement> {
        let children = windows_overlapping(child_interval, parent.start_ns, parent.end_ns());
        let mut rows = children.filter_map(|child| self.cached.get(&child)?.row.as_ref());
        let first = rows.next()?;
        let mut sum = WindowReplacement {
            bar: first.bar.clone(),
            provable: first.provable,
        };
        for row in rows {
            sum.bar.merge_other_window(&row.bar);
            sum.provable &= row.provable;
        }
        Some(sum)
    }

    /// Replaces the bar of a window. The append time of the window's first trade is kept, because
    /// the retention of its data counts from it. Returns whether this opens the window.
    fn replace_bar_and_opens_window(
        &mut self,
        window: Window,
        replacement: WindowReplacement,
        amendments: u64,
        closed_until_ns: i64,
        at: AppliedAt,
    ) -> bool {
        let WindowReplacement { mut bar, provable } = replacement;
        let entry = self.cached.entry(window).or_default();
        if let Some(row) = &entry.row {
            bar.first_append_ns = bar.merged_first_append_ns(&row.bar);
        }
        if bar.trades == 0 {
            bar = Bar::empty(window.start_ns, bar.admitted, bar.first_append_ns);
        }
        let is_new = entry.row.is_none();
        let row = match &mut entry.row {
            Some(row) => {
                row.bar = bar;
                row
            }
            none => none.insert(new_row(window, bar, window.end_ns() <= closed_until_ns)),
        };
        row.provable = provable;
        row.revision += if row.closed { amendments } else { 0 };
        row.through = at.position();
        entry.used = at.commit_number();
        self.changed.add(window, &mut entry.changes);
        let opens = is_new && window.end_ns() > closed_until_ns;
        if opens {
            self.open.push(window);
        }
        opens
    }

    /// Takes the bars that changed since the last call, in order of intervals and starts.
    pub(crate) fn take_bars_to_announce(&mut self) -> Vec<BarRow> {
        let windows = self.changed.take_to_announce();
        let mut rows = Vec::with_capacity(windows.len());
        for window in windows {
            let entry = self.cached.get_mut(&window);
            let entry = entry.expect("a changed bar stays in memory");
            entry.changes.clear_announce_flag();
            rows.extend(entry.row.clone());
        }
        rows
    }

    /// Takes the bars to write that changed since the last call.
    pub(crate) fn take_bars_to_write(
        &mut self,
        instrument: &Instrument,
        bars: &mut Vec<StoredBar>,
    ) {
        for window in self.changed.take_to_write() {
            let entry = self.cached.get_mut(&window);
            let entry = entry.expect("a changed bar stays in memory");
            entry.changes.clear_write_flag();
            bars.extend(entry.row.clone().map(|row| StoredBar {
                instrument: instrument.clone(),
                row,
            }));
        }
    }

    /// Returns the number of bars to write.
    pub(crate) const fn unwritten_row_count(&self) -> usize {
        self.changed.unwritten_count()
    }

    /// Drops the closed bars that are announced and stored and were not used since the commit
    /// `before_commit_number`. Returns how many windows are left.
    pub(crate) fn evict_and_count_remaining(&mut self, before_commit_number: u64) -> usize {
        self.cached.retain(|_, entry| {
            let is_open = entry.row.as_ref().is_some_and(|row| !row.closed);
            is_open || entry.changes.is_in_any_list() || entry.used >= before_commit_number
        });
        if self.cached.capacity() > 4 * self.cached.len().max(16) {
            self.cached.shrink_to_fit();
        }
        self.cached.len()
    }
}

fn new_row(window: Window, bar: Bar, closed: bool) -> BarRow {
    BarRow {
        window,
        bar,
        closed,
        revision: 0,
        provable: true,
        through: Position::default(),
    }
}

fn earliest_end(known_ns: Option<i64>, end_ns: i64) -> Option<i64> {
    Some(known_ns.map_or(end_ns, |known_ns| known_ns.min(end_ns)))
}
