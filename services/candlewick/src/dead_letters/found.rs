//! Looking dead letters up.

use std::collections::HashSet;

use anyhow::{Context, bail};
use eventlog::{Log, LogError, Offset, PartitionId, Record};
use market::Position;
use schemas::DeadLetter;

use super::arguments::{Filter, Wanted};
use super::place::LetterPlace;

/// How much of the topic is read at once.
const FETCH_BYTES: usize = 4 << 20;

/// A dead letter and its own place.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) place: LetterPlace,
    /// When the topic took it, in UTC nanoseconds.
    pub(super) append_time_ns: i64,
    pub(super) letter: DeadLetter,
}

/// Those that are wanted, newest first. A record that was written off twice, as happens where a
/// process ended between the topic and its own commit, is found once.
pub(super) async fn matching<L: Log>(log: &L, wanted: &Wanted) -> anyhow::Result<Vec<Found>> {
    let mut found = Vec::new();
    let mut seen: HashSet<(PartitionId, Position)> = HashSet::new();
    for partition in 0..log.partitions() {
        let bounds = log.bounds(partition).await?;
        let mut offset = bounds.first;
        while offset < bounds.end {
            let batch = match log.fetch(partition, offset, FETCH_BYTES).await {
                // It was dropped for its age while we read.
                Err(LogError::OutOfRange { first, .. }) if first > offset => {
                    offset = first;
                    continue;
                }
                batch => batch?,
            };
            if batch.next_offset <= offset {
                break;
            }
            for record in batch.records {
                let one = read(partition, &record)?;
                let source = (one.letter.partition, one.letter.position);
                if wanted.filter.takes(&one.letter) && seen.insert(source) {
                    found.push(one);
                }
            }
            offset = batch.next_offset;
        }
        keep_newest(&mut found, wanted.limit);
    }
    Ok(found)
}

fn keep_newest(found: &mut Vec<Found>, limit: Option<usize>) {
    found.sort_by_key(|one| std::cmp::Reverse((one.append_time_ns, one.place)));
    found.truncate(limit.unwrap_or(usize::MAX));
}

/// The one at a place.
pub(super) async fn at<L: Log>(log: &L, place: LetterPlace) -> anyhow::Result<Found> {
    let LetterPlace { partition, offset } = place;
    let bounds = log.bounds(partition).await?;
    let missing = format!("there is no dead letter {place}");
    if !(bounds.first..bounds.end).contains(&offset) {
        let kept = kept(bounds.first, bounds.end);
        bail!("{missing}: partition {partition} holds {kept}");
    }
    let batch = log.fetch(partition, offset, 1).await?;
    let record = batch
        .records
        .first()
        .filter(|record| record.offset == offset);
    read(partition, record.context(missing)?)
}

fn kept(first: Offset, end: Offset) -> String {
    match end.checked_sub(first) {
        None | Some(0) => "none".to_owned(),
        Some(_) => format!("{first} to {}", end - 1),
    }
}

fn read(partition: PartitionId, record: &Record) -> anyhow::Result<Found> {
    let place = LetterPlace {
        partition,
        offset: record.offset,
    };
    let letter = DeadLetter::decode(&record.value)
        .with_context(|| format!("the record {place} of the topic is not a dead letter"))?;
    Ok(Found {
        place,
        append_time_ns: record.append_time_ns,
        letter,
    })
}

impl Filter {
    fn takes(&self, letter: &DeadLetter) -> bool {
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
    use std::sync::Arc;

    use eventlog::{Entry, MemoryLog};
    use market::Reject;

    use super::*;

    fn letter(reason: Reject, offset: u64, key: &'static str) -> DeadLetter {
        DeadLetter {
            reason,
            detail: String::new(),
            partition: 0,
            position: Position { epoch: 1, offset },
            append_time_ns: 5,
            key: key.into(),
            value: "value".into(),
        }
    }

    async fn log(letters: &[DeadLetter]) -> MemoryLog {
        let ticking = std::sync::atomic::AtomicI64::new(0);
        let now = move || ticking.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let log = MemoryLog::new(2, 1, 1 << 20, Arc::new(now));
        for (index, letter) in letters.iter().enumerate() {
            let entry = Entry {
                key: letter.key.clone(),
                value: letter.encode().into(),
            };
            let partition = u32::try_from(index % 2).unwrap();
            log.append(partition, vec![entry]).await.unwrap();
        }
        log
    }

    async fn offsets(log: &MemoryLog, filter: Filter, limit: usize) -> Vec<u64> {
        let wanted = Wanted {
            filter,
            limit: Some(limit),
        };
        let found = matching(log, &wanted).await.unwrap();
        found.iter().map(|one| one.letter.position.offset).collect()
    }

    #[tokio::test]
    async fn the_newest_come_first_and_repeats_once() {
        let letters = [
            letter(Reject::Misrouted, 1, "v:A"),
            letter(Reject::VenueUnknown, 2, "v:B"),
            letter(Reject::Misrouted, 1, "v:A"),
            letter(Reject::Misrouted, 3, "w:A"),
            letter(Reject::KeyMalformed, 4, "A"),
        ];
        let log = log(&letters).await;
        assert_eq!(offsets(&log, Filter::default(), 9).await, [4, 3, 2, 1]);
        assert_eq!(offsets(&log, Filter::default(), 2).await, [4, 3]);
        let reason = Filter {
            reason: Some(Reject::Misrouted),
            ..Filter::default()
        };
        assert_eq!(offsets(&log, reason, 9).await, [3, 1]);
        let venue = Filter {
            venue: "v".parse().ok(),
            ..Filter::default()
        };
        assert_eq!(offsets(&log, venue, 9).await, [2, 1]);
        let symbol = Filter {
            symbol: "A".parse().ok(),
            ..Filter::default()
        };
        assert_eq!(offsets(&log, symbol, 9).await, [3, 1]);
    }

    #[tokio::test]
    async fn one_that_is_not_there_is_an_error_that_says_what_is() {
        let log = log(&[letter(Reject::Misrouted, 1, "v:A")]).await;
        let place = |text: &str| text.parse().unwrap();
        assert_eq!(at(&log, place("0/0")).await.unwrap().letter.key, "v:A");
        let error = at(&log, place("0/1")).await.unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no dead letter 0/1: partition 0 holds 0 to 0"
        );
        let error = at(&log, place("1/0")).await.unwrap_err().to_string();
        assert_eq!(error, "there is no dead letter 1/0: partition 1 holds none");
        assert!(at(&log, place("2/0")).await.is_err());
    }
}
