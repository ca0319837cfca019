//! The bars of one symbol: when trades reach them, when they close, and when they are refolded.

use market::{
    BarRow, HORIZON_NS, Instrument, Interval, Position, TieOrder, Trade, VenueSettings, Window,
};
use schemas::RefoldResult;
use store::{PartitionTransaction, RefoldMark, SymbolRow};

use super::bars_in_memory::{BarsInMemory, RefoldedMinute};
use super::dirty_minutes::DirtyMinutes;
use super::symbol_clock::SymbolClock;
use crate::core::admission::RefoldOutcome;
use crate::core::applied_at::AppliedAt;
use crate::core::minute_accumulator::MinuteAccumulator;

/// The bars of one symbol.
///
/// Trades of the current minute are summed in the accumulator. They are settled, that is merged
/// into the bars, before a bar is closed, marked, refolded, announced or written.
#[derive(Debug)]
pub(crate) struct SymbolBars {
    /// The order of trades of equal event time.
    ties: TieOrder,
    clock: SymbolClock,
    accumulator: MinuteAccumulator,
    windows: BarsInMemory,
    dirty: DirtyMinutes,
}

impl SymbolBars {
    pub(crate) fn new(ties: TieOrder) -> Self {
        Self {
            ties,
            clock: SymbolClock::new(),
            accumulator: MinuteAccumulator::new(ties),
            windows: BarsInMemory::new(),
            dirty: DirtyMinutes::default(),
        }
    }

    /// Returns the bars of a stored symbol, without its open bars: the caller adds them with
    /// [`SymbolBars::restore_open_bar`].
    pub(crate) fn restore(row: &SymbolRow, ties: TieOrder) -> Self {
        Self {
            clock: SymbolClock::restore(row),
            windows: BarsInMemory::of_stored_symbol_without_bars(row),
            ..Self::new(ties)
        }
    }

    /// Adds a stored open bar.
    pub(crate) fn restore_open_bar(&mut self, row: BarRow) {
        self.clock.add_open_window(row.window.end_ns());
        self.windows.restore_open_bar(row);
    }

    /// Adds a stored dirty minute.
    pub(crate) fn restore_dirty_minute(&mut self, start_ns: i64, mark: RefoldMark) {
        self.dirty.restore(start_ns, mark);
    }

    /// Returns the least append time at which the symbol is idle.
    #[inline]
    pub(crate) const fn idle_from_ns(&self, settings: &VenueSettings) -> i64 {
        self.clock.idle_from_ns(settings)
    }

    /// Returns the least append time at which an open window may close without another trade.
    pub(crate) fn close_due_ns(&self, settings: &VenueSettings) -> Option<i64> {
        self.clock.close_due_ns(settings)
    }

    /// Closes the windows without trades that time alone has closed, if the symbol is idle.
    #[inline]
    pub(crate) fn close_empty_windows_if_idle(&mut self, settings: &VenueSettings, at: AppliedAt) {
        let append_time_ns = at.greatest_append_time_ns();
        if self.clock.is_idle(settings, append_time_ns) {
            self.clock.close_empty_windows(settings, append_time_ns);
        }
    }

    /// Returns whether a time is within the minute that has begun.
    #[inline]
    pub(crate) const fn is_current_minute(&self, time_ns: i64) -> bool {
        self.accumulator.contains(time_ns)
    }

    /// Ends the current minute, and keeps the windows of the next one in memory.
    pub(crate) fn end_minute_and_mark_next_windows_used(
        &mut self,
        next_time_ns: i64,
        at: AppliedAt,
    ) {
        self.merge_accumulator_into_bars(at);
        self.accumulator.end_minute();
        for interval in Interval::ALL {
            self.mark_used_if_cached(interval.window_containing(next_time_ns), at);
        }
    }

    /// Begins the minute that contains a time. None of its windows may be missing.
    pub(crate) fn begin_minute(&mut self, time_ns: i64) {
        self.accumulator.begin_minute(time_ns);
    }

    /// Records that a window is used, if it is in memory.
    pub(crate) fn mark_used_if_cached(&mut self, window: Window, at: AppliedAt) {
        self.windows.mark_used_if_cached(window, at.commit_number());
    }

