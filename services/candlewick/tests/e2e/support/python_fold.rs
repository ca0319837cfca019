//! The second fold, which is written in Python.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::table::{put, read_csv};
use super::{Finished, SeriesKey, Tables};

/// The scripts of the second fold, and the Python that runs them.
#[derive(Debug)]
pub(crate) struct PythonFold {
    python: String,
    scripts: PathBuf,
}

/// What the second fold has computed.
#[derive(Debug)]
pub(crate) struct FoldedTapes {
    pub(crate) tables: Tables,
    pub(crate) trades: u64,
    pub(crate) duplicates: u64,
}

impl PythonFold {
    pub(crate) fn new() -> Self {
        let python = std::env::var("CANDLEWICK_PYTHON").unwrap_or_else(|_| {
            panic!("CANDLEWICK_PYTHON does not name a Python; `make test` sets it up")
        });
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/oracle");
        Self { python, scripts }
    }

    fn script(&self, name: &str) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(self.scripts.join(name));
        command
    }

    /// Writes a generated hostile tape.
    pub(crate) fn generate(&self, seed: u32, trades: u32, symbols: u32, ids: &str, to: &Path) {
        let (seed, trades, symbols) = (seed.to_string(), trades.to_string(), symbols.to_string());
        let mut command = self.script("generate.py");
        command.args(["--seed", &seed, "--trades", &trades, "--symbols", &symbols]);
        Finished::of(command.args(["--ids", ids, "-o"]).arg(to)).success();
    }

    /// Folds tapes. Lines without a venue belong to `venue`.
    pub(crate) fn fold(
        &self,
        venue: &str,
        tapes: &[impl AsRef<Path>],
        options: &[&str],
    ) -> FoldedTapes {
        let mut command = self.script("fold.py");
        command.args(tapes.iter().map(AsRef::as_ref));
        let output = command.args(["--full", "--keys"]).args(options).output();
        let output = output.unwrap();
        let report = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "fold.py: {report}");
        let mut tables = Tables::new();
        for mut row in read_csv(&String::from_utf8(output.stdout).unwrap()) {
            let mut take = |name: &str| row.remove(name).unwrap();
            let key = SeriesKey {
                venue: match take("venue") {
                    named if named.is_empty() => venue.to_owned(),
                    named => named,
                },
                symbol: take("symbol"),
                interval: take("interval"),
            };
            put(&mut tables, key, row);
        }
        FoldedTapes {
            tables,
            trades: count(&report, "trades"),
            duplicates: count(&report, "duplicates"),
        }
    }
}

/// Returns the count after a word, as in `lines 9 trades 8 duplicates 1 malformed 0`.
fn count(report: &str, word: &str) -> u64 {
    let mut words = report.split_whitespace();
    words.find(|found| *found == word);
    words.next().unwrap().parse().unwrap()
}
