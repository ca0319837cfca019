//! All symbols of the partition, and what the core knows about them as a whole.

use bytes::Bytes;
use market::{Amendment, DeclaredSettings, Instrument, Position, Trade, Venue, VenueSettings};
use schemas::{LeftOutNotice, RefoldResult, Repair, SETTINGS_PARTITION};
use store::PartitionTransaction;

use super::admission::{Admission, RefoldOutcome};
use super::alarms::{WindowCloseAlarm, WindowCloseAlarms};
use super::applied_at::AppliedAt;
use super::bar_update::InstrumentBarUpdate;
use super::changed_symbols::ChangedSymbols;
use super::dirty_symbols::SymbolsWithDirtyMinutes;
use super::id_memory::IdEvictionOutcome;
use super::id_set::IdDigestKey;
use super::keyed_item::ResolvedRecordKey;
use super::loading::{LoadRequest, LoadedData};
use super::refold_request::RefoldRequest;
use super::symbol::SymbolFold;
use super::symbol_table::SymbolTable;
use super::venue_table::VenueTable;

/// All symbols of the partition with their venues. It passes each record to its symbol and keeps
/// the alarms, the lists of changes and the index of dirty symbols up to date.
#[derive(Debug)]
pub(crate) struct PartitionSymbols {
    partition: u32,
    partitions: u32,
    digest_key: IdDigestKey,
    venues: VenueTable,
    table: SymbolTable,
    alarms: WindowCloseAlarms,
    changes: ChangedSymbols,
    dirty: SymbolsWithDirtyMinutes,
}

impl PartitionSymbols {
    /// Returns the symbols of a partition of a topic with `partitions` partitions, with their
    /// alarms set.
    pub(crate) fn new(
        partition: u32,
        partitions: u32,
        digest_key: IdDigestKey,
        venues: VenueTable,
        table: SymbolTable,
        dirty: SymbolsWithDirtyMinutes,
    ) -> Self {
        let mut symbols = Self {
            partition,
            partitions,
            digest_key,
            venues,
            table,
            alarms: WindowCloseAlarms::new(),
            changes: ChangedSymbols::default(),
            dirty,
        };
        for index in 0..symbols.table.len() {
            symbols.set_symbol_alarm(index);
        }
        symbols
    }

    /// Returns the symbol, instrument or error that a record's key leads to.
    #[inline]
    pub(crate) fn resolve_record_key(&mut self, key: &Bytes) -> ResolvedRecordKey {
        if let Some(index) = self.table.find_by_key(key) {
            return ResolvedRecordKey::Symbol(index);
        }
        match schemas::instrument_from_key(key, self.partition, self.partitions) {
            Err(reject) => ResolvedRecordKey::Rejected(reject),
            Ok(instrument) => match self.venues.declared_index(instrument.venue()) {
                Some(venue) => ResolvedRecordKey::New(instrument, venue),
                None => ResolvedRecordKey::UnknownVenue,
            },
        }
    }

    /// Adds a symbol and returns its index.
    pub(crate) fn add(&mut self, instrument: Instrument, venue_index: usize) -> u32 {
        let ties = self.venues.settings(venue_index).ties;
        let symbol = SymbolFold::new(instrument, venue_index, ties, self.digest_key);
        self.table.add(symbol)
    }

    /// Returns the settings of a declared venue.
    pub(crate) fn settings_of_venue(&self, venue_index: usize) -> &VenueSettings {
        self.venues.settings(venue_index)
    }

    /// Returns the settings of an instrument's venue, if the instrument has a symbol.
    pub(crate) fn settings_for(&self, instrument: &Instrument) -> Option<VenueSettings> {
        let index = self.table.index_by_instrument(instrument)?;
        Some(*self.venues.settings(self.table.get(index).venue_index()))
    }

    /// Folds a trade that the record and its append time allow.
    #[inline]
    pub(crate) fn fold_trade(&mut self, index: u32, trade: &Trade, at: AppliedAt) -> Admission {
        let symbol = self.table.get_mut(index);
        let settings = self.venues.settings(symbol.venue_index());
        if let Err(reject) = settings.validate_trade(trade) {
            return Admission::Rejected(reject);
        }
        let admission = symbol.fold_trade(trade, settings, at);
        if matches!(admission, Admission::Counted { .. }) {
            if symbol.dirty_minute_count() > 0 {
                self.dirty.add(index);
            }
            let idle_from_ns = symbol.idle_from_ns(settings);
            if symbol.alarm_mut().is_later_than(idle_from_ns) {
                self.alarms.set(index, symbol.alarm_mut(), idle_from_ns);
            }
            self.changes.add(index, symbol.change_flags_mut());
        }
        admission
    }