    /// Returns whether the bar of a window has to be loaded before it is used: the window is closed
    /// and not in memory.
    pub(crate) fn must_be_loaded(&self, window: Window) -> bool {
        self.clock.is_closed(window.end_ns()) && !self.windows.contains(window)
    }

    /// Returns whether a window has a bar. A closed window has to be in memory.
    pub(crate) fn has_bar(&self, window: Window) -> bool {
        self.windows.admitted_count_if_bar_exists(window).is_some()
    }

    /// Returns whether the record is within the horizon of the current minute's hour.
    #[inline]
    pub(crate) fn is_current_minute_within_horizon(&mut self, at: AppliedAt) -> bool {
        if self.accumulator.is_empty() {
            let horizon_end_ns = self.horizon_end_ns(self.accumulator.start_ns(), at);
            self.accumulator.set_horizon_end(horizon_end_ns);
        }
        self.accumulator
            .is_within_horizon(at.greatest_append_time_ns())
    }

    /// Returns whether the record is within the horizon of the hour that contains a time.
    pub(crate) fn is_hour_within_horizon(&self, time_ns: i64, at: AppliedAt) -> bool {
        at.greatest_append_time_ns() <= self.horizon_end_ns(time_ns, at)
    }

    /// Returns until when the hour of a time can change: six days from the append of its first
    /// trade.
    fn horizon_end_ns(&self, time_ns: i64, at: AppliedAt) -> i64 {
        let first_append_ns = self.first_append_of_hour_ns(time_ns);
        let first_append_ns = first_append_ns.unwrap_or(at.greatest_append_time_ns());
        first_append_ns.saturating_add(HORIZON_NS)
    }

    /// Returns when the first trade of the hour that contains a time was appended, if it has one.
    pub(crate) fn first_append_of_hour_ns(&self, time_ns: i64) -> Option<i64> {
        self.windows
            .first_trade_append_ns(Interval::H1.window_containing(time_ns))
    }

    /// Adds a trade of the current minute. Returns whether it is late: its minute was closed
    /// before.
    #[inline]
    pub(crate) fn add_trade_and_is_late(&mut self, trade: &Trade, at: AppliedAt) -> bool {
        if self.accumulator.is_empty() {
            self.record_shortest_open_window();
        }
        let (offset, append_time_ns) = (at.position().offset, at.greatest_append_time_ns());
        if !self
            .accumulator
            .add_if_scales_fit(trade, offset, append_time_ns)
        {
            self.merge_accumulator_into_bars(at);
            self.accumulator.widen_scales(trade);
            let added = self
                .accumulator
                .add_if_scales_fit(trade, offset, append_time_ns);
            debug_assert!(added, "one trade fits scales of its own");
        }
        let minute_end_ns = self.accumulator.start_ns() + market::MINUTE_NS;
        self.clock.is_closed(minute_end_ns)
    }

    /// Records the shortest open window of the current minute: it opens with its first trade.
    fn record_shortest_open_window(&mut self) {
        let start_ns = self.accumulator.start_ns();
        let ends = Interval::ALL.map(|interval| interval.window_containing(start_ns).end_ns());
        if let Some(end_ns) = ends.into_iter().find(|end| !self.clock.is_closed(*end)) {
            self.clock.add_open_window(end_ns);
        }
    }

    /// Moves the watermark to a trade that was just added, and closes the windows it closes.
    #[inline]
    pub(crate) fn advance_watermark_and_close_windows(
        &mut self,
        time_ns: i64,
        settings: &VenueSettings,
        at: AppliedAt,
    ) {
        let append_time_ns = at.greatest_append_time_ns();
        let closed_ns =
            self.clock
                .move_watermark_and_find_close_target(time_ns, settings, append_time_ns);
        self.close_until(closed_ns, at);
    }

    /// Closes the windows that are due, because time has passed or the settings have changed.
    pub(crate) fn close_due_windows(&mut self, settings: &VenueSettings, at: AppliedAt) {
        let closed_ns = self
            .clock
            .close_target_ns(settings, at.greatest_append_time_ns());
        self.close_until(closed_ns, at);
    }

