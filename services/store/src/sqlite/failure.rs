//! What SQLite's errors mean.

use std::fmt;

use crate::StoreError;
use crate::compression::CompressionError;

/// What an operator does about a file that is too old.
const OLDER_SCHEMA_REMEDY: &str = "delete the data folder and replay the trades";

/// A failure that does not name its file yet.
#[derive(Debug)]
pub(super) enum Failure {
    /// SQLite or sqlx returned an error.
    Database(sqlx::Error),
    /// What is stored is not what was written.
    Malformed(String),
    /// The same call may succeed later, or on another file.
    Unavailable(String),
    /// A newer version wrote the file.
    NewerSchema {
        /// The schema of the file.
        found: i64,
        /// The newest schema that this version knows.
        known: i64,
    },
    /// An older version wrote the file, and it cannot be upgraded.
    OlderSchema {
        /// The schema of the file.
        found: i64,
        /// The oldest schema that this version reads.
        oldest: i64,
    },
}

/// The primary result codes (<https://www.sqlite.org/rescode.html>) of errors that a repeated
/// call does not fix: a missing table or column, a damaged file, a violated constraint, a value
/// of the wrong type, or a file that is no database.
const CORRUPT: [i32; 5] = [1, 11, 19, 20, 26];

impl Failure {
    /// Returns the failure of a column or record `what` that holds the value `found`.
    pub(super) fn malformed(what: &str, found: impl fmt::Display) -> Self {
        Self::Malformed(format!("{what}: {found} is not what was written"))
    }

    /// Converts it into an error that names the file.
    pub(super) fn into_store_error(self, store: &str) -> StoreError {
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
            Self::NewerSchema { found, known } => StoreError::NewerSchema {
                store,
                found,
                known,
            },
            Self::OlderSchema { found, oldest } => StoreError::OlderSchema {
                store,
                found,
                oldest,
                remedy: OLDER_SCHEMA_REMEDY,
            },
        }
    }
}

fn is_corrupt(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().and_then(|code| code.parse::<i32>().ok());
            // The low byte of an extended code is the primary code.
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