    /// Returns the data to load before `trade`, which its record allows, can be folded.
    pub(crate) fn load_requests_for_trade(&self, index: u32, trade: &Trade) -> Vec<LoadRequest> {
        let symbol = self.table.get(index);
        let settings = self.venues.settings(symbol.venue_index());
        match settings.validate_trade(trade) {
            Ok(()) => symbol.load_requests_for_trade(trade, settings),
            Err(_) => Vec::new(),
        }
    }

    /// Applies an edit or a cancel that the record and its append time allow.
    pub(crate) fn apply_amendment(
        &mut self,
        index: u32,
        amendment: &Amendment,
        trade: &Trade,
        at: AppliedAt,
    ) -> Admission {
        let symbol = self.table.get_mut(index);
        let settings = self.venues.settings(symbol.venue_index());
        if let Err(reject) = settings.validate_amendment(amendment, trade) {
            return Admission::Rejected(reject);
        }
        let admission = symbol.apply_amendment(amendment, trade, settings, at);
        if matches!(admission, Admission::Counted { .. }) {
            self.record_dirty_minutes_change(index);
        }
        admission
    }

    /// Marks the minutes of a range.
    pub(crate) fn mark_minutes_for_repair(
        &mut self,
        index: u32,
        repair: Repair,
        at: AppliedAt,
    ) -> Admission {
        let admission = self
            .table
            .get_mut(index)
            .mark_minutes_for_repair(repair, at);
        if matches!(admission, Admission::Counted { .. }) {
            self.record_dirty_minutes_change(index);
        }
        admission
    }

    /// Returns the data to load before a refold can be applied.
    pub(crate) fn load_requests_for_refold(
        &mut self,
        key: &Bytes,
        refold: &RefoldResult,
        commit_number: u64,
    ) -> Vec<LoadRequest> {
        let Some(index) = self.table.find_by_key(key) else {
            return Vec::new();
        };
        let symbol = self.table.get_mut(index);
        symbol.load_requests_for_refold(refold, commit_number)
    }

    /// Replaces a minute by the bar of a refold, and the longer windows by the sum of their
    /// children.
    pub(crate) fn apply_refold(
        &mut self,
        index: u32,
        refold: &RefoldResult,
        at: AppliedAt,
    ) -> RefoldOutcome {
        let symbol = self.table.get_mut(index);
        let settings = self.venues.settings(symbol.venue_index());
        let outcome = symbol.apply_refold(refold, settings, at);
        if outcome != RefoldOutcome::Stale {
            self.record_dirty_minutes_change(index);
            // A forced refold may open a window.
            self.set_symbol_alarm(index);
        }
        outcome
    }

    /// Gives the bars that an earlier record may have changed a later `through`, because that
    /// record is left out.
    pub(crate) fn apply_left_out_notice(
        &mut self,
        index: u32,
        left_out: LeftOutNotice,
        at: AppliedAt,
    ) -> Admission {
        let admission = self
            .table
            .get_mut(index)
            .apply_left_out_notice(left_out, at);
        if matches!(admission, Admission::Counted { .. }) {
            self.record_dirty_minutes_change(index);
        }
        admission
    }

    /// Leaves out a refold: its minute is no longer dirty, because if the mark stayed, the same
    /// refold would be appended again.
    pub(crate) fn clear_mark_of_left_out_refold(&mut self, key: &Bytes, refold: &RefoldResult) {
        if let ResolvedRecordKey::Symbol(index) = self.resolve_record_key(key)
            && self
                .table
                .get_mut(index)
                .clear_mark_of_left_out_refold(refold)
        {
            self.record_dirty_minutes_change(index);
        }
    }

    /// Closes the windows that a trade at a time closes, without counting it.
    pub(crate) fn advance_watermark_for_uncounted_trade(
        &mut self,
        key: &Bytes,
        time_ns: i64,
        at: AppliedAt,
    ) {
        if let Some(index) = self.table.find_by_key(key) {
            let symbol = self.table.get_mut(index);
            let settings = self.venues.settings(symbol.venue_index());
            symbol.advance_watermark_for_uncounted_trade(time_ns, settings, at);
            self.changes.add(index, symbol.change_flags_mut());
        }
    }

