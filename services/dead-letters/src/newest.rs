//! The newest dead letters, as a list shows them.

use std::collections::BTreeMap;

use eventlog::Log;

use super::arguments::Filter;
use super::found::Item;
use super::letters::{Letters, extent};
use super::table::{self, Row};
use super::undecoded::Undecoded;

/// The newest of those that a filter takes, the newest first, as rows; only these are kept in
/// memory. What is no dead letter is told.
pub(super) async fn newest<L: Log>(
    log: &L,
    filter: &Filter,
    limit: usize,
    mut tell: impl FnMut(&str),
) -> anyhow::Result<Vec<Row>> {
    let extent = extent(log).await?;
    let mut letters = Letters::within(log, &extent);
    let mut undecoded = Undecoded::default();
    let mut rows = BTreeMap::new();
    while let Some(item) = letters.next().await? {
        let found = match item {
            Item::Letter(found) if filter.takes(&found.letter) => found,
            Item::Letter(_) => continue,
            Item::Other(other) => {
                if let Some(line) = undecoded.note(&other) {
                    tell(&line);
                }
                continue;
            }
        };
        rows.insert((found.append_time_ns, found.place), table::row(&found));
        if rows.len() > limit {
            rows.pop_first();
        }
    }
    undecoded.rest().iter().for_each(|line| tell(line));
    Ok(rows.into_values().rev().collect())
}

#[cfg(test)]
mod tests {
    use market::RejectReason;

    use super::*;
    use crate::world::{GARBAGE, letter, log};

    /// The offsets of the sources, and what was told.
    async fn list(log: &impl Log, filter: Filter, limit: usize) -> (Vec<String>, Vec<String>) {
        let mut told = Vec::new();
        let rows = newest(log, &filter, limit, |line| told.push(line.to_owned())).await;
        let rows = rows.unwrap().into_iter().map(|row| {
            let (_, offset) = row[2].split_once('/').unwrap();
            offset.to_owned()
        });
        (rows.collect(), told)
    }

    #[tokio::test]
    async fn the_newest_come_first_and_repeats_once() {
        let unknown = schemas::DeadLetter {
            reason: RejectReason::VenueUnknown,
            ..letter(2, "v:B")
        };
        let letters = [
            letter(1, "v:A"),
            unknown,
            letter(1, "v:A"),
            letter(3, "w:A"),
            letter(4, "A"),
        ];
        let log = log(1 << 20, &letters.map(|letter| letter.encode())).await;
        let all = Filter::default();
        assert_eq!(list(&log, all.clone(), 9).await.0, ["4", "3", "2", "1"]);
        assert_eq!(list(&log, all, 2).await.0, ["4", "3"]);
        let reason = Filter {
            reason: Some(RejectReason::VenueUnknown),
            ..Filter::default()
        };
        assert_eq!(list(&log, reason, 9).await.0, ["2"]);
        let venue = Filter {
            venue: "v".parse().ok(),
            ..Filter::default()
        };
        assert_eq!(list(&log, venue, 9).await.0, ["2", "1"]);
        let symbol = Filter {
            symbol: "A".parse().ok(),
            ..Filter::default()
        };
        let (rows, told) = list(&log, symbol, 9).await;
        assert_eq!(rows, ["3", "1"]);
        assert!(told.is_empty(), "{told:?}");
    }

    #[tokio::test]
    async fn what_is_no_letter_is_named_and_passed_over() {
        let garbage = || GARBAGE.to_vec();
        let values = [
            garbage(),
            letter(1, "v:A").encode(),
            garbage(),
            garbage(),
            letter(2, "v:A").encode(),
        ];
        let log = log(1 << 20, &values).await;
        let (rows, told) = list(&log, Filter::default(), 9).await;
        assert_eq!(rows, ["2", "1"]);
        let expected = [
            "0/0 to 0/1 are no dead letters, and are passed over; the first: record: 1 elements; \
             9 are expected",
            "1/1 is no dead letter, and is passed over: record: 1 elements; 9 are expected",
            "3 records are no dead letters",
        ];
        assert_eq!(told, expected);
    }
}
