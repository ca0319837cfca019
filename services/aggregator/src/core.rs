//! The fold of one partition, as a pure state machine.

mod admission;
mod alarms;
mod applied_at;
mod bar_update;
mod changed_symbols;
mod counts;
mod dirty_symbols;
mod id_memory;
mod id_set;
mod keyed_item;
mod loading;
mod minute_accumulator;
mod partition_symbols;
mod pending_loads;
mod prefetch;
mod record_application;
mod refold_request;
mod rejections;
mod restore;
mod symbol;
mod symbol_table;
mod venue_table;

use eventlog::Record;
use market::{DeclaredSettings, Instrument, Position, Venue, VenueSettings};
use schemas::{DeadLetter, TradesTopicRecord};
use store::{PartitionProgress, PartitionState, PartitionTransaction};

use applied_at::AppliedAt;
use id_memory::IdMemory;
use partition_symbols::PartitionSymbols;
use pending_loads::PendingLoadRequests;
use prefetch::add_prefetch_requests;
use record_application::{RecordApplication, RecordOutcome};
use rejections::Rejections;
use restore::restore_symbols;

pub use bar_update::InstrumentBarUpdate;
pub use counts::FoldCounts;
pub use loading::{IdSegmentRequest, IdSetRequest, LoadRequest, LoadedData};
pub use refold_request::RefoldRequest;

/// How many commits an unused closed bar or set of ids stays in memory.
const KEPT_COMMITS: u64 = 16;
/// How often memory is swept, in commits.
const SWEEP_COMMITS: u64 = 4;
/// How many unused bars and sets of ids may stay in memory.
const MAX_UNUSED: usize = 20_000;

/// The fold of one partition.
///
/// Records go in; updates, dead letters, counts and transactions come out. It does no I/O: if a
/// record needs data that is not in memory, it stops there and requests the data.
#[derive(Debug)]
pub struct FoldCore {
    progress: PartitionProgress,
    /// The number of the commit that comes next; what was last used long before it is evicted.
    commit_number: u64,
    symbols: PartitionSymbols,
    rejections: Rejections,
    pending_loads: PendingLoadRequests,
    id_memory: IdMemory,
    counts: FoldCounts,
    record_to_leave_out: Option<RecordToLeaveOut>,
    commit_before_left_out_notice: CommitBeforeLeftOutNotice,
}

/// A record to leave out because the store refuses what it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordToLeaveOut {
    /// Its offset.
    pub offset: u64,
    /// The error of the store.
    pub reason: String,
    /// Whether the record, if it is a trade, still closes windows as if it counted. If the store
    /// refuses that too, it refuses the closed bars and not the trade.
    pub closes_windows: bool,
}

/// Makes a worker commit what it has folded before it applies the notice that an earlier record is
/// left out.
///
/// While a partition moves, two workers may fold it, of which only one leaves the record out. The
/// other's bars are different from there on, and have the same `through`. It announces none of
/// them: its commit fails first, because the partition was moved or the store refuses the record.
#[derive(Debug, Default)]
struct CommitBeforeLeftOutNotice {
    waits_for_commit: bool,
    /// Whether everything before the next record is committed.
    is_committed: bool,
}

impl FoldCore {
    /// Continues from a stored state, of a topic with `partitions` partitions.
    #[must_use]
    pub fn new(state: PartitionState, partitions: u32) -> Self {
        Self {
            progress: state.progress,
            commit_number: KEPT_COMMITS,
            rejections: Rejections::new(state.progress.partition),
            symbols: restore_symbols(state, partitions),
            pending_loads: PendingLoadRequests::default(),
            id_memory: IdMemory::unlimited(),
            counts: FoldCounts::default(),
            record_to_leave_out: None,
            commit_before_left_out_notice: CommitBeforeLeftOutNotice::default(),
        }
    }

    /// Sets the record to leave out, instead of one set before: when its turn comes, it becomes a
    /// dead letter.
    pub fn set_record_to_leave_out(&mut self, record: RecordToLeaveOut) {
        self.record_to_leave_out = Some(record);
    }

