//! The watermark of a symbol, and which of its windows it has closed.

use market::{Instrument, VenueSettings};
use store::SymbolRow;

/// The watermark of a symbol, and the time up to which its windows are closed.
///
/// The time up to which windows are closed never goes back. Times are in UTC nanoseconds.
#[derive(Debug)]
pub(crate) struct SymbolClock {
    /// The watermark as of the last trade; `i64::MIN` before the first.
    watermark_ns: i64,
    /// When the last trade was appended; `i64::MIN` before the first.
    last_append_ns: i64,
    /// Windows that end at or before this are closed.
    closed_until_ns: i64,
    /// The least end of an open window; `i64::MAX` if there is none.
    next_close_ns: i64,
    /// Whether the symbol's row is to be stored.
    is_changed: bool,
}

impl SymbolClock {
    /// Returns the clock of a symbol that has not traded.
    pub(crate) const fn new() -> Self {
        Self {
            watermark_ns: i64::MIN,
            last_append_ns: i64::MIN,
            closed_until_ns: i64::MIN,
            next_close_ns: i64::MAX,
            is_changed: false,
        }
    }

    /// Returns the clock of a stored symbol, without its open windows: the caller adds them with
    /// [`SymbolClock::add_open_window`].
    pub(crate) const fn restore(row: &SymbolRow) -> Self {
        Self {
            watermark_ns: row.watermark_ns,
            last_append_ns: row.last_append_ns,
            closed_until_ns: row.closed_until_ns,
            ..Self::new()
        }
    }

    /// Returns the time up to which windows are closed.
    #[inline]
    pub(crate) const fn closed_until_ns(&self) -> i64 {
        self.closed_until_ns
    }

    /// Returns whether a window that ends at `end_ns` is closed.
    #[inline]
    pub(crate) const fn is_closed(&self, end_ns: i64) -> bool {
        end_ns <= self.closed_until_ns
    }

    /// Records that a window that ends at `end_ns` is open.
    pub(crate) fn add_open_window(&mut self, end_ns: i64) {
        self.next_close_ns = self.next_close_ns.min(end_ns);
    }

    /// Moves the watermark to a trade. Returns the time up to which windows are to be closed.
    #[inline]
    pub(crate) fn move_watermark_and_find_close_target(
        &mut self,
        time_ns: i64,
        settings: &VenueSettings,
        append_time_ns: i64,
    ) -> i64 {
        let watermark_ns = self.watermark_at(settings, append_time_ns).max(time_ns);
        self.watermark_ns = watermark_ns;
        self.last_append_ns = append_time_ns;
        self.is_changed = true;
        watermark_ns.saturating_sub(settings.lateness_ns)
    }

    /// Returns the watermark at an append time: it moves on once the symbol is idle.
    #[inline]
    const fn watermark_at(&self, settings: &VenueSettings, append_time_ns: i64) -> i64 {
        settings.watermark_at(self.watermark_ns, self.last_append_ns, append_time_ns)
    }

    /// Returns the time up to which windows are to be closed at an append time.
    pub(crate) const fn close_target_ns(
        &self,
        settings: &VenueSettings,
        append_time_ns: i64,
    ) -> i64 {
        let watermark_ns = self.watermark_at(settings, append_time_ns);
        watermark_ns.saturating_sub(settings.lateness_ns)
    }

    /// Returns whether the symbol is idle at an append time.
    #[inline]
    pub(crate) const fn is_idle(&self, settings: &VenueSettings, append_time_ns: i64) -> bool {
        append_time_ns.saturating_sub(self.last_append_ns) >= settings.idle_ns
    }

    /// Returns the least append time at which the symbol is idle.
    #[inline]
    pub(crate) const fn idle_from_ns(&self, settings: &VenueSettings) -> i64 {
        self.last_append_ns.saturating_add(settings.idle_ns)
    }

    /// Closes the windows without trades that time alone has closed, if no other window closes.
    pub(crate) fn close_empty_windows(&mut self, settings: &VenueSettings, append_time_ns: i64) {
        let closed_ns = self.close_target_ns(settings, append_time_ns);
        if closed_ns < self.next_close_ns {
            self.closed_until_ns = self.closed_until_ns.max(closed_ns);
        }
    }

    /// Returns whether an open window closes if all windows up to `closed_ns` do.
    #[inline]
    pub(crate) const fn closes_open_window(&self, closed_ns: i64) -> bool {
        closed_ns >= self.next_close_ns
    }

    /// Closes all windows up to `closed_ns`, which close no open window.
    #[inline]
    pub(crate) const fn set_closed_until(&mut self, closed_ns: i64) {
        self.closed_until_ns = closed_ns;
    }

    /// Closes all windows up to `closed_ns`, after which the least end of an open window is
    /// `next_close_ns`.
    pub(crate) const fn close_open_windows(&mut self, closed_ns: i64, next_close_ns: i64) {
        self.closed_until_ns = closed_ns;
        self.next_close_ns = next_close_ns;
        self.is_changed = true;
    }

    /// Returns the least append time at which an open window may close without another trade.
    pub(crate) fn close_due_ns(&self, settings: &VenueSettings) -> Option<i64> {
        // A window that a forced refold opened closes only once the symbol has traded.
        if self.next_close_ns == i64::MAX || self.watermark_ns == i64::MIN {
            return None;
        }
        let wait_ns = self
            .next_close_ns
            .saturating_add(settings.lateness_ns)
            .saturating_sub(self.watermark_ns);
        let wait_ns = wait_ns.max(settings.idle_ns);
        Some(self.last_append_ns.saturating_add(wait_ns))
    }

    /// Marks the row as changed although no trade came, so that it is stored: new settings must not
    /// reopen a closed window.
    pub(crate) const fn mark_row_changed(&mut self) {
        self.is_changed = true;
    }

    /// Returns whether the symbol's row is to be stored.
    pub(crate) const fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// Takes the symbol's row if it changed since the last call.
    pub(crate) fn take_changed_row(
        &mut self,
        instrument: &Instrument,
        newest_minute_ns: i64,
    ) -> Option<SymbolRow> {
        std::mem::take(&mut self.is_changed).then(|| SymbolRow {
            instrument: instrument.clone(),
            watermark_ns: self.watermark_ns,
            last_append_ns: self.last_append_ns,
            closed_until_ns: self.closed_until_ns,
            newest_minute_ns,
        })
    }
}
