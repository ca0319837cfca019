//! Records that do not count.

use bytes::Bytes;
use eventlog::Record;
use market::RejectReason;
use schemas::{DeadLetter, TradesTopicRecord};
use store::{ExcludedRange, TickVerdict};

use super::applied_at::AppliedAt;

/// The number of bytes that a dead letter keeps of a key and of a value. A larger record, which
/// other programs can write, would not fit the topic `dead-letters` together with its metadata, and
/// the partition would fail at it again and again.
pub(crate) const MAX_KEPT_BYTES: usize = 1 << 20;

/// The records that do not count and are not handed out yet: dead letters to append, ranges of
/// offsets to store, and a count by reason.
///
/// Every tick that does not count is in exactly one excluded range, so that readers of ticks agree
/// with the fold. Edits and cancels have ranges of their own, which are kept longer.
#[derive(Debug)]
pub(crate) struct Rejections {
    partition: u32,
    excluded: Vec<ExcludedRange>,
    excluded_amendments: Vec<ExcludedRange>,
    dead_letters: Vec<DeadLetter>,
    counts: Vec<(RejectReason, u64)>,
}

impl Rejections {
    pub(crate) const fn new(partition: u32) -> Self {
        Self {
            partition,
            excluded: Vec::new(),
            excluded_amendments: Vec::new(),
            dead_letters: Vec::new(),
            counts: Vec::new(),
        }
    }

    /// Dead-letters a record that is no tick, or that the record and its append time alone reject.
    pub(crate) fn dead_letter(
        &mut self,
        record: &Record,
        reason: RejectReason,
        detail: String,
        at: AppliedAt,
    ) {
        match self.counts.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((reason, 1)),
        }
        let (key, value) = (
            truncate_for_dead_letter(&record.key),
            truncate_for_dead_letter(&record.value),
        );
        let detail = if key.len() < record.key.len() || value.len() < record.value.len() {
            let (key_bytes, value_bytes) = (record.key.len(), record.value.len());
            format!(
                "{detail}; of its key of {key_bytes} bytes and its value of {value_bytes} the first \
                 {MAX_KEPT_BYTES} each are kept"
            )
        } else {
            detail
        };
        self.dead_letters.push(DeadLetter {
            reason,
            detail,
            partition: self.partition,
            position: at.position(),
            append_time_ns: record.append_time_ns,
            key,
            value,
        });
    }

    /// Dead-letters a record for a reason that explains itself.
    pub(crate) fn dead_letter_with_explanation(
        &mut self,
        record: &Record,
        reason: RejectReason,
        at: AppliedAt,
    ) {
        self.dead_letter(record, reason, reason.explanation().to_owned(), at);
    }

    /// Dead-letters a tick of the event time `time_ns` that only the state can reject. Its offset
    /// is excluded too.
    pub(crate) fn dead_letter_and_exclude_tick(
        &mut self,
        record: &Record,
        reason: RejectReason,
        time_ns: i64,
        at: AppliedAt,
    ) {
        let detail = reason.explanation_with_unit(time_ns).into_owned();
        self.dead_letter(record, reason, detail, at);
        self.exclude_tick(record, TickVerdict::Rejected(reason), at);
    }

    /// Dead-letters a record because the store refuses what it changes. Its offset is excluded.
    pub(crate) fn dead_letter_unstorable(
        &mut self,
        record: &Record,
        reason: String,
        at: AppliedAt,
    ) {
        self.dead_letter(record, RejectReason::Unstorable, reason, at);
        self.exclude_tick(record, TickVerdict::Rejected(RejectReason::Unstorable), at);
    }

    /// Excludes the tick that is being applied: a trade from the trades, an edit or a cancel from
    /// those that change trades.
    pub(crate) fn exclude_tick(&mut self, record: &Record, verdict: TickVerdict, at: AppliedAt) {
        let offset = at.position().offset;
        let ranges = match TradesTopicRecord::begins_as_amendment(&record.value) {
            true => &mut self.excluded_amendments,
            false => &mut self.excluded,
        };
        if let Some(last) = ranges.last_mut()
            && last.end_offset == offset
            && last.verdict == verdict
        {
            last.end_offset += 1;
            last.append_time_ns = at.greatest_append_time_ns();
            return;
        }
        ranges.push(ExcludedRange {
            epoch: at.position().epoch,
            first_offset: offset,
            end_offset: offset + 1,
            verdict,
            append_time_ns: at.greatest_append_time_ns(),
        });
    }

    /// Takes the dead letters since the last call.
    pub(crate) fn take_dead_letters(&mut self) -> Vec<DeadLetter> {
        std::mem::take(&mut self.dead_letters)
    }

    /// Takes the excluded ranges of trades since the last call.
    pub(crate) fn take_excluded_trades(&mut self) -> Vec<ExcludedRange> {
        std::mem::take(&mut self.excluded)
    }

    /// Takes the excluded ranges of edits and cancels since the last call.
    pub(crate) fn take_excluded_amendments(&mut self) -> Vec<ExcludedRange> {
        std::mem::take(&mut self.excluded_amendments)
    }

    /// Takes the numbers of dead letters by reason since the last call.
    pub(crate) fn take_counts(&mut self) -> Vec<(RejectReason, u64)> {
        std::mem::take(&mut self.counts)
    }
}

/// Returns the part of a key or a value that a dead letter keeps. A value that was cut does not
/// decode, so it never counts if it is sent again.
fn truncate_for_dead_letter(bytes: &Bytes) -> Bytes {
    bytes.slice(..bytes.len().min(MAX_KEPT_BYTES))
}
