//! The position of a record together with its partition, as one text.

use std::fmt;
use std::str::FromStr;

use market::Position;

/// Where the topic `trades` holds a record: the partition, and the position in it.
///
/// Its text is `epoch-partition-offset`, three decimal numbers such as `1-0-42`. The API uses this
/// text as the id of a trade that has no id of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordPosition {
    /// The partition.
    pub partition: u32,
    /// The epoch and the offset in the partition.
    pub position: Position,
}

/// The text is not `epoch-partition-offset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a position such as 1-0-42")]
pub struct RecordPositionError;

impl fmt::Display for RecordPosition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { epoch, offset } = self.position;
        write!(out, "{epoch}-{}-{offset}", self.partition)
    }
}

impl FromStr for RecordPosition {
    type Err = RecordPositionError;

    fn from_str(text: &str) -> Result<Self, RecordPositionError> {
        let mut parts = text.split('-');
        let mut next_number = || {
            let digits = parts.next()?;
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<u64>().ok().filter(|_| is_number)
        };
        let numbers = (next_number(), next_number(), next_number());
        let (Some(epoch), Some(partition), Some(offset)) = numbers else {
            return Err(RecordPositionError);
        };
        if parts.next().is_some() {
            return Err(RecordPositionError);
        }
        Ok(Self {
            partition: partition.try_into().map_err(|_| RecordPositionError)?,
            position: Position { epoch, offset },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_as_it_was_printed_and_nothing_else_does() {
        let last = Position {
            epoch: u64::MAX,
            offset: u64::MAX,
        };
        for (position, partition) in [(Position::default(), 0), (last, u32::MAX)] {
            let printed = RecordPosition {
                partition,
                position,
            };
            assert_eq!(printed.to_string().parse(), Ok(printed));
        }
        for text in [
            "",
            "7",
            "1-2",
            "1-2-3-4",
            "1--3",
            "+1-2-3",
            "1-2-x",
            "-1-2-3",
            "1-4294967296-3",
        ] {
            let parsed = text.parse::<RecordPosition>();
            assert_eq!(parsed, Err(RecordPositionError), "{text}");
        }
    }
}
