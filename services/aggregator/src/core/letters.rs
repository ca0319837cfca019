//! Records that do not count.

use bytes::Bytes;
use eventlog::Record;
use market::{Position, RejectReason};
use schemas::DeadLetter;
use store::{ExcludedRange, Verdict};

use super::Core;
use super::symbol::Moment;

/// The most that a letter keeps of a key and of a value. Other programs can write records that,
/// with what is said of them, would be too large for the topic; the partition would end there
/// again and again.
const MOST_BYTES: usize = 1 << 20;

/// What is kept of a key or a value. No cut value decodes, so one that is sent again never counts.
fn kept(bytes: &Bytes) -> Bytes {
    bytes.slice(..bytes.len().min(MOST_BYTES))
}

impl Core {
    /// A record that the record and its append time alone reject.
    pub(super) fn bury(&mut self, record: &Record, reason: RejectReason, detail: String) {
        let counted = self.counts.rejected.iter_mut();
        match counted.into_iter().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => self.counts.rejected.push((reason, 1)),
        }
        let (key, value) = (kept(&record.key), kept(&record.value));
        let detail = if key.len() < record.key.len() || value.len() < record.value.len() {
            let (key_bytes, value_bytes) = (record.key.len(), record.value.len());
            format!(
                "{detail}; of its key of {key_bytes} bytes and its value of {value_bytes} the first \
                 {MOST_BYTES} each are kept"
            )
        } else {
            detail
        };
        self.letters.push(DeadLetter {
            reason,
            detail,
            partition: self.progress.partition,
            position: Position {
                epoch: self.progress.epoch,
                offset: record.offset,
            },
            append_time_ns: record.append_time_ns,
            key,
            value,
        });
    }

    /// A record that only the state can reject: it is a tick, which has to be left out.
    pub(super) fn reject_by_state(&mut self, record: &Record, reason: RejectReason, at: Moment) {
        self.bury(record, reason, reason.explanation().to_owned());
        self.leave_out(Verdict::Rejected(reason), at);
    }

    pub(super) fn leave_out(&mut self, verdict: Verdict, at: Moment) {
        if let Some(last) = self.rejected.last_mut()
            && last.end_offset == at.offset
            && last.verdict == verdict
        {
            last.end_offset += 1;
            last.append_time_ns = at.append_time_ns;
            return;
        }
        self.rejected.push(ExcludedRange {
            epoch: at.epoch,
            first_offset: at.offset,
            end_offset: at.offset + 1,
            verdict,
            append_time_ns: at.append_time_ns,
        });
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use eventlog::Record;
    use market::Position;
    use store::{PartitionProgress, PartitionState};

    use super::MOST_BYTES;
    use crate::Core;

    fn letter(value: Vec<u8>) -> schemas::DeadLetter {
        let state = PartitionState {
            progress: PartitionProgress {
                partition: 0,
                epoch: 1,
                next_offset: 0,
                updates_position: Position::default(),
                append_time_ns: 0,
            },
            symbols: Vec::new(),
            venues: Vec::new(),
            open_bars: Vec::new(),
            dirty_minutes: Vec::new(),
            pending_amendments: Vec::new(),
        };
        let mut core = Core::new(state, 1);
        let record = Record {
            offset: 0,
            append_time_ns: 1,
            key: Bytes::from_static(b"venue:symbol"),
            value: value.into(),
        };
        assert_eq!(core.apply(&[record]), 1);
        let mut letters = core.take_dead_letters();
        assert_eq!(letters.len(), 1);
        letters.remove(0)
    }

    #[test]
    fn a_record_that_is_too_large_for_a_letter_is_cut_and_that_is_said() {
        let whole = letter(vec![b'x'; MOST_BYTES]);
        assert_eq!(whole.value.len(), MOST_BYTES);
        assert!(!whole.detail.contains("are kept"), "{}", whole.detail);
        let cut = letter(vec![b'x'; 20 << 20]);
        assert_eq!(cut.value.len(), MOST_BYTES);
        assert!(
            cut.detail
                .contains("its value of 20971520 the first 1048576 each are kept"),
            "{}",
            cut.detail
        );
        assert!(cut.encode().len() < 4 << 20);
    }
}
