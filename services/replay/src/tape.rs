//! Files of trades, identified by their content.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use market::Symbol;

/// A file of trades, identified by its content.
#[derive(Debug, Clone)]
pub(crate) struct Tape {
    path: PathBuf,
    /// Its size, as it is packed.
    pub(crate) size_bytes: u64,
    /// The first 16 bytes of the BLAKE3 hash of its bytes, as it is packed.
    pub(crate) digest: [u8; 16],
}

impl Tape {
    /// Reads a file once and computes its digest.
    ///
    /// # Errors
    /// If it cannot be read, or is not a regular file: other files can be read only once.
    pub(crate) fn digest_file(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            let reason = "is not a regular file; it has to be read more than once";
            return Err(io::Error::other(reason));
        }
        let hash = blake3::Hasher::new().update_reader(file)?.finalize();
        let (digest, _) = hash.as_bytes().split_at(16);
        Ok(Self {
            path: path.to_owned(),
            size_bytes: metadata.len(),
            digest: digest.try_into().expect("a hash has 32 bytes"),
        })
    }

    /// Opens the file for reading.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub(crate) fn open_file(&self) -> io::Result<File> {
        File::open(&self.path)
    }

    /// Returns its name without folders, for messages and tables.
    pub(crate) fn file_name(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        name.to_string_lossy().into_owned()
    }

    /// Returns the digest in hexadecimal digits.
    pub(crate) fn digest_hex(&self) -> String {
        use std::fmt::Write;
        self.digest.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Returns the symbol at the beginning of its name: the text before the first `-trades-`, else
    /// before the first `-`, else before the extensions.
    pub(crate) fn symbol_from_file_name(&self) -> Option<Symbol> {
        let name = self.file_name();
        let bare = [".gz", ".zip", ".csv", ".txt"]
            .iter()
            .fold(name.as_str(), |bare, end| {
                bare.strip_suffix(end).unwrap_or(bare)
            });
        let mut parts = bare.split("-trades-");
        let before = parts.next().filter(|_| parts.next().is_some());
        let before = before.or_else(|| bare.split('-').next());
        before.and_then(|text| text.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::Tape;

    #[test]
    fn a_tape_is_identified_by_its_bytes_and_not_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = ["a.csv", "b.csv"].map(|name| folder.path().join(name));
        std::fs::write(&one, "1").unwrap();
        std::fs::write(&other, "1").unwrap();
        let before = Tape::digest_file(&one).unwrap();
        assert_eq!(before.digest, Tape::digest_file(&other).unwrap().digest);
        assert_eq!(before.digest_hex().len(), 32);
        std::fs::write(&other, "2").unwrap();
        assert_ne!(before.digest, Tape::digest_file(&other).unwrap().digest);
        assert!(Tape::digest_file(folder.path()).is_err());
        assert!(Tape::digest_file(&folder.path().join("c")).is_err());
    }

    #[test]
    fn a_name_begins_with_the_symbol() {
        let cases = [
            ("SPY-trades-2013-10-08.zip", Some("SPY")),
            ("BRK.B-trades-2013-10-08.csv.gz", Some("BRK.B")),
            ("BTC-USD-trades-2024-01.zip", Some("BTC-USD")),
            ("ETHUSDT-2024-01.csv", Some("ETHUSDT")),
            ("AAPL.csv.gz", Some("AAPL")),
            ("my tape.csv", Some("my tape")),
            ("-trades-.csv", None),
        ];
        for (name, expected) in cases {
            let tape = Tape {
                path: format!("/data/{name}").into(),
                size_bytes: 0,
                digest: [0; 16],
            };
            let symbol = tape.symbol_from_file_name();
            assert_eq!(
                symbol.as_ref().map(market::Symbol::as_str),
                expected,
                "{name}"
            );
        }
    }
}