    /// Returns the position of the first record that is not applied yet.
    #[must_use]
    pub const fn next_position(&self) -> Position {
        self.progress.next_position()
    }

    /// Returns the greatest append time among the applied records, in UTC nanoseconds.
    #[must_use]
    pub const fn greatest_append_time_ns(&self) -> i64 {
        self.progress.append_time_ns
    }

    /// Returns the position in `bar-updates` that the loaded or last flushed state names: the
    /// first update caused by a later record lies there or later.
    #[must_use]
    pub const fn earliest_next_update_position(&self) -> Position {
        self.progress.updates_position
    }

    /// Returns whether anything may have to be announced: a symbol changed since the last
    /// [`FoldCore::take_updates`], perhaps none of its bars, or settings since
    /// [`FoldCore::take_settings_to_copy`].
    #[must_use]
    pub const fn may_have_announcements(&self) -> bool {
        self.symbols.may_have_updates() || self.symbols.has_settings_to_copy()
    }

    /// Takes the settings of venues that were changed since the last call, in the order of the
    /// changes. They have to be copied to the other partitions, and then announced, before the
    /// state is committed. Only the partition that orders settings has any.
    pub fn take_settings_to_copy(&mut self) -> Vec<(Venue, DeclaredSettings)> {
        self.symbols.take_settings_to_copy()
    }

    /// Returns whether the partition has any symbol.
    #[must_use]
    pub const fn has_symbols(&self) -> bool {
        self.symbols.has_symbols()
    }

    /// Returns whether any window can close by time alone.
    #[must_use]
    pub fn time_can_close_windows(&self) -> bool {
        self.symbols.time_can_close_windows()
    }

    /// Applies records in order and returns how many. If it is not all of them, the data that
    /// [`FoldCore::load_requests`] names has to be loaded first, or if
    /// [`FoldCore::waits_for_commit`], everything so far has to be committed.
    pub fn apply(&mut self, records: &[Record]) -> usize {
        for (index, record) in records.iter().enumerate() {
            // The first record may have begun to take effect, and a commit would be too early.
            if index > 0 && self.id_memory.is_commit_needed() {
                return index;
            }
            if record.offset >= self.progress.next_offset
                && !self.apply_record_unless_blocked(record)
            {
                if self.commit_before_left_out_notice.waits_for_commit {
                    return index;
                }
                let (requests, rest) = (self.pending_loads.requests_mut(), &records[index + 1..]);
                let max_segment_bytes = self.id_memory.max_prefetch_bytes();
                add_prefetch_requests(
                    &mut self.symbols,
                    requests,
                    rest,
                    self.commit_number,
                    max_segment_bytes,
                );
                return index;
            }
        }
        records.len()
    }

    /// Returns whether everything so far has to be committed before the next record is applied: it
    /// is the notice that a record is left out, or ids that are not committed yet use too much
    /// memory.
    #[must_use]
    pub fn waits_for_commit(&self) -> bool {
        let is_for_memory = self.id_memory.is_commit_needed() && self.is_between_records();
        self.commit_before_left_out_notice.waits_for_commit || is_for_memory
    }

    /// Records that everything so far is committed, so that the next record can be applied.
    pub const fn record_awaited_commit(&mut self) {
        self.id_memory.record_awaited_commit();
        self.commit_before_left_out_notice = CommitBeforeLeftOutNotice {
            waits_for_commit: false,
            is_committed: true,
        };
    }

    /// Returns the data to load before the next record can be applied, and with it what trades
    /// after it will need.
    #[must_use]
    pub fn load_requests(&self) -> &[LoadRequest] {
        self.pending_loads.requests()
    }

    /// Puts the data that [`FoldCore::load_requests`] named into the state.
    pub fn accept_loaded(&mut self, loaded: Vec<LoadedData>) {
        self.pending_loads.clear();
        let segment_bytes: usize = loaded
            .iter()
            .map(LoadedData::estimated_segment_memory_bytes)
            .sum();
        self.make_room_for_ids(segment_bytes);
        self.id_memory.record_loaded(segment_bytes);
        let at = self.applied_at(self.progress.next_offset);
        for loaded in loaded {
            self.symbols.accept_loaded(loaded, at);
        }
    }

