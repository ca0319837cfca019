//! Statements that read excluded ranges.

/// Selects the ranges of a table that overlap the requested offsets.
///
/// Ranges never overlap one another, so the first that can reach into the query is the last one
/// that begins at or before it.
macro_rules! select_ranges_from {
    ($table:literal) => {
        concat!(
            "SELECT epoch, first_offset, end_offset, verdict, append_time_ns FROM ",
            $table,
            " WHERE partition = $1 AND epoch = $2 \
             AND first_offset < $4 AND end_offset > $3 AND first_offset >= \
             coalesce((SELECT max(first_offset) FROM ",
            $table,
            " WHERE partition = $1 AND epoch = $2 AND first_offset <= $3), $3)"
        )
    };
}

/// Selects the ranges of trades, those of amendments, and everything beyond the end of an epoch.
/// Both great numbers are the greatest of their types.
pub(super) const SELECT_EXCLUDED_RANGES: &str = concat!(
    select_ranges_from!("excluded_ranges"),
    " UNION ALL ",
    select_ranges_from!("excluded_amendments"),
    " UNION ALL SELECT epoch, end_offset::numeric, 18446744073709551615::numeric, \
     'beyond_epoch_end', 9223372036854775807 FROM epoch_ends \
     WHERE partition = $1 AND epoch = $2 AND end_offset < $4",
    " ORDER BY 2"
);

/// Selects the ranges of a table that overlap some runs of offsets. For each run the index is
/// searched once: `OFFSET 0` keeps the planner from joining the whole table instead.
macro_rules! select_ranges_of_runs_from {
    ($table:literal) => {
        concat!(
            "SELECT found.* FROM runs CROSS JOIN LATERAL ( \
             SELECT epoch, first_offset, end_offset, verdict, append_time_ns FROM ",
            $table,
            " WHERE partition = $1 AND epoch = runs.of_epoch \
             AND first_offset <= runs.last AND end_offset > runs.first AND first_offset >= \
             coalesce((SELECT max(first_offset) FROM ",
            $table,
            " WHERE partition = $1 AND epoch = runs.of_epoch AND first_offset <= runs.first), \
             runs.first) OFFSET 0) AS found"
        )
    };
}

/// Selects what [`SELECT_EXCLUDED_RANGES`] does, for several runs of offsets; each range once.
pub(super) const SELECT_EXCLUDED_RANGES_IN: &str = concat!(
    "WITH runs AS (SELECT * FROM unnest($2::bigint[], $3::numeric[], $4::numeric[]) \
     AS run (of_epoch, first, last)) ",
    select_ranges_of_runs_from!("excluded_ranges"),
    " UNION ",
    select_ranges_of_runs_from!("excluded_amendments"),
    " UNION SELECT epoch, end_offset::numeric, 18446744073709551615::numeric, \
     'beyond_epoch_end', 9223372036854775807 FROM epoch_ends WHERE partition = $1 \
     AND EXISTS (SELECT FROM runs WHERE of_epoch = epoch AND end_offset <= last)"
);

/// Counts the offsets that are excluded with a verdict since a time.
pub(super) const COUNT_EXCLUDED_SINCE: &str = "SELECT coalesce(sum(end_offset - first_offset), 0) FROM ( \
    SELECT first_offset, end_offset FROM excluded_ranges \
    WHERE partition = $1 AND verdict = $2 AND append_time_ns >= $3 \
    UNION ALL SELECT first_offset, end_offset FROM excluded_amendments \
    WHERE partition = $1 AND verdict = $2 AND append_time_ns >= $3) AS excluded";
