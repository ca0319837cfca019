use std::io::Write;

use market::{IdScheme, IdScope, SenderId};

use super::{Numbering, Parsed, Source, SourceError};
use crate::faults::Faults;
use crate::format::FormatChoice;
use crate::names::{Defaults, Names};
use crate::tape::Tape;
use crate::unpack::BytesRead;

const ARCHIVE: &str = "1,48.80,500,24400.0,1381232396477000,False,True\n";
const SYMBOL: Numbering = Numbering {
    scheme: IdScheme::Contiguous,
    scope: IdScope::Symbol,
};

struct Read {
    trades: Vec<Parsed>,
    names: Names,
    faults: Faults,
    tape: Tape,
}

/// Reads a tape of this name and content.
fn read(name: &str, bytes: &[u8], numbering: Numbering) -> Result<Read, SourceError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let tape = Tape::identify(&path).unwrap();
    let defaults = Defaults {
        venue: "v".parse().unwrap(),
        symbol: tape.symbol(),
    };
    let choice = FormatChoice::Auto;
    let mut source = Source::open(&tape, 0, choice, defaults, &BytesRead::default())?;
    source.set_numbering(numbering, &tape)?;
    let (mut names, mut faults) = (Names::default(), Faults::new(1));
    let trades = std::iter::from_fn(|| source.next(&mut names, &mut faults)).collect();
    Ok(Read {
        trades,
        names,
        faults,
        tape,
    })
}

fn lines(read: &Read) -> Vec<u64> {
    read.trades.iter().map(|parsed| parsed.line).collect()
}

#[test]
fn bad_lines_are_told_and_the_others_kept() {
    let text = format!(
        "{ARCHIVE}\n1,2,3\r\n{ARCHIVE}x{ARCHIVE}{}\n2,48.8,500",
        "9".repeat(70_000)
    );
    let read = read("SPY-trades-1.csv", text.as_bytes(), SYMBOL).unwrap();
    assert_eq!(lines(&read), [1, 4]);
    let faults: Vec<_> = read
        .faults
        .first()
        .iter()
        .map(|fault| (fault.line, fault.reason.as_str()))
        .collect();
    let expected = [
        (3, "has 3 cells; 7 are expected"),
        (5, "id \"x1\" is not a trade id; digits are expected"),
        (6, "is longer than 65536 bytes; a trade is much shorter"),
        (7, "has 3 cells; 7 are expected"),
    ];
    assert_eq!(faults, expected);
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
    let read = read("SPY-trades-1.gz", &bytes, SYMBOL).unwrap();
    let whole = read.trades.len() as u64;
    assert!(whole > 1_000 && whole < 4_000, "{whole}");
    assert_eq!(lines(&read), (1..=whole).collect::<Vec<_>>());
    let [fault] = read.faults.first() else {
        panic!("one fault is expected: {:?}", read.faults);
    };
    assert_eq!(fault.line, whole + 1);
    assert!(
        fault.reason.starts_with("is lost with all after it: "),
        "{}",
        fault.reason
    );
}

#[test]
fn a_trade_without_id_is_known_by_file_and_line() {
    let unique = Numbering {
        scheme: IdScheme::Unique,
        scope: IdScope::File,
    };
    let text = b"time,price,id,scope\n1,2,a,\n1,2,,\n1,2,b,mine\n";
    let read = read("X.csv", text, unique).unwrap();
    let digest = read.tape.digest_hex();
    let known: Vec<_> = read
        .trades
        .iter()
        .map(|parsed| {
            (
                parsed.trade.id.is_some(),
                parsed.trade.scope.as_deref(),
                parsed.trade.sender,
            )
        })
        .collect();
    let sender = SenderId {
        key: read.tape.digest,
        index: 3,
    };
    let expected = [
        (true, Some(digest.as_str()), None),
        (false, None, Some(sender)),
        (true, Some("mine"), None),
    ];
    assert_eq!(known, expected);
}

#[test]
fn where_ids_identify_nothing_they_are_left_out() {
    let none = Numbering {
        scheme: IdScheme::None,
        scope: IdScope::Symbol,
    };
    let read = read("X.csv", ARCHIVE.as_bytes(), none).unwrap();
    assert_eq!(read.trades[0].trade.id, None);
    assert_eq!(
        read.trades[0].trade.sender.map(|sender| sender.index),
        Some(1)
    );
}

#[test]
fn lines_name_their_venue_and_symbol_or_get_the_default() {
    let text =
        b"time,price,venue,symbol\n1,2,,\n1,2,w,\n1,2,,B\n1,2,w,B\n1,2,,\n1,2,a b,B\n1,2,w,\xff\n";
    let read = read("A.csv", text, SYMBOL).unwrap();
    let named: Vec<_> = read
        .trades
        .iter()
        .map(|parsed| {
            let listing = read.names.listing(parsed.listing);
            format!("{}:{}", read.names.venue(listing.venue), listing.symbol)
        })
        .collect();
    assert_eq!(named, ["v:A", "w:A", "v:B", "w:B", "v:A"]);
    assert_eq!(read.names.len(), 4);
    let reasons: Vec<_> = read
        .faults
        .first()
        .iter()
        .map(|fault| fault.reason.as_str())
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
fn a_tape_that_cannot_be_read_says_why() {
    let exchange = Numbering {
        scheme: IdScheme::Unique,
        scope: IdScope::Exchange,
    };
    let cases: [(&str, &[u8], Numbering, &str); 5] = [
        (
            "A.csv",
            b"\n\ntime,cost\n",
            SYMBOL,
            "line 3 is no header of the plain format: \"cost\" is not",
        ),
        (
            "A.zip",
            b"PK\x03\x04 and no more",
            SYMBOL,
            "the zip is damaged or cut: ",
        ),
        (
            "my tape.csv",
            ARCHIVE.as_bytes(),
            SYMBOL,
            "its name does not begin with a symbol",
        ),
        (
            "A.csv",
            ARCHIVE.as_bytes(),
            exchange,
            "it has no column scope",
        ),
        ("A.csv", b"\x1f\x8b\x08\x00", SYMBOL, ""),
    ];
    for (name, bytes, numbering, expected) in cases {
        let error = read(name, bytes, numbering).err().unwrap().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn an_empty_tape_has_no_trades_and_no_faults() {
    for bytes in [&b""[..], b"\n\n", b"time,price\n", b"\xef\xbb\xbf"] {
        let read = read("A.csv", bytes, SYMBOL).unwrap();
        assert_eq!((read.trades.len(), read.faults.count()), (0, 0));
    }
}
