use std::path::Path;

use market::{IdScheme, IdScope};
use proptest::prelude::*;

use super::Merged;
use crate::faults::Faults;
use crate::format::FormatChoice;
use crate::names::Defaults;
use crate::source::{Numbering, Source};
use crate::tape::Tape;
use crate::unpack::BytesRead;

fn source(folder: &Path, place: usize, text: &str) -> Source {
    let path = folder.join(format!("S{place}.csv"));
    std::fs::write(&path, text).unwrap();
    let tape = Tape::identify(&path).unwrap();
    let defaults = Defaults {
        venue: "v".parse().unwrap(),
        symbol: tape.symbol(),
    };
    let read = BytesRead::default();
    let mut source = Source::open(&tape, place, FormatChoice::Auto, defaults, &read).unwrap();
    let numbering = Numbering {
        scheme: IdScheme::None,
        scope: IdScope::Symbol,
    };
    source.set_numbering(numbering, &tape).unwrap();
    source
}

/// Place of the tape, time and line of every trade, as merged.
fn merge(tapes: &[Vec<i64>]) -> Vec<(usize, i64, u64)> {
    let folder = tempfile::tempdir().unwrap();
    let sources = tapes.iter().enumerate().map(|(place, times)| {
        let lines: String = times.iter().map(|time| format!("{time},1\n")).collect();
        source(folder.path(), place, &format!("time,price\n{lines}"))
    });
    let mut merged = Merged::new(sources.collect(), Faults::new(tapes.len()));
    let mut trades = Vec::new();
    while let Some((place, parsed)) = merged.next() {
        trades.push((place, parsed.trade.time_ns, parsed.line));
    }
    trades
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_tape_keeps_its_order(tapes in proptest::collection::vec(proptest::collection::vec(0_i64..50, 0..20), 0..5)) {
        let merged = merge(&tapes);
        for (place, times) in tapes.iter().enumerate() {
            let of_tape = merged.iter().filter(|trade| trade.0 == place);
            prop_assert!(of_tape.clone().is_sorted_by_key(|trade| trade.2));
            prop_assert_eq!(&of_tape.map(|trade| trade.1).collect::<Vec<_>>(), times);
        }
    }

    #[test]
    fn ordered_tapes_give_one_ordered_tape(mut tapes in proptest::collection::vec(proptest::collection::vec(0_i64..50, 0..20), 0..5)) {
        tapes.iter_mut().for_each(|times| times.sort_unstable());
        let merged = merge(&tapes);
        prop_assert!(merged.is_sorted_by_key(|(place, time, line)| (*time, *place, *line)));
    }
}

#[test]
fn disorder_within_a_tape_stays_where_it_is() {
    let merged = merge(&[vec![10, 30, 20], vec![15, 25, 35]]);
    let expected = [
        (0, 10, 2),
        (1, 15, 2),
        (1, 25, 3),
        (0, 30, 3),
        (0, 20, 4),
        (1, 35, 4),
    ];
    assert_eq!(merged, expected);
}