    /// Sets how much memory the ids that are kept one by one may use, in bytes. Segments of ids
    /// leave memory if they use more, and are loaded when they are needed.
    ///
    /// It is no hard limit: what the next record needs, and what is not committed yet, stays.
    pub const fn set_id_memory_limit(&mut self, limit_bytes: usize) {
        self.id_memory.set_limit(limit_bytes);
    }

    /// Returns how much memory the ids that are kept one by one use, in bytes: what was counted
    /// after the last commit or load.
    #[must_use]
    pub const fn id_memory_bytes(&self) -> usize {
        self.id_memory.resident_bytes()
    }

    /// Drops segments of ids that are stored until there is room for `needed_bytes` more. Those
    /// that the next record has used stay.
    fn make_room_for_ids(&mut self, needed_bytes: usize) {
        let Some(target_bytes) = self.id_memory.target_bytes_if_exceeded(needed_bytes) else {
            return;
        };
        let eviction = self.symbols.evict_id_segments(
            self.id_memory.resident_bytes(),
            target_bytes,
            self.progress.next_offset,
            self.commit_number,
        );
        self.counts.evicted_id_segments += eviction.evicted_segments;
        self.id_memory.record_evicted(&eviction, needed_bytes);
    }

    /// Applies one record. Returns `false` if data has to be loaded first.
    fn apply_record_unless_blocked(&mut self, record: &Record) -> bool {
        let decoded = TradesTopicRecord::decode(&record.value);
        if matches!(decoded, Ok(TradesTopicRecord::LeftOut(_)))
            && !self.commit_before_left_out_notice.is_committed
        {
            self.commit_before_left_out_notice.waits_for_commit = true;
            return false;
        }
        if let Ok(TradesTopicRecord::Refold(refold)) = &decoded {
            // Requested before the record has any effect, so that what was applied before can be
            // committed meanwhile.
            let requests =
                self.symbols
                    .load_requests_for_refold(&record.key, refold, self.commit_number);
            if self.pending_loads.block_next_record_if_missing(requests) {
                return false;
            }
        }
        self.progress.append_time_ns = self.progress.append_time_ns.max(record.append_time_ns);
        let at = self.applied_at(record.offset);
        self.symbols.close_due_windows(at);
        let is_left_out = |left_out: &mut RecordToLeaveOut| left_out.offset == record.offset;
        if let Some(left_out) = self.record_to_leave_out.take_if(is_left_out) {
            match &decoded {
                Ok(TradesTopicRecord::Refold(refold)) => {
                    self.symbols
                        .clear_mark_of_left_out_refold(&record.key, refold);
                }
                Ok(TradesTopicRecord::Trade(trade)) if left_out.closes_windows => {
                    let time_ns = trade.time_ns;
                    self.symbols
                        .advance_watermark_for_uncounted_trade(&record.key, time_ns, at);
                }
                _ => {}
            }
            self.rejections
                .dead_letter_unstorable(record, left_out.reason, at);
            self.progress.next_offset = record.offset + 1;
            return true;
        }
        let mut application = RecordApplication {
            symbols: &mut self.symbols,
            rejections: &mut self.rejections,
            pending_loads: &mut self.pending_loads,
            counts: &mut self.counts,
            record,
            at,
        };
        let is_applied = application.apply(decoded) == RecordOutcome::Applied;
        if is_applied {
            self.commit_before_left_out_notice.is_committed = false;
            self.progress.next_offset = record.offset + 1;
        }
        is_applied
    }

    const fn applied_at(&self, offset: u64) -> AppliedAt {
        let position = Position {
            epoch: self.progress.epoch,
            offset,
        };
        AppliedAt::new(position, self.progress.append_time_ns, self.commit_number)
    }

