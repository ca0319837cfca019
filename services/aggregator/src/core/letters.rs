//! Records that do not count.

use eventlog::Record;
use market::{Position, Reject};
use schemas::DeadLetter;
use store::{RejectedRange, Verdict};

use super::Core;
use super::symbol::Moment;

impl Core {
    /// A record that the record and its append time alone reject.
    pub(super) fn bury(&mut self, record: &Record, reason: Reject, detail: String) {
        let counted = self.counts.rejected.iter_mut();
        match counted.into_iter().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => self.counts.rejected.push((reason, 1)),
        }
        self.letters.push(DeadLetter {
            reason,
            detail,
            partition: self.progress.partition,
            position: Position {
                epoch: self.progress.epoch,
                offset: record.offset,
            },
            append_time_ns: record.append_time_ns,
            key: record.key.clone(),
            value: record.value.clone(),
        });
    }

    /// A record that only the state can reject: it is a tick, which has to be left out.
    pub(super) fn reject_by_state(&mut self, record: &Record, reason: Reject, at: Moment) {
        self.bury(record, reason, reason.explanation().to_owned());
        self.leave_out(Verdict::Rejected(reason), at);
    }

    pub(super) fn leave_out(&mut self, verdict: Verdict, at: Moment) {
        if let Some(last) = self.rejected.last_mut()
            && last.end == at.offset
            && last.verdict == verdict
        {
            last.end += 1;
            last.append_time_ns = at.append_time_ns;
            return;
        }
        self.rejected.push(RejectedRange {
            epoch: at.epoch,
            first: at.offset,
            end: at.offset + 1,
            verdict,
            append_time_ns: at.append_time_ns,
        });
    }
}
