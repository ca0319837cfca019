//! The four tapes, and the bars expected from them.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::OnceLock;

use super::table::{put, read_csv};
use super::{PythonFold, SeriesKey, Tables};

/// The symbols of the tapes, the smallest tape first.
pub(crate) const SYMBOLS: [&str; 4] = ["IBM", "AIG", "BAC", "SPY"];

/// The number of trades of all tapes.
pub(crate) const TRADES: u64 = 654_140;

fn file(name: &str) -> PathBuf {
    let folder = std::env::var_os("CANDLEWICK_TAPES").unwrap_or_else(|| {
        panic!("CANDLEWICK_TAPES does not name the folder of the tapes; run `make test`")
    });
    let file = PathBuf::from(folder).join(name);
    assert!(file.is_file(), "{} is missing", file.display());
    file
}

/// Returns the paths of the tapes of some symbols.
pub(crate) fn tapes(symbols: &[&str]) -> Vec<PathBuf> {
    let name = |symbol: &&str| file(&format!("{symbol}-trades-2013-10-08.zip"));
    symbols.iter().map(name).collect()
}

/// Reads the lines of a tape.
pub(crate) fn lines(symbol: &str) -> Vec<String> {
    let [tape] = tapes(&[symbol]).try_into().unwrap();
    let mut archive = zip::ZipArchive::new(File::open(tape).unwrap()).unwrap();
    let mut text = String::new();
    let mut entry = archive.by_index(0).unwrap();
    entry.read_to_string(&mut text).unwrap();
    text.lines().map(ToOwned::to_owned).collect()
}

/// Returns the expected bars of some symbols in every interval: from the files next to the tapes,
/// and from the second fold for the intervals without a file.
pub(crate) fn expected(venue: &str, symbols: &[&str]) -> Tables {
    let mut tables = Tables::new();
    for symbol in symbols {
        for interval in ["1m", "5m", "1h", "1d"] {
            let path = file(&format!("expected/{symbol}-2013-10-08-{interval}.csv"));
            for row in read_csv(&std::fs::read_to_string(path).unwrap()) {
                let key = SeriesKey {
                    venue: venue.to_owned(),
                    symbol: (*symbol).to_owned(),
                    interval: interval.to_owned(),
                };
                put(&mut tables, key, row);
            }
        }
    }
    let of_these = folded()
        .iter()
        .filter(|(key, _)| symbols.contains(&key.symbol.as_str()));
    tables.extend(of_these.map(|(key, table)| {
        let key = SeriesKey {
            venue: venue.to_owned(),
            ..key.clone()
        };
        (key, table.clone())
    }));
    tables
}

/// Returns the bars of the second fold. It is slow, so it runs once for all tests.
fn folded() -> &'static Tables {
    static FOLDED: OnceLock<Tables> = OnceLock::new();
    FOLDED.get_or_init(|| {
        let options = ["--intervals", "15m,30m,4h"];
        let fold = PythonFold::new().fold("", &tapes(&SYMBOLS), &options);
        assert_eq!((fold.trades, fold.duplicates), (TRADES, 0));
        fold.tables
    })
}
