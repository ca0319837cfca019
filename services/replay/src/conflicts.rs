//! Counts, at the end of a run, its trades that contradict an earlier delivery.
//!
//! A server acknowledges a trade before it knows whether it was delivered before. So once
//! everything is acknowledged, the run waits until the server has folded and archived it, and asks
//! for the conflicts among what was appended meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use client::ListDuplicatesRequest;
use market::{Position, Symbol, Venue};
use schemas::RecordPosition;
use schemas::api::{AppendedOffsetsJson, DuplicateJson, DuplicatePageJson};
use tokio_util::sync::CancellationToken;

use crate::progress::StatusPrinter;
use crate::server_connection::ServerConnection;
use crate::thread_timer::ThreadTimer;

/// The most conflicts of a symbol that are counted; of more, their number is a lower bound.
pub(crate) const COUNT_LIMIT: u64 = 10_000;
/// How often the server is asked whether it has folded and archived what was sent.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// How long the server may make no progress with folding and archiving.
const STALL_LIMIT: Duration = Duration::from_secs(30);
/// After this time the user is told what the run waits for.
const SILENT_WAIT: Duration = Duration::from_secs(2);
/// The number of characters of a date at the beginning of a time.
const DATE_CHARACTERS: usize = 10;

/// Which positions of the log hold what a run sent and the server acknowledged: for each partition
/// the ends of ranges of positions by their first positions. Ranges that touch are one.
///
/// A request whose answer was lost is sent again. Both copies may be in the log, and only the
/// second is here: so a conflict is counted once. Records of other senders may lie within a range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AppendedPositions(BTreeMap<u32, BTreeMap<Position, Position>>);

/// A symbol of which trades were sent, and their event times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SentSymbol {
    pub(crate) venue: Venue,
    pub(crate) symbol: Symbol,
    /// The least and the greatest event time, in UTC nanoseconds.
    pub(crate) times_ns: (i64, i64),
}

/// The conflicts among what was appended of one symbol during a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SymbolConflicts {
    pub(crate) venue: Venue,
    pub(crate) symbol: Symbol,
    /// The number of trades that differ from the first delivery.
    pub(crate) conflicts: u64,
    /// The number of trades whose first delivery is no longer stored.
    pub(crate) not_comparable: u64,
    /// Whether there may be more than [`COUNT_LIMIT`].
    pub(crate) is_limited: bool,
    /// Whether a conflict is of another UTC day than the first delivery.
    pub(crate) is_of_another_day: bool,
}

/// Counts conflicts.
pub(crate) struct ConflictCounter<'a> {
    pub(crate) connection: &'a ServerConnection<'a>,
    pub(crate) timer: &'a ThreadTimer,
    pub(crate) messages: &'a StatusPrinter,
    pub(crate) stop: &'a CancellationToken,
    pub(crate) appended: &'a AppendedPositions,
}

impl AppendedPositions {
    /// Adds what a response says of one partition.
    pub(crate) fn add(&mut self, offsets: &AppendedOffsetsJson) {
        let at = |offset| Position {
            epoch: offsets.epoch,
            offset,
        };
        let (mut first, mut end) = (at(offsets.first_offset), at(offsets.end_offset));
        let ranges = self.0.entry(offsets.partition).or_default();
        while let Some((last_first, last_end)) = ranges.range(..=end).next_back()
            && *last_end >= first
        {
            let touching = *last_first;
            first = first.min(touching);
            end = end.max(*last_end);
            ranges.remove(&touching);
        }
        ranges.insert(first, end);
    }

    /// Returns whether it contains a position.
    fn contains(&self, record: RecordPosition) -> bool {
        let ranges = self.0.get(&record.partition);
        let range = ranges.and_then(|ranges| ranges.range(..=record.position).next_back());
        range.is_some_and(|(_, end)| record.position < *end)
    }

    /// Returns the first position of a partition.
    fn first(&self, partition: u32) -> Option<Position> {
        let (first, _) = self.0.get(&partition)?.first_key_value()?;
        Some(*first)
    }

    /// Returns the position behind the last one of a partition.
    fn end(&self, partition: u32) -> Option<Position> {
        let (_, end) = self.0.get(&partition)?.last_key_value()?;
        Some(*end)
    }
}

