//! How a dead letter is named.

use std::fmt;
use std::str::FromStr;

/// The place of a dead letter in its topic: `PARTITION/OFFSET`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct LetterPlace {
    pub(super) partition: u32,
    pub(super) offset: u64,
}

impl fmt::Display for LetterPlace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.partition, self.offset)
    }
}

impl FromStr for LetterPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (partition, offset) = text.split_once('/')?;
            Some(Self {
                partition: partition.parse().ok()?,
                offset: offset.parse().ok()?,
            })
        };
        read().ok_or_else(|| "a partition and an offset are expected, such as 3/42".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::LetterPlace;

    #[test]
    fn it_reads_as_it_is_printed() {
        let place = LetterPlace {
            partition: 3,
            offset: u64::MAX,
        };
        assert_eq!(place.to_string().parse(), Ok(place));
        for text in ["", "3", "3/", "/4", "3/4/5", "3-4", "4294967296/0", "-1/0"] {
            assert!(text.parse::<LetterPlace>().is_err(), "{text}");
        }
    }
}
