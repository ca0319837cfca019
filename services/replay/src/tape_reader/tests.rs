use std::io::Write;

use market::{IdScheme, IdScope, SenderTradeId};

use super::{TapeError, TapeReader, TapeTrade};
use crate::format::TapeFormatChoice;
use crate::id_scheme_and_scope::IdSchemeAndScope;
use crate::instruments::{InstrumentTable, LineInstrumentDefaults};
use crate::problems::LineProblems;
use crate::tape::Tape;
use crate::unpack::ByteCounter;

const ARCHIVE: &str = "1,48.80,500,24400.0,1381232396477000,False,True\n";
const CONTIGUOUS_BY_SYMBOL: IdSchemeAndScope = IdSchemeAndScope {
    scheme: IdScheme::Contiguous,
    scope: IdScope::Symbol,
};

struct ReadTape {
    trades: Vec<TapeTrade>,
    instruments: InstrumentTable,
    bad_lines: LineProblems,
    tape: Tape,
}

/// Reads a whole tape of this name and content.
fn read_tape(
    name: &str,
    bytes: &[u8],
    id_scheme_and_scope: IdSchemeAndScope,
) -> Result<ReadTape, TapeError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let tape = Tape::digest_file(&path).unwrap();
    let defaults = LineInstrumentDefaults {
        venue: "v".parse().unwrap(),
        symbol: tape.symbol_from_file_name(),
    };
    let choice = TapeFormatChoice::Auto;
    let mut reader = TapeReader::open(&tape, 0, choice, defaults, &ByteCounter::default())?;
    reader.set_id_scheme_and_scope(id_scheme_and_scope, &tape)?;
    let (mut instruments, mut bad_lines) = (InstrumentTable::default(), LineProblems::new(1));
    let trades =
        std::iter::from_fn(|| reader.next_trade(&mut instruments, &mut bad_lines)).collect();
    // Tapes that go on for longer keep their readers, so one that has ended must hold no memory.
    assert_eq!(reader.line_identifier.allocated_lines(), 0, "{name}");
    Ok(ReadTape {
        trades,
        instruments,
        bad_lines,
        tape,
    })
}

fn line_numbers(read: &ReadTape) -> Vec<u64> {
    read.trades.iter().map(|trade| trade.line).collect()
}

#[test]
fn bad_lines_are_listed_and_the_others_are_kept() {
    let text = format!(
        "{ARCHIVE}\n1,2,3\r\n{ARCHIVE}x{ARCHIVE}{}\n2,48.8,500",
        "9".repeat(70_000)
    );
    let read = read_tape("SPY-trades-1.csv", text.as_bytes(), CONTIGUOUS_BY_SYMBOL).unwrap();
    assert_eq!(line_numbers(&read), [1, 4]);
    let problems: Vec<_> = read
        .bad_lines
        .listed()
        .iter()
        .map(|problem| (problem.line, problem.reason.as_str()))
        .collect();
    let expected = [
        (3, "has 3 cells; 7 are expected"),
        (5, "id \"x1\" is not a trade id; digits are expected"),
        (6, "is longer than 65536 bytes; a trade is much shorter"),
        (7, "has 3 cells; 7 are expected"),
    ];
    assert_eq!(problems, expected);
}

#[test]
fn a_cut_gzip_gives_the_whole_lines_before_the_cut_and_says_so() {
    let mut random = 1_u64;
    let text: String = (1..5_000)
        .map(|id| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            format!(
                "{id},{},500,24400.0,1381232396477000,False,True\n",
                random >> 40
            )
        })
        .collect();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    let mut bytes = encoder.finish().unwrap();
    bytes.truncate(bytes.len() / 2);
    let read = read_tape("SPY-trades-1.gz", &bytes, CONTIGUOUS_BY_SYMBOL).unwrap();
    let whole = read.trades.len() as u64;
    assert!(whole > 1_000 && whole < 4_000, "{whole}");
    assert_eq!(line_numbers(&read), (1..=whole).collect::<Vec<_>>());
    let [problem] = read.bad_lines.listed() else {
        panic!("one problem is expected: {:?}", read.bad_lines);
    };
    assert_eq!(problem.line, whole + 1);
    assert!(
        problem.reason.starts_with("is lost with all after it: "),
        "{}",
        problem.reason
    );
}

#[test]
fn a_trade_without_id_is_identified_by_its_values() {
    let unique = IdSchemeAndScope {
        scheme: IdScheme::Unique,
        scope: IdScope::File,
    };
    let text = b"time,price,id,scope\n1,2,a,\n1,2,,\n1,2,b,mine\n";
    let read = read_tape("X.csv", text, unique).unwrap();
    let digest = read.tape.digest_hex();
    let known: Vec<_> = read
        .trades
        .iter()
        .map(|trade| {
            (
                trade.trade.id.is_some(),
                trade.trade.scope.as_deref(),
                trade.trade.sender.map(|sender| sender.key),
            )
        })
        .collect();
    let expected = [
        (true, Some(digest.as_str()), None),
        (false, None, Some(SenderTradeId::TAPE_KEY)),
        (true, Some("mine"), None),
    ];
    assert_eq!(known, expected);
}