    /// Lists a symbol whose dirty minutes have changed.
    fn record_dirty_minutes_change(&mut self, index: u32) {
        let symbol = self.table.get_mut(index);
        self.dirty.add_or_remove(index, symbol.dirty_minute_count());
        self.changes.add(index, symbol.change_flags_mut());
    }

    /// Passes loaded data to its symbol. `at` is that of the record that waits for it.
    pub(crate) fn accept_loaded(&mut self, loaded: LoadedData, at: AppliedAt) {
        if let Some(index) = self.table.index_by_instrument(loaded.instrument()) {
            self.table.get_mut(index).accept_loaded(loaded, at);
        }
    }

    /// Returns the memory that ids use, in bytes. Those that are stored as ranges are not counted.
    pub(crate) fn id_resident_bytes(&self) -> usize {
        let symbols = self.table.iter();
        symbols.map(|symbol| symbol.ids().resident_bytes()).sum()
    }

    /// Drops the least used segments of ids that are stored, until at most `target_bytes` are left
    /// of `resident_bytes`. Those used at or after `keep_from_offset` stay.
    pub(crate) fn evict_id_segments(
        &mut self,
        resident_bytes: usize,
        target_bytes: usize,
        keep_from_offset: u64,
        commit_number: u64,
    ) -> IdEvictionOutcome {
        let mut segments = Vec::new();
        for symbol in self.table.iter() {
            symbol
                .ids()
                .add_resident_segments(commit_number, &mut segments);
        }
        segments.retain(|segment| segment.used_at_offset < keep_from_offset);
        let commit_frees_memory = segments.iter().any(|segment| segment.waits_for_commit);
        segments.retain(|segment| !segment.waits_for_commit);
        segments.sort_unstable_by_key(|segment| segment.used_at_offset);
        let mut left_bytes = resident_bytes;
        let mut used_until_offset = None;
        for segment in segments {
            if left_bytes <= target_bytes {
                break;
            }
            left_bytes = left_bytes.saturating_sub(segment.resident_bytes);
            used_until_offset = Some(segment.used_at_offset);
        }
        let mut evicted_segments = 0;
        if let Some(used_until_offset) = used_until_offset {
            for symbol in self.table.iter_mut() {
                evicted_segments +=
                    symbol.evict_id_segments_and_count_evicted(used_until_offset, commit_number);
            }
        }
        IdEvictionOutcome {
            left_bytes: self.id_resident_bytes(),
            evicted_segments,
            commit_frees_memory,
        }
    }

    /// Closes the windows that are due because time has passed, without a trade.
    #[inline]
    pub(crate) fn close_due_windows(&mut self, at: AppliedAt) {
        while self.alarms.is_due(at.greatest_append_time_ns()) {
            self.handle_first_alarm(at);
        }
    }

    /// Closes the due windows of the symbol whose alarm is first.
    fn handle_first_alarm(&mut self, at: AppliedAt) {
        let index = self.alarms.pop_first_symbol();
        let symbol = self.table.get_mut(index);
        *symbol.alarm_mut() = WindowCloseAlarm::unset();
        let settings = self.venues.settings(symbol.venue_index());
        let due_ns = symbol.close_due_ns(settings);
        if due_ns.is_some_and(|due_ns| due_ns <= at.greatest_append_time_ns()) {
            symbol.close_due_windows(settings, at);
            self.changes.add(index, symbol.change_flags_mut());
        }
        self.set_symbol_alarm(index);
    }

    /// Sets the alarm of a symbol that has open windows to when the next of them may close.
    fn set_symbol_alarm(&mut self, index: u32) {
        let symbol = self.table.get_mut(index);
        let settings = self.venues.settings(symbol.venue_index());
        if let Some(due_ns) = symbol.close_due_ns(settings) {
            self.alarms.set(index, symbol.alarm_mut(), due_ns);
        }
    }

    /// Returns whether there is any symbol.
    pub(crate) const fn has_symbols(&self) -> bool {
        !self.table.is_empty()
    }

    /// Returns whether any window can close by time alone.
    pub(crate) fn time_can_close_windows(&self) -> bool {
        !self.alarms.is_empty()
    }

    /// Returns whether this partition orders the changes of settings.
    pub(crate) const fn is_settings_partition(&self) -> bool {
        self.partition == SETTINGS_PARTITION
    }

    /// Returns the venues with their settings.
    pub(crate) const fn venues(&self) -> &VenueTable {
        &self.venues
    }

    /// Returns whether settings have to be copied to the other partitions and announced.
    pub(crate) const fn has_settings_to_copy(&self) -> bool {
        self.venues.has_settings_to_copy()
    }

