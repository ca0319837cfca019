//! What SQLite's errors mean.

use std::fmt;

use crate::StoreError;
use crate::compression::CompressionError;

/// A failure that does not name its file yet.
#[derive(Debug)]
pub(super) enum Failure {
    /// SQLite or sqlx says so.
    Database(sqlx::Error),
    /// What is stored is not what was written.
    Malformed(String),
    /// It can work later, or elsewhere.
    Unavailable(String),
    /// The file is newer than this version.
    Newer {
        /// Its schema.
        found: i64,
        /// The newest that is known here.
        known: i64,
    },
}

/// Primary result codes (<https://www.sqlite.org/rescode.html>) that a repeated call does not
/// get past: a missing table or column, a damaged file, a broken constraint, a value of another
/// type, or no database at all.
const CORRUPT: [i32; 5] = [1, 11, 19, 20, 26];

impl Failure {
    pub(super) fn malformed(what: &str, found: impl fmt::Display) -> Self {
        Self::Malformed(format!("{what}: {found} is not what was written"))
    }

    /// The error that names the file.
    pub(super) fn at(self, store: &str) -> StoreError {
        let store = store.to_owned();
        match self {
            Self::Database(error) => {
                let reason = error.to_string();
                if is_corrupt(&error) {
                    StoreError::Corrupt { store, reason }
                } else {
                    StoreError::Unavailable { store, reason }
                }
            }
            Self::Malformed(reason) => StoreError::Corrupt { store, reason },
            Self::Unavailable(reason) => StoreError::Unavailable { store, reason },
            Self::Newer { found, known } => StoreError::NewerSchema {
                store,
                found,
                known,
            },
        }
    }
}

fn is_corrupt(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().and_then(|code| code.parse::<i32>().ok());
            // The low byte of an extended code is the primary one.
            code.is_some_and(|code| CORRUPT.contains(&(code & 0xff)))
        }
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. } => true,
        _ => false,
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<schemas::DecodeError> for Failure {
    fn from(error: schemas::DecodeError) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl From<CompressionError> for Failure {
    fn from(error: CompressionError) -> Self {
        match error {
            CompressionError::Failed(_) => Self::Unavailable(error.to_string()),
            CompressionError::Malformed(reason) => Self::Malformed(reason),
        }
    }
}
