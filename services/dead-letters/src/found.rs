//! Looking dead letters up.

use anyhow::{Context, bail};
use bytes::Bytes;
use eventlog::{Log, Offset, PartitionId, Record};
use schemas::DeadLetter;

use super::arguments::Filter;
use super::place::LetterPlace;

/// A dead letter and its own place.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) place: LetterPlace,
    /// When the topic took it, in UTC nanoseconds.
    pub(super) append_time_ns: i64,
    pub(super) letter: DeadLetter,
}

/// A record of the topic that is no dead letter, of this version at least: others can write to it.
#[derive(Debug, Clone)]
pub(super) struct Other {
    pub(super) place: LetterPlace,
    /// When the topic took it, in UTC nanoseconds.
    pub(super) append_time_ns: i64,
    pub(super) key: Bytes,
    pub(super) value: Bytes,
    /// Why it is none.
    pub(super) reason: String,
}

/// What a record of the topic is.
#[derive(Debug, Clone)]
pub(super) enum Item {
    Letter(Found),
    Other(Other),
}

impl Item {
    pub(super) fn read(partition: PartitionId, record: Record) -> Self {
        let place = LetterPlace {
            partition,
            offset: record.offset,
        };
        let append_time_ns = record.append_time_ns;
        match DeadLetter::decode(&record.value) {
            Ok(letter) => Self::Letter(Found {
                place,
                append_time_ns,
                letter,
            }),
            Err(error) => Self::Other(Other {
                place,
                append_time_ns,
                key: record.key,
                value: record.value,
                reason: error.to_string(),
            }),
        }
    }
}

/// What is at a place.
pub(super) async fn at<L: Log>(log: &L, place: LetterPlace) -> anyhow::Result<Item> {
    let LetterPlace { partition, offset } = place;
    let bounds = log.bounds(partition).await?;
    let missing = format!("there is no dead letter {place}");
    if !(bounds.first..bounds.end).contains(&offset) {
        let kept = kept(bounds.first, bounds.end);
        bail!("{missing}: partition {partition} holds {kept}");
    }
    let batch = log.fetch(partition, offset, 1).await?;
    let mut records = batch.records.into_iter();
    let record = records.next().filter(|record| record.offset == offset);
    Ok(Item::read(partition, record.context(missing)?))
}

fn kept(first: Offset, end: Offset) -> String {
    match end.checked_sub(first) {
        None | Some(0) => "none".to_owned(),
        Some(_) => format!("{first} to {}", end - 1),
    }
}

impl Filter {
    pub(super) fn takes(&self, letter: &DeadLetter) -> bool {
        // Of a key that is malformed neither is known.
        let key = std::str::from_utf8(&letter.key).ok();
        let named = key.and_then(|key| key.split_once(':'));
        let venue = |venue: &market::Venue| named.is_some_and(|(left, _)| left == venue.as_str());
        let symbol =
            |symbol: &market::Symbol| named.is_some_and(|(_, right)| right == symbol.as_str());
        self.reason.is_none_or(|reason| reason == letter.reason)
            && self.venue.as_ref().is_none_or(venue)
            && self.symbol.as_ref().is_none_or(symbol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{GARBAGE, letter, log, place};

    #[tokio::test]
    async fn one_that_is_not_there_is_an_error_that_says_what_is() {
        let log = log(1 << 20, &[letter(1, "v:A").encode()]).await;
        let Item::Letter(found) = at(&log, place("0/0")).await.unwrap() else {
            panic!("it is a letter");
        };
        assert_eq!(found.letter, letter(1, "v:A"));
        let error = at(&log, place("0/1")).await.unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no dead letter 0/1: partition 0 holds 0 to 0"
        );
        let error = at(&log, place("1/0")).await.unwrap_err().to_string();
        assert_eq!(error, "there is no dead letter 1/0: partition 1 holds none");
        assert!(at(&log, place("2/0")).await.is_err());
    }

    #[tokio::test]
    async fn one_that_does_not_decode_is_shown_as_it_is() {
        let log = log(1 << 20, &[GARBAGE.to_vec()]).await;
        let Item::Other(other) = at(&log, place("0/0")).await.unwrap() else {
            panic!("it is no letter");
        };
        assert_eq!((&*other.value, &*other.key), (GARBAGE, &b"key"[..]));
        assert_eq!(other.reason, "record: 1 elements; 9 are expected");
        let shown = super::super::show::other(&other);
        assert!(shown.contains(&other.reason), "{shown}");
        assert!(shown.contains("91 01"), "{shown}");
    }
}