    /// Takes the settings that have to be copied and announced, in the order of their changes.
    pub(crate) fn take_settings_to_copy(&mut self) -> Vec<(Venue, DeclaredSettings)> {
        self.venues.take_settings_to_copy()
    }

    /// Puts the settings that result from a change in force, and requests copies of them.
    pub(crate) fn change_settings(&mut self, venue: Venue, settings: VenueSettings, at: AppliedAt) {
        let declared = DeclaredSettings {
            settings,
            declared_at: at.position(),
        };
        self.declare_venue(venue.as_str(), declared, at);
        self.venues.request_copies(venue, declared);
    }

    /// Puts a venue's settings in force. Windows that the earlier settings have closed stay closed.
    pub(crate) fn declare_venue(&mut self, venue: &str, declared: DeclaredSettings, at: AppliedAt) {
        let venue = self.venues.index_or_add(venue);
        let indexes = self.table.indexes_of_venue(venue);
        for index in &indexes {
            let symbol = self.table.get_mut(*index);
            symbol.close_due_windows(self.venues.settings(venue), at);
        }
        self.venues.declare_settings(venue, declared);
        for index in indexes {
            let symbol = self.table.get_mut(index);
            symbol.close_due_windows(self.venues.settings(venue), at);
            symbol.mark_row_changed();
            self.changes.add(index, symbol.change_flags_mut());
            self.set_symbol_alarm(index);
        }
    }

    /// Returns whether any symbol changed since the last [`PartitionSymbols::take_updates`],
    /// perhaps none of its bars.
    pub(crate) const fn may_have_updates(&self) -> bool {
        self.changes.has_symbols_to_announce()
    }

    /// Takes the bars that changed since the last call, one update for each instrument.
    pub(crate) fn take_updates(&mut self, at: AppliedAt) -> Vec<InstrumentBarUpdate> {
        let indexes = self.changes.take_to_announce();
        let mut updates = Vec::with_capacity(indexes.len());
        for index in indexes {
            let symbol = self.table.get_mut(index);
            symbol.change_flags_mut().clear_announce_flag();
            updates.extend(symbol.take_update(at));
        }
        updates
    }

    /// Returns the number of rows of symbols, bars and ids that the next transaction writes.
    pub(crate) fn unwritten_row_count(&self) -> usize {
        let symbols = self.changes.symbols_to_write().iter();
        symbols
            .map(|index| self.table.get(*index).unwritten_row_count())
            .sum()
    }

    /// Moves the changes since the last call into a transaction.
    pub(crate) fn flush(&mut self, transaction: &mut PartitionTransaction, at: AppliedAt) {
        for index in self.changes.take_to_write() {
            let symbol = self.table.get_mut(index);
            symbol.change_flags_mut().clear_write_flag();
            symbol.flush(transaction, at);
        }
        transaction.venues = self.venues.take_unstored();
    }

    /// Drops the bars and sets of ids that are stored and were not used since the commit
    /// `before_commit_number`. Returns how many are left.
    pub(crate) fn evict_and_count_remaining(
        &mut self,
        before_commit_number: u64,
        at: AppliedAt,
    ) -> usize {
        let symbols = self.table.iter_mut();
        symbols
            .map(|symbol| symbol.evict_and_count_remaining(before_commit_number, at))
            .sum()
    }

    /// Returns the number of dirty minutes.
    pub(crate) fn dirty_minute_count(&self) -> usize {
        let dirty = self.dirty.iter();
        dirty
            .map(|index| self.table.get(index).dirty_minute_count())
            .sum()
    }

    /// Returns whether any dirty minute has no refold requested.
    pub(crate) fn has_unrequested_refolds(&self) -> bool {
        let mut dirty = self.dirty.iter();
        dirty.any(|index| self.table.get(index).has_unrequested_refolds())
    }

    /// Requests refolds, at most `limit`, of dirty minutes that are marked up to `marked_up_to` at
    /// most.
    pub(crate) fn request_refolds(
        &mut self,
        marked_up_to: Position,
        limit: usize,
    ) -> Vec<RefoldRequest> {
        let mut refolds = Vec::new();
        for index in self.dirty.iter() {
            let symbol = self.table.get_mut(index);
            symbol.request_refolds(marked_up_to, limit, &mut refolds);
        }
        refolds
    }

    /// Forgets which refolds were requested, so that all can be requested again.
    pub(crate) fn forget_requested_refolds(&mut self) {
        for index in self.dirty.iter() {
            self.table.get_mut(index).forget_requested_refolds();
        }
    }
}