    #[inline]
    fn close_until(&mut self, closed_ns: i64, at: AppliedAt) {
        if self.clock.is_closed(closed_ns) {
            return;
        }
        if self.clock.closes_open_window(closed_ns) {
            // The trades in the accumulator came while their windows were still open.
            self.merge_accumulator_into_bars(at);
            let next_close_ns = self.windows.close_and_find_next_end(closed_ns, at);
            self.clock.close_open_windows(closed_ns, next_close_ns);
        } else {
            self.clock.set_closed_until(closed_ns);
        }
    }

    /// Marks the row of the symbol as changed, so that it is stored: new settings must not reopen
    /// windows that earlier settings have closed.
    pub(crate) const fn mark_row_changed(&mut self) {
        self.clock.mark_row_changed();
    }

    /// Merges the trades in the accumulator into the bars of every interval.
    pub(crate) fn merge_accumulator_into_bars(&mut self, at: AppliedAt) {
        let Some(minute) = self.accumulator.take_bar(at.position().epoch) else {
            return;
        };
        self.dirty
            .add_later_trades_if_dirty(minute.start_ns, &minute.bar, self.ties);
        let closed_until_ns = self.clock.closed_until_ns();
        let opened = self.windows.merge_minute_and_get_earliest_new_open_end(
            &minute,
            self.ties,
            closed_until_ns,
            at.commit_number(),
        );
        if let Some(end_ns) = opened {
            self.clock.add_open_window(end_ns);
        }
    }

    /// Marks the minute that contains a time as dirty, up to this record. The accumulator is
    /// settled before. With `force`, the refold counts even if its ticks are not all there.
    pub(crate) fn mark_minute_dirty(
        &mut self,
        time_ns: i64,
        amendments: u64,
        force: bool,
        at: AppliedAt,
    ) {
        let start_ns = Interval::M1.window_containing(time_ns).start_ns;
        self.dirty
            .mark_dirty(start_ns, at.next_position(), amendments, force);
    }

    /// Returns the number of dirty minutes.
    #[inline]
    pub(crate) fn dirty_minute_count(&self) -> usize {
        self.dirty.len()
    }

    /// Returns whether the minute of a refold is dirty with the same mark; if not, the refold is
    /// stale.
    pub(crate) fn matches_refold_mark(&self, refold: &RefoldResult) -> bool {
        self.dirty.matches_mark(refold)
    }

    /// Returns the windows that a refold needs and that have to be loaded.
    pub(crate) fn windows_missing_for_refold(
        &mut self,
        refold: &RefoldResult,
        commit_number: u64,
    ) -> Vec<Window> {
        let closed_until_ns = self.clock.closed_until_ns();
        self.windows
            .windows_missing_for_refold(refold.start_ns, closed_until_ns, commit_number)
    }

    /// Replaces a dirty minute by the bar of a refold and the trades that came later, and the
    /// longer windows that contain it. Refuses the refold if it was folded from another number of
    /// trades than the minute has counted.
    pub(crate) fn apply_refold(&mut self, refold: &RefoldResult, at: AppliedAt) -> RefoldOutcome {
        if !self.dirty.matches_mark(refold) {
            return RefoldOutcome::Stale;
        }
        self.merge_accumulator_into_bars(at);
        let mark = self.dirty.take_mark(refold.start_ns);
        let window = Interval::M1.window_containing(refold.start_ns);
        let counted = self.windows.admitted_count_if_bar_exists(window);
        let mut bar = refold.bar.clone();
        if let Some(later) = &mark.later_bar {
            bar.merge(later, self.ties);
        }
        if bar.admitted == 0 {
            // Retention of a minute without ticks counts from its refold.
            bar.first_append_ns = bar.first_append_ns.min(at.greatest_append_time_ns());
        }
        if bar.admitted != counted.unwrap_or(0) && !mark.force {
            self.windows.mark_unprovable(window.start_ns, at);
            return RefoldOutcome::Refused {
                counted: counted.unwrap_or(0),
                found: bar.admitted,
            };
        }
        let minute = RefoldedMinute {
            start_ns: window.start_ns,
            provable: counted.is_none_or(|counted| counted == bar.admitted),
            bar,
            amendments: mark.amendments,
            creates_row: mark.force,
        };
        let closed_until_ns = self.clock.closed_until_ns();
        let opened =
            self.windows
                .replace_minute_and_get_earliest_new_open_end(minute, closed_until_ns, at);
        if let Some(end_ns) = opened {
            self.clock.add_open_window(end_ns);
        }
        RefoldOutcome::Applied
    }

