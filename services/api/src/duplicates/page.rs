//! One page of duplicates.

use market::HOUR_NS;
use store::{BarReader, DuplicateComparison, DuplicateTick, StoreError, TickStore};

use super::request::{ListDuplicatesRequest, NextDuplicatePosition};
use super::source::{DuplicatePageSource, TicksOfTimeRange};
use crate::trades::TimeSlices;

/// The number of ticks that one read should return.
const TICKS_PER_READ: usize = 20_000;
/// A page ends after this number of ticks, however few duplicates are among them.
const TICKS_PER_PAGE: usize = 400_000;
/// The least number of later deliveries that are compared at once: each time may cost a look-up in
/// all ticks of the symbol.
const MIN_COMPARED: usize = 1_000;

/// A page of duplicates in order.
#[derive(Default)]
pub(super) struct DuplicatePage {
    pub(super) duplicates: Vec<DuplicateTick>,
    /// Where the next page begins; `None` at the end of the range.
    pub(super) next: Option<NextDuplicatePosition>,
}

/// Returns the requested duplicates, the oldest ones of the range.
pub(super) async fn duplicate_page<R: BarReader, T: TickStore>(
    source: &DuplicatePageSource<'_, R, T>,
    request: &ListDuplicatesRequest,
) -> Result<DuplicatePage, StoreError> {
    let mut page = DuplicatePage::default();
    if let Some(since) = request.since
        && !source.partition_has_duplicate_since(since).await?
    {
        return Ok(page);
    }
    let mut tick_count = 0;
    let hours = source.hours_with_tick_count_upper_bounds(request.start_ns, request.end_ns);
    for (hour_ns, rows) in hours.await? {
        let from_ns = hour_ns.max(request.start_ns);
        let to_ns = hour_ns.saturating_add(HOUR_NS).min(request.end_ns);
        let mut slices = TimeSlices::new(from_ns, to_ns, rows, TICKS_PER_READ, false);
        while let Some((from_ns, to_ns)) = slices.next_slice() {
            if tick_count >= TICKS_PER_PAGE {
                page.next = Some(NextDuplicatePosition::of_time(from_ns));
                return Ok(page);
            }
            let read = source.ticks_between(from_ns, to_ns).await?;
            tick_count += read.count;
            page.next = append_duplicates(&mut page.duplicates, source, request, &read).await?;
            if page.next.is_some() {
                return Ok(page);
            }
            if read.count < TICKS_PER_READ / 4 {
                slices.lengthen_further_slices();
            }
        }
    }
    Ok(page)
}

/// Appends the requested duplicates among ticks. Returns where the next page begins if this one is
/// full before.
async fn append_duplicates<R: BarReader, T: TickStore>(
    duplicates: &mut Vec<DuplicateTick>,
    source: &DuplicatePageSource<'_, R, T>,
    request: &ListDuplicatesRequest,
    read: &TicksOfTimeRange,
) -> Result<Option<NextDuplicatePosition>, StoreError> {
    let is_before = |later: &store::Tick| NextDuplicatePosition::of_tick(later) < request.from;
    let begin = read.later.partition_point(is_before);
    // Only what is asked for is compared: that costs look-ups.
    let is_since = |later: &&store::Tick| {
        let since = request.since;
        since.is_none_or(|since| since <= later.position)
    };
    let wanted: Vec<store::Tick> = read.later[begin..]
        .iter()
        .filter(is_since)
        .cloned()
        .collect();
    let mut later = &wanted[..];
    while !later.is_empty() {
        let wanted = (request.limit - duplicates.len() + 1).max(MIN_COMPARED);
        let (compared, rest) = later.split_at(wanted.min(later.len()));
        later = rest;
        for duplicate in source.with_first_deliveries(compared, read).await? {
            if request.conflicts_only && duplicate.compare() == DuplicateComparison::Same {
                continue;
            }
            if duplicates.len() == request.limit {
                return Ok(Some(NextDuplicatePosition::of_tick(&duplicate.later)));
            }
            duplicates.push(duplicate);
        }
    }
    Ok(None)
}