impl ConflictCounter<'_> {
    /// Returns the symbols that have conflicts, or trades that could not be compared.
    ///
    /// # Errors
    /// If the server cannot say, with the reason.
    pub(crate) fn count(&self, sent: &[SentSymbol]) -> anyhow::Result<Vec<SymbolConflicts>> {
        let mut found = Vec::new();
        for symbol in sent {
            let conflicts = self.count_of_symbol_if_appended(symbol)?;
            found.extend(conflicts.filter(|found| found.conflicts + found.not_comparable > 0));
        }
        Ok(found)
    }

    /// Counts the conflicts of one symbol; `None` if nothing was appended to its partition.
    fn count_of_symbol_if_appended(
        &self,
        sent: &SentSymbol,
    ) -> anyhow::Result<Option<SymbolConflicts>> {
        let partition = self.wait_until_folded_and_return_partition(sent)?;
        let Some(position) = self.appended.first(partition) else {
            return Ok(None);
        };
        let since = RecordPosition {
            partition,
            position,
        };
        let mut counted = SymbolConflicts::new(sent);
        let mut cursor = None;
        loop {
            let page = self.list(&ListDuplicatesRequest {
                conflicts_only: true,
                since: Some(since),
                cursor: cursor.as_deref(),
                ..duplicates_request_for_sent_times(sent)
            })?;
            for duplicate in &page.data {
                if self
                    .appended
                    .contains(parse_position(&duplicate.later.position)?)
                {
                    counted.add(duplicate);
                }
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(Some(counted));
            }
            if counted.conflicts + counted.not_comparable >= COUNT_LIMIT {
                counted.is_limited = true;
                return Ok(Some(counted));
            }
        }
    }

    /// Waits until the server has folded and archived what was appended to the partition of a
    /// symbol, and returns the partition.
    fn wait_until_folded_and_return_partition(&self, sent: &SentSymbol) -> anyhow::Result<u32> {
        let begin = self.timer.now();
        let mut progressed = (Position::default(), begin);
        let mut is_reported = false;
        loop {
            let page = self.list(&ListDuplicatesRequest {
                range_ns: (0, 0),
                ..duplicates_request_for_sent_times(sent)
            })?;
            let RecordPosition {
                partition,
                position,
            } = parse_position(&page.complete_to)?;
            let end = self.appended.end(partition);
            if end.is_none_or(|end| end <= position) {
                return Ok(partition);
            }
            let now = self.timer.now();
            if position > progressed.0 {
                progressed = (position, now);
            }
            ensure!(
                now.saturating_sub(progressed.1) < STALL_LIMIT,
                "the server has folded and archived nothing for {} s",
                STALL_LIMIT.as_secs(),
            );
            if !is_reported && now.saturating_sub(begin) > SILENT_WAIT {
                let text = "everything is sent; waiting until it is folded, to count conflicts";
                self.messages.print(text);
                is_reported = true;
            }
            self.timer.wait(POLL_INTERVAL, self.stop);
            if self.stop.is_cancelled() {
                bail!("stopped");
            }
        }
    }

    fn list(&self, request: &ListDuplicatesRequest<'_>) -> anyhow::Result<DuplicatePageJson> {
        self.connection.list_duplicates(request, self.timer)
    }
}

impl SymbolConflicts {
    fn new(sent: &SentSymbol) -> Self {
        Self {
            venue: sent.venue.clone(),
            symbol: sent.symbol.clone(),
            conflicts: 0,
            not_comparable: 0,
            is_limited: false,
            is_of_another_day: false,
        }
    }

    /// Counts a duplicate that is not the same as the first delivery.
    fn add(&mut self, duplicate: &DuplicateJson) {
        let Some(first) = &duplicate.first else {
            self.not_comparable += 1;
            return;
        };
        self.conflicts += 1;
        let date = |time: &str| time.get(..DATE_CHARACTERS).map(ToOwned::to_owned);
        self.is_of_another_day |= date(&first.time) != date(&duplicate.later.time);
    }
}

/// Returns the request for everything that has the event times of the sent trades.
fn duplicates_request_for_sent_times(sent: &SentSymbol) -> ListDuplicatesRequest<'_> {
    let (first_ns, last_ns) = sent.times_ns;
    ListDuplicatesRequest {
        venue: &sent.venue,
        symbol: &sent.symbol,
        range_ns: (first_ns.max(0), last_ns.saturating_add(1).max(0)),
        conflicts_only: false,
        since: None,
        limit: 10_000,
        cursor: None,
    }
}

fn parse_position(text: &str) -> anyhow::Result<RecordPosition> {
    let parsed = text.parse::<RecordPosition>();
    parsed.with_context(|| format!("the server sent the position {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_acknowledged_is_contained() {
        let mut appended = AppendedPositions::default();
        let mut add = |partition, first_offset, end_offset| {
            appended.add(&AppendedOffsetsJson {
                partition,
                epoch: 1,
                first_offset,
                end_offset,
            });
        };
        // The answer to what has the offsets 10 to 19 was lost, and it was sent again.
        for (first, end) in [(0, 10), (40, 50), (20, 30), (30, 40), (60, 70), (55, 62)] {
            add(0, first, end);
        }
        add(3, 5, 6);
        let ranges: Vec<_> = appended.0[&0]
            .iter()
            .map(|(first, end)| (first.offset, end.offset))
            .collect();
        assert_eq!(ranges, [(0, 10), (20, 50), (55, 70)]);
        let contains = |partition, epoch, offset| {
            appended.contains(RecordPosition {
                partition,
                position: Position { epoch, offset },
            })
        };
        for offset in [0, 9, 20, 29, 30, 49, 55, 69] {
            assert!(contains(0, 1, offset), "{offset}");
        }
        for offset in [10, 19, 50, 54, 70] {
            assert!(!contains(0, 1, offset), "{offset}");
        }
        assert!(contains(3, 1, 5) && !contains(3, 2, 5) && !contains(1, 1, 5));
        let ends = [appended.first(0), appended.end(0)].map(|at| at.unwrap().offset);
        assert_eq!(ends, [0, 70]);
        assert_eq!(appended.end(1), None);
    }
}
