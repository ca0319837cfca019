//! Records that are no dead letters, and are passed over.

use std::collections::BTreeMap;
use std::mem;

use eventlog::{Offset, PartitionId};

use super::found::Other;
use super::place::LetterPlace;

/// What is told of them: any number takes little room, since offsets that follow each other are
/// told as one, and as soon as they end.
#[derive(Debug, Default)]
pub(super) struct Undecoded {
    count: u64,
    runs: BTreeMap<PartitionId, Run>,
}

/// Offsets that follow each other.
#[derive(Debug, Clone)]
struct Run {
    first: Offset,
    last: Offset,
    /// Why the first is no dead letter.
    reason: String,
}

impl Undecoded {
    /// Whether there was any.
    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Notes one; answers what is to be told of those before it.
    pub(super) fn note(&mut self, other: &Other) -> Option<String> {
        self.count += 1;
        let LetterPlace { partition, offset } = other.place;
        let run = Run {
            first: offset,
            last: offset,
            reason: other.reason.clone(),
        };
        let Some(known) = self.runs.get_mut(&partition) else {
            self.runs.insert(partition, run);
            return None;
        };
        if known.last + 1 == offset {
            known.last = offset;
            return None;
        }
        let ended = mem::replace(known, run);
        Some(ended.text(partition))
    }

    /// What is to be told at the end.
    pub(super) fn rest(&mut self) -> Vec<String> {
        let runs = mem::take(&mut self.runs).into_iter();
        let mut lines: Vec<_> = runs.map(|(partition, run)| run.text(partition)).collect();
        match self.count {
            0 | 1 => {}
            count => lines.push(format!("{count} records are no dead letters")),
        }
        lines
    }
}

impl Run {
    fn text(&self, partition: PartitionId) -> String {
        let place = |offset| LetterPlace { partition, offset };
        let (first, reason) = (place(self.first), &self.reason);
        match self.first == self.last {
            true => format!("{first} is no dead letter, and is passed over: {reason}"),
            false => format!(
                "{first} to {} are no dead letters, and are passed over; the first: {reason}",
                place(self.last)
            ),
        }
    }
}

/// Tells people of it.
pub(super) fn tell(line: &str) {
    eprintln!("dead-letters: {line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::place;

    #[test]
    fn offsets_that_follow_each_other_are_told_as_one() {
        let mut undecoded = Undecoded::default();
        let mut told = Vec::new();
        let places = ["0/1", "1/7", "0/2", "0/3", "1/9", "0/5"];
        for (text, reason) in places.into_iter().zip("abcdef".chars()) {
            let other = Other {
                place: place(text),
                append_time_ns: 0,
                key: "".into(),
                value: "".into(),
                reason: reason.to_string(),
            };
            told.extend(undecoded.note(&other));
        }
        let expected = [
            "1/7 is no dead letter, and is passed over: b",
            "0/1 to 0/3 are no dead letters, and are passed over; the first: a",
        ];
        assert_eq!(told, expected);
        let expected = [
            "0/5 is no dead letter, and is passed over: f",
            "1/9 is no dead letter, and is passed over: e",
            "6 records are no dead letters",
        ];
        assert_eq!(undecoded.rest(), expected);
        assert!(!undecoded.is_empty());
    }
}
