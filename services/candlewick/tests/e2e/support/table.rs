//! Tables of bars, and their comparison.

use std::collections::{BTreeMap, BTreeSet};

/// Every interval, as text.
pub(crate) const INTERVALS: [&str; 7] = ["1m", "5m", "15m", "30m", "1h", "4h", "1d"];

/// The series of a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SeriesKey {
    pub(crate) venue: String,
    pub(crate) symbol: String,
    pub(crate) interval: String,
}

/// A bar: its values by column.
pub(crate) type BarColumns = BTreeMap<String, String>;

/// The bars of a series by their starts in microseconds, as text.
pub(crate) type Table = BTreeMap<String, BarColumns>;

/// Tables by series.
pub(crate) type Tables = BTreeMap<SeriesKey, Table>;

/// The column of starts.
pub(crate) const START: &str = "start_us";

/// Reads a CSV with a header and without quoted cells.
pub(crate) fn read_csv(text: &str) -> impl Iterator<Item = BarColumns> {
    let mut lines = text.lines();
    let header: Vec<_> = lines.next().unwrap().split(',').collect();
    lines.map(move |line| {
        let cells: Vec<_> = line.split(',').collect();
        assert_eq!(cells.len(), header.len(), "{line}");
        let named = header.iter().zip(cells);
        named
            .map(|(name, cell)| ((*name).to_owned(), cell.to_owned()))
            .collect()
    })
}

/// Adds a bar to its table.
pub(crate) fn put(tables: &mut Tables, key: SeriesKey, mut row: BarColumns) {
    let start = row.remove(START).unwrap();
    let before = tables.entry(key).or_default().insert(start.clone(), row);
    assert!(before.is_none(), "start {start} comes twice");
}

/// Asserts that the tables have the same bars with the expected values.
///
/// Columns that only the actual tables have are not compared. Trades without ids are named by their
/// positions, which a second fold cannot know: an empty expected id matches any position.
pub(crate) fn assert_equal(what: &str, expected: &Tables, actual: &Tables) {
    let (mut wrong, mut bars, mut values) = (Vec::new(), 0, 0);
    let keys: BTreeSet<_> = expected.keys().chain(actual.keys()).collect();
    for key in keys {
        let empty = Table::new();
        let left = expected.get(key).unwrap_or(&empty);
        let right = actual.get(key).unwrap_or(&empty);
        let starts: BTreeSet<_> = left.keys().chain(right.keys()).collect();
        for start in starts {
            match (left.get(start), right.get(start)) {
                (Some(left), Some(right)) => {
                    bars += 1;
                    values += left.len();
                    wrong.extend(
                        differences(left, right)
                            .map(|difference| format!("{key:?} {start}: {difference}")),
                    );
                }
                (Some(_), None) => wrong.push(format!("{key:?} {start}: missing")),
                _ => wrong.push(format!("{key:?} {start}: not expected")),
            }
        }
    }
    let shown = wrong.iter().take(20).cloned().collect::<Vec<_>>();
    let count = wrong.len();
    assert!(
        count == 0,
        "{what}: {count} differences: {}",
        shown.join("\n")
    );
    assert!(bars > 0, "{what}: nothing was compared");
    println!(
        "{what}: {values} values of {bars} bars in {} tables are equal",
        expected.len()
    );
}

fn differences<'a>(
    left: &'a BarColumns,
    right: &'a BarColumns,
) -> impl Iterator<Item = String> + 'a {
    left.iter().filter_map(|(name, expected)| {
        let actual = &right[name];
        let is_id = name.ends_with("_id");
        let is_equal = match (is_id, expected.as_str()) {
            (true, "") => actual.split('-').count() == 3,
            (true, _) => expected == actual,
            (false, _) => plain(expected) == *actual,
        };
        (!is_equal).then(|| format!("{name} is {actual}, not {expected}"))
    })
}

/// Returns the canonical text of a decimal, without superfluous zeros.
fn plain(decimal: &str) -> String {
    let (sign, digits) = match decimal.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", decimal),
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    assert!(
        is_digits(whole) && is_digits(fraction),
        "{decimal} is no decimal"
    );
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    match fraction.trim_end_matches('0') {
        "" if whole == "0" => "0".to_owned(),
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    }
}
