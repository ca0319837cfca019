use std::path::Path;

use market::{IdScheme, IdScope};
use proptest::prelude::*;

use super::MergedTapes;
use crate::format::TapeFormatChoice;
use crate::id_scheme_and_scope::IdSchemeAndScope;
use crate::instruments::LineInstrumentDefaults;
use crate::problems::LineProblems;
use crate::tape::Tape;
use crate::tape_reader::TapeReader;
use crate::unpack::ByteCounter;

fn open_reader(folder: &Path, tape_index: usize, text: &str) -> TapeReader {
    let path = folder.join(format!("S{tape_index}.csv"));
    std::fs::write(&path, text).unwrap();
    let tape = Tape::digest_file(&path).unwrap();
    let defaults = LineInstrumentDefaults {
        venue: "v".parse().unwrap(),
        symbol: tape.symbol_from_file_name(),
    };
    let bytes_read = ByteCounter::default();
    let mut reader = TapeReader::open(
        &tape,
        tape_index,
        TapeFormatChoice::Auto,
        defaults,
        &bytes_read,
    )
    .unwrap();
    let id_scheme_and_scope = IdSchemeAndScope {
        scheme: IdScheme::None,
        scope: IdScope::Symbol,
    };
    reader
        .set_id_scheme_and_scope(id_scheme_and_scope, &tape)
        .unwrap();
    reader
}

/// Merges tapes that hold trades of these times. Returns the tape, time and line of each trade.
fn merge_times(tapes: &[Vec<i64>]) -> Vec<(usize, i64, u64)> {
    let folder = tempfile::tempdir().unwrap();
    let readers = tapes.iter().enumerate().map(|(index, times)| {
        let lines: String = times.iter().map(|time| format!("{time},1\n")).collect();
        open_reader(folder.path(), index, &format!("time,price\n{lines}"))
    });
    let mut merged = MergedTapes::new(readers.collect(), LineProblems::new(tapes.len()));
    let mut trades = Vec::new();
    while let Some((tape_index, trade)) = merged.next_trade() {
        trades.push((tape_index, trade.trade.time_ns, trade.line));
    }
    trades
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_tape_keeps_its_order(tapes in proptest::collection::vec(proptest::collection::vec(0_i64..50, 0..20), 0..5)) {
        let merged = merge_times(&tapes);
        for (index, times) in tapes.iter().enumerate() {
            let of_tape = merged.iter().filter(|trade| trade.0 == index);
            prop_assert!(of_tape.clone().is_sorted_by_key(|trade| trade.2));
            prop_assert_eq!(&of_tape.map(|trade| trade.1).collect::<Vec<_>>(), times);
        }
    }

    #[test]
    fn ordered_tapes_give_one_ordered_tape(mut tapes in proptest::collection::vec(proptest::collection::vec(0_i64..50, 0..20), 0..5)) {
        tapes.iter_mut().for_each(|times| times.sort_unstable());
        let merged = merge_times(&tapes);
        prop_assert!(merged.is_sorted_by_key(|(index, time, line)| (*time, *index, *line)));
    }
}

#[test]
fn trades_out_of_order_within_a_tape_keep_their_order() {
    let merged = merge_times(&[vec![10, 30, 20], vec![15, 25, 35]]);
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