/// Returns the identities of the trades of a tape without ids, with their symbols, in no order.
fn identities(name: &str, bytes: &[u8]) -> Vec<(String, u64)> {
    let none = IdSchemeAndScope {
        scheme: IdScheme::None,
        scope: IdScope::Symbol,
    };
    let read = read_tape(name, bytes, none).unwrap();
    assert_eq!(read.bad_lines.total_count(), 0);
    let identity = |trade: &TapeTrade| {
        let instrument = read.instruments.instrument(trade.instrument_index);
        let index = trade.trade.sender.unwrap().index;
        (instrument.symbol.as_str().to_owned(), index)
    };
    let mut identities: Vec<_> = read.trades.iter().map(identity).collect();
    identities.sort_unstable();
    identities.dedup();
    identities
}

#[test]
fn the_same_lines_are_the_same_trades_in_any_file() {
    let text = "time,price,quantity\n1,2,3\n1,2,3\n5,2,\n";
    let found = identities("X.csv", text.as_bytes());
    assert_eq!(found.len(), 3, "two equal lines are two trades");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    let gzipped = encoder.finish().unwrap();
    let same: [(&str, &[u8]); 4] = [
        ("X-2.csv", text.as_bytes()),
        ("X.csv.gz", &gzipped),
        (
            "X.csv",
            b"price,time,side,quantity\r\n2.0,5,,\r\n2,1,,3.00\r\n2,1,,3\r\n",
        ),
        (
            "Y.csv",
            b"symbol,time,price,quantity\nX,1,2,3\nX,1,2,3\nX,5,2,\n",
        ),
    ];
    for (name, bytes) in same {
        assert_eq!(identities(name, bytes), found, "{name}");
    }
    let grown = format!("{text}6,2,1\n1,2,3\n");
    let grown = identities("X.csv", grown.as_bytes());
    assert_eq!(grown.len(), 5);
    assert!(found.iter().all(|identity| grown.contains(identity)));
    // Equal lines of two symbols are counted apart.
    let both = b"symbol,time,price,quantity\nX,1,2,3\nY,1,2,3\nX,1,2,3\nX,5,2,\n";
    let both = identities("B.csv", both);
    assert!(found.iter().all(|identity| both.contains(identity)));
    assert_eq!(both.len(), 4);
}

#[test]
fn ids_are_dropped_if_they_identify_nothing() {
    let none = IdSchemeAndScope {
        scheme: IdScheme::None,
        scope: IdScope::Symbol,
    };
    let read = read_tape("X.csv", ARCHIVE.as_bytes(), none).unwrap();
    assert_eq!(read.trades[0].trade.id, None);
    let sender = read.trades[0].trade.sender;
    assert_eq!(
        sender.map(|sender| sender.key),
        Some(SenderTradeId::TAPE_KEY)
    );
}

#[test]
fn lines_name_their_venue_and_symbol_or_get_the_default() {
    let text =
        b"time,price,venue,symbol\n1,2,,\n1,2,w,\n1,2,,B\n1,2,w,B\n1,2,,\n1,2,a b,B\n1,2,w,\xff\n";
    let read = read_tape("A.csv", text, CONTIGUOUS_BY_SYMBOL).unwrap();
    let named: Vec<_> = read
        .trades
        .iter()
        .map(|trade| {
            let instrument = read.instruments.instrument(trade.instrument_index);
            format!(
                "{}:{}",
                read.instruments.venue(instrument.venue_index),
                instrument.symbol
            )
        })
        .collect();
    assert_eq!(named, ["v:A", "w:A", "v:B", "w:B", "v:A"]);
    assert_eq!(read.instruments.len(), 4);
    let reasons: Vec<_> = read
        .bad_lines
        .listed()
        .iter()
        .map(|problem| problem.reason.as_str())
        .collect();
    assert_eq!(reasons.len(), 2);
    assert!(
        reasons[0].starts_with("venue \"a b\" has an unexpected character"),
        "{}",
        reasons[0]
    );
    assert_eq!(reasons[1], "symbol \"\\xff\" is not UTF-8 at byte 0");
}

#[test]
fn the_error_of_an_unreadable_tape_says_why() {
    let exchange = IdSchemeAndScope {
        scheme: IdScheme::Unique,
        scope: IdScope::Exchange,
    };
    let cases: [(&str, &[u8], IdSchemeAndScope, &str); 5] = [
        (
            "A.csv",
            b"\n\ntime,cost\n",
            CONTIGUOUS_BY_SYMBOL,
            "line 3 is not a header of the plain format: \"cost\" is not",
        ),
        (
            "A.zip",
            b"PK\x03\x04 and no more",
            CONTIGUOUS_BY_SYMBOL,
            "the zip is damaged or cut: ",
        ),
        (
            "-trades-.csv",
            ARCHIVE.as_bytes(),
            CONTIGUOUS_BY_SYMBOL,
            "its name does not begin with a symbol",
        ),
        (
            "A.csv",
            ARCHIVE.as_bytes(),
            exchange,
            "it has no column scope",
        ),
        ("A.csv", b"\x1f\x8b\x08\x00", CONTIGUOUS_BY_SYMBOL, ""),
    ];
    for (name, bytes, id_scheme_and_scope, expected) in cases {
        let error = read_tape(name, bytes, id_scheme_and_scope)
            .err()
            .unwrap()
            .to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn an_empty_tape_has_no_trades_and_no_problems() {
    for bytes in [&b""[..], b"\n\n", b"time,price\n", b"\xef\xbb\xbf"] {
        let read = read_tape("A.csv", bytes, CONTIGUOUS_BY_SYMBOL).unwrap();
        assert_eq!((read.trades.len(), read.bad_lines.total_count()), (0, 0));
    }
}
