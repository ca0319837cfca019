//! How the command line names a dead letter.

use std::fmt;
use std::str::FromStr;

/// The partition and offset of a dead letter in its topic, written `PARTITION/OFFSET`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct DeadLetterLocation {
    pub(crate) partition: u32,
    pub(crate) offset: u64,
}

impl fmt::Display for DeadLetterLocation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.partition, self.offset)
    }
}

impl FromStr for DeadLetterLocation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (partition, offset) = text.split_once('/')?;
            Some(Self {
                partition: partition.parse().ok()?,
                offset: offset.parse().ok()?,
            })
        };
        parse().ok_or_else(|| "a partition and an offset are expected, such as 3/42".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::DeadLetterLocation;

    #[test]
    fn a_printed_location_parses_to_the_same_location() {
        let location = DeadLetterLocation {
            partition: 3,
            offset: u64::MAX,
        };
        assert_eq!(location.to_string().parse(), Ok(location));
        for text in ["", "3", "3/", "/4", "3/4/5", "3-4", "4294967296/0", "-1/0"] {
            assert!(text.parse::<DeadLetterLocation>().is_err(), "{text}");
        }
    }
}
