//! Statements that read excluded ranges.

use crate::offset_run::OffsetRun;
use crate::sqlite::column::u64_as_ordered_column;

/// Selects the ranges of a table that overlap the requested offsets.
///
/// Ranges never overlap one another, so the first that can overlap the requested offsets is the
/// last one that begins at or before them.
macro_rules! select_ranges_from {
    ($table:literal) => {
        concat!(
            "SELECT epoch, first_offset, end_offset, verdict, append_time_ns FROM ",
            $table,
            " WHERE partition = ?1 AND epoch = ?2 AND first_offset < ?4 AND end_offset > ?3 \
             AND first_offset >= coalesce((SELECT max(first_offset) FROM ",
            $table,
            " WHERE partition = ?1 AND epoch = ?2 AND first_offset <= ?3), ?3)"
        )
    };
}

/// Selects the ranges of trades, those of amendments, and everything beyond the end of an epoch.
/// Both great numbers are the greatest of their columns.
pub(super) const SELECT_EXCLUDED_RANGES: &str = concat!(
    select_ranges_from!("excluded_ranges"),
    " UNION ALL ",
    select_ranges_from!("excluded_amendments"),
    " UNION ALL SELECT epoch, end_offset, 9223372036854775807, 'beyond_epoch_end', \
     9223372036854775807 FROM epoch_ends WHERE partition = ?1 AND epoch = ?2 AND end_offset < ?4",
    " ORDER BY 2"
);

/// Selects the ranges of a table that overlap some runs of offsets. `CROSS JOIN` makes the database
/// search the index for each run.
macro_rules! select_ranges_of_runs_from {
    ($table:literal) => {
        concat!(
            "SELECT epoch, first_offset, end_offset, verdict, append_time_ns \
             FROM runs CROSS JOIN ",
            $table,
            " WHERE partition = ?1 AND epoch = of_epoch AND first_offset <= last \
             AND end_offset > first AND first_offset >= coalesce((SELECT max(first_offset) FROM ",
            $table,
            " WHERE partition = ?1 AND epoch = of_epoch AND first_offset <= first), first)"
        )
    };
}

/// Selects what [`SELECT_EXCLUDED_RANGES`] does, for several runs of offsets, which are a JSON
/// array of arrays; each range once.
pub(super) const SELECT_EXCLUDED_RANGES_IN: &str = concat!(
    "WITH runs (of_epoch, first, last) AS MATERIALIZED (SELECT json_extract(value, '$[0]'), \
     json_extract(value, '$[1]'), json_extract(value, '$[2]') FROM json_each(?2)) ",
    select_ranges_of_runs_from!("excluded_ranges"),
    " UNION ",
    select_ranges_of_runs_from!("excluded_amendments"),
    " UNION SELECT epoch, end_offset, 9223372036854775807, 'beyond_epoch_end', \
     9223372036854775807 FROM epoch_ends WHERE partition = ?1 \
     AND EXISTS (SELECT 1 FROM runs WHERE of_epoch = epoch AND end_offset <= last) \
     ORDER BY 1, 2"
);

/// Counts the offsets that are excluded with a verdict since a time.
pub(super) const COUNT_EXCLUDED_SINCE: &str = "SELECT coalesce(sum(end_offset - first_offset), 0) FROM ( \
    SELECT first_offset, end_offset FROM excluded_ranges \
    WHERE partition = ?1 AND verdict = ?2 AND append_time_ns >= ?3 \
    UNION ALL SELECT first_offset, end_offset FROM excluded_amendments \
    WHERE partition = ?1 AND verdict = ?2 AND append_time_ns >= ?3)";

/// Returns runs of offsets as the JSON that [`SELECT_EXCLUDED_RANGES_IN`] reads.
pub(super) fn offset_runs_json(runs: &[OffsetRun]) -> String {
    let row = |run: &OffsetRun| {
        let columns = [run.epoch, run.first, run.last].map(u64_as_ordered_column);
        format!("[{},{},{}]", columns[0], columns[1], columns[2])
    };
    let rows: Vec<_> = runs.iter().map(row).collect();
    format!("[{}]", rows.join(","))
}
