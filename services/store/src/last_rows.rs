//! Rows whose keys are repeated within one transaction: the last row counts.

use std::collections::HashSet;
use std::hash::Hash;

/// Returns the last row of each key, in the order of `rows`.
///
/// PostgreSQL refuses a statement that would write one row twice
/// (<https://www.postgresql.org/docs/current/sql-insert.html#SQL-ON-CONFLICT>).
pub(crate) fn last_row_of_each_key<'a, R, K: Hash + Eq>(
    rows: &'a [R],
    key: impl Fn(&'a R) -> K,
) -> Vec<&'a R> {
    let mut seen = HashSet::with_capacity(rows.len());
    let newest_first = rows.iter().rev().filter(|row| seen.insert(key(row)));
    let mut last: Vec<_> = newest_first.collect();
    last.reverse();
    last
}

#[cfg(test)]
mod tests {
    use super::last_row_of_each_key;

    #[test]
    fn the_last_row_of_each_key_stays_in_order() {
        let rows = [(1, 'a'), (2, 'b'), (1, 'c'), (3, 'd'), (2, 'e')];
        let last = last_row_of_each_key(&rows, |(key, _)| *key);
        assert_eq!(last, [&(1, 'c'), &(3, 'd'), &(2, 'e')]);
    }
}
