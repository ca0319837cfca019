//! Comparing the stored state of a partition with its fold.

use std::collections::BTreeMap;

use market::Position;
use store::TickVerdict;

use crate::bar_store::StoredState;
use crate::oracle::{MarkedMinute, Oracle, RecordOutcome};
use crate::trade_producer::PARTITIONS;

pub(super) fn compare_bars(
    stored: &StoredState,
    oracle: &Oracle,
    partition: u32,
) -> Result<(), String> {
    let here = stored.bars.iter().filter(|((instrument, _), _)| {
        schemas::partition_of(instrument.key().as_bytes(), PARTITIONS) == partition
    });
    let mut count = 0;
    for (key, row) in here {
        count += 1;
        if oracle.bars.get(key) != Some(row) {
            return Err(format!(
                "stored {row:?}, the fold gives {:?}",
                oracle.bars.get(key)
            ));
        }
    }
    if count == oracle.bars.len() {
        return Ok(());
    }
    let missing = oracle
        .bars
        .keys()
        .find(|key| !stored.bars.contains_key(key));
    Err(format!(
        "{count} bars are stored, the fold gives {}; missing {missing:?}",
        oracle.bars.len()
    ))
}

pub(super) fn compare_marks(
    stored: &StoredState,
    oracle: &Oracle,
    partition: u32,
) -> Result<(), String> {
    let here = |instrument: &market::Instrument| {
        schemas::partition_of(instrument.key().as_bytes(), PARTITIONS) == partition
    };
    let marked = stored.dirty.iter().filter(|((of, _), _)| here(of));
    let marked: BTreeMap<_, _> = marked
        .map(|(key, mark)| {
            let marked = MarkedMinute {
                up_to: mark.up_to,
                amendments: mark.amendments,
                force: mark.force,
            };
            (key.clone(), marked)
        })
        .collect();
    if marked == oracle.marked_minutes {
        return Ok(());
    }
    Err(format!(
        "{marked:?} are marked, the fold marks {:?}",
        oracle.marked_minutes
    ))
}

pub(super) fn compare_outcomes(
    stored: &StoredState,
    oracle: &Oracle,
    partition: u32,
) -> Result<(), String> {
    let mut left_out: BTreeMap<Position, u32> = BTreeMap::new();
    let ends = stored.epoch_ends(partition);
    let mut ranges = stored.all_excluded_ranges(partition);
    ranges.retain(|range| range.verdict != TickVerdict::BeyondEpochEnd);
    if ranges.iter().any(|range| {
        let last = range.end_offset - 1;
        ends.is_at_or_beyond_end(Position {
            epoch: range.epoch,
            offset: last,
        })
    }) {
        return Err("a range beyond the end of its epoch was stored".to_owned());
    }
    for range in ranges {
        for offset in range.first_offset..range.end_offset {
            let at = Position {
                epoch: range.epoch,
                offset,
            };
            if !oracle.outcomes.contains_key(&at) {
                return Err(format!("{at:?} was left out and is not folded yet"));
            }
            *left_out.entry(at).or_default() += 1;
        }
    }
    for (at, outcome) in &oracle.outcomes {
        let times = left_out.get(at).copied().unwrap_or(0);
        let (is_amendment, append_ns) = oracle.appends[at];
        let (trades_before_ns, amendments_before_ns) = stored.expired_before_ns;
        let before_ns = match is_amendment {
            true => amendments_before_ns,
            false => trades_before_ns,
        };
        if append_ns < before_ns && times <= 1 {
            continue;
        }
        let is_left_out = matches!(
            outcome,
            RecordOutcome::Excluded | RecordOutcome::LeftOutRefold
        );
        if u32::from(is_left_out) != times {
            return Err(format!(
                "record {at:?} is {outcome:?} and was left out {times} times"
            ));
        }
    }
    Ok(())
}