    /// Returns the settings of an instrument's venue, if the instrument is known.
    #[must_use]
    pub fn settings_for(&self, instrument: &Instrument) -> Option<VenueSettings> {
        self.symbols.settings_for(instrument)
    }

    /// Returns the number of dirty minutes.
    #[must_use]
    pub fn dirty_minute_count(&self) -> usize {
        self.symbols.dirty_minute_count()
    }

    /// Returns whether any dirty minute has no refold requested.
    #[must_use]
    pub fn has_unrequested_refolds(&self) -> bool {
        self.symbols.has_unrequested_refolds()
    }

    /// Requests refolds, at most `limit` for each call, of dirty minutes that are marked up to
    /// `marked_up_to` at most. Returns those whose ticks are to be folded, and the folds appended
    /// to the log.
    pub fn request_refolds(&mut self, marked_up_to: Position, limit: usize) -> Vec<RefoldRequest> {
        self.symbols.request_refolds(marked_up_to, limit)
    }

    /// Forgets which refolds were requested, because it is not known whether the log holds them:
    /// they may be requested again.
    pub fn forget_requested_refolds(&mut self) {
        self.symbols.forget_requested_refolds();
    }

    /// Takes the bars that changed since the last call, one update for each instrument.
    pub fn take_updates(&mut self) -> Vec<InstrumentBarUpdate> {
        let at = self.applied_at(self.progress.next_offset);
        self.symbols.take_updates(at)
    }

    /// Takes the dead letters since the last call.
    pub fn take_dead_letters(&mut self) -> Vec<DeadLetter> {
        self.rejections.take_dead_letters()
    }

    /// Takes what was counted since the last call.
    pub fn take_counts(&mut self) -> FoldCounts {
        let mut counts = std::mem::take(&mut self.counts);
        counts.rejected = self.rejections.take_counts();
        counts
    }

    /// Returns the number of rows that the next flush writes, without those of venues and dirty
    /// minutes, which are few.
    #[must_use]
    pub fn unwritten_row_count(&self) -> usize {
        self.symbols.unwritten_row_count()
    }

    /// Returns whether the state can be flushed: every effect so far belongs to a record before
    /// [`FoldCore::next_position`].
    #[must_use]
    pub fn is_between_records(&self) -> bool {
        self.pending_loads.is_between_records()
    }

    /// Takes everything that changed since the last call, as one transaction from the position
    /// `expected`, where the state was loaded or last flushed. `earliest_next_update_position` is
    /// where in `bar-updates` the first update caused by a later record will lie.
    pub fn flush(
        &mut self,
        expected: Position,
        earliest_next_update_position: Position,
    ) -> PartitionTransaction {
        self.progress.updates_position = earliest_next_update_position;
        let mut transaction = PartitionTransaction::empty(expected, self.progress);
        transaction.excluded_ranges = self.rejections.take_excluded_trades();
        transaction.excluded_amendments = self.rejections.take_excluded_amendments();
        let at = self.applied_at(self.progress.next_offset);
        self.symbols.flush(&mut transaction, at);
        transaction
    }

    /// Records that what the last flush wrote is stored, so that it can leave memory.
    pub fn record_commit_and_evict_unused(&mut self) {
        self.commit_number += 1;
        if self.commit_number.is_multiple_of(SWEEP_COMMITS)
            && self.evict_and_count_remaining(self.commit_number - KEPT_COMMITS) > MAX_UNUSED
        {
            self.evict_and_count_remaining(self.commit_number - 1);
        }
        self.id_memory
            .record_counted(self.symbols.id_resident_bytes());
        self.make_room_for_ids(0);
        // What could not leave memory now cannot leave it after another commit either.
        self.id_memory.record_awaited_commit();
    }

    /// Drops what was not used since the commit `before_commit_number`. Returns how much is left.
    fn evict_and_count_remaining(&mut self, before_commit_number: u64) -> usize {
        let at = self.applied_at(self.progress.next_offset);
        self.symbols
            .evict_and_count_remaining(before_commit_number, at)
    }
}

#[cfg(test)]
mod tests;