    /// Leaves out a refold whose result cannot be stored. Returns whether its minute was dirty with
    /// the same mark.
    pub(crate) fn clear_mark_of_left_out_refold(&mut self, refold: &RefoldResult) -> bool {
        let is_dirty = self.dirty.matches_mark(refold);
        if is_dirty {
            self.dirty.take_mark(refold.start_ns);
        }
        is_dirty
    }

    /// Records that the bars of a minute, and of the longer windows that contain it, cannot be
    /// proved any more. Closed windows have to be in memory.
    pub(crate) fn mark_unprovable(&mut self, minute_start_ns: i64, at: AppliedAt) {
        self.merge_accumulator_into_bars(at);
        self.windows.mark_unprovable(minute_start_ns, at);
    }

    /// Records that this record changed every open window, without another change.
    pub(crate) fn set_through_of_open_bars(&mut self, at: AppliedAt) {
        self.merge_accumulator_into_bars(at);
        self.windows.set_through_of_open_bars(at);
    }

    /// Returns whether any dirty minute has no refold requested.
    pub(crate) fn has_unrequested_refolds(&self) -> bool {
        self.dirty.has_unrequested_refolds()
    }

    /// Requests refolds, at most `limit`, of dirty minutes that are marked up to `marked_up_to` at
    /// most. Returns the start and the mark's position of each.
    pub(crate) fn request_refolds(
        &mut self,
        marked_up_to: Position,
        limit: usize,
    ) -> Vec<(i64, Position)> {
        self.dirty.request_refolds(marked_up_to, limit)
    }

    /// Forgets which refolds were requested.
    pub(crate) fn forget_requested_refolds(&mut self) {
        self.dirty.forget_requested_refolds();
    }

    /// Puts a loaded bar into memory, unless the window is there already.
    pub(crate) fn accept_bar(
        &mut self,
        window: Window,
        row: Option<Box<BarRow>>,
        commit_number: u64,
    ) {
        let row = row.map(|row| *row);
        self.windows
            .insert_loaded_if_absent(window, row, commit_number);
    }

    /// Returns the start of the newest minute that has traded.
    pub(crate) const fn newest_minute_ns(&self) -> i64 {
        self.windows.newest_minute_ns()
    }

    /// Takes the bars that changed since the last call, in order of intervals and starts.
    pub(crate) fn take_bars_to_announce(&mut self, at: AppliedAt) -> Vec<BarRow> {
        self.merge_accumulator_into_bars(at);
        self.windows.take_bars_to_announce()
    }

    /// Moves the changed bars, dirty minutes and row of the symbol into a transaction.
    pub(crate) fn flush(
        &mut self,
        instrument: &Instrument,
        transaction: &mut PartitionTransaction,
        at: AppliedAt,
    ) {
        self.merge_accumulator_into_bars(at);
        self.dirty
            .take_changes(instrument, &mut transaction.dirty_minutes);
        self.windows
            .take_bars_to_write(instrument, &mut transaction.bars);
        transaction.symbols.extend(
            self.clock
                .take_changed_row(instrument, self.newest_minute_ns()),
        );
    }

    /// Returns the number of bars and rows of the symbol that a flush would write.
    pub(crate) fn unwritten_row_count(&self) -> usize {
        self.windows.unwritten_row_count() + usize::from(self.clock.is_changed())
    }

    /// Drops the bars that are stored, closed, and were not used since the commit
    /// `before_commit_number`. Returns how many are left.
    pub(crate) fn evict_and_count_remaining(
        &mut self,
        before_commit_number: u64,
        at: AppliedAt,
    ) -> usize {
        self.merge_accumulator_into_bars(at);
        self.accumulator.end_minute();
        self.windows.evict_and_count_remaining(before_commit_number)
    }
}
