//! Errors of SQLite, and what they mean to callers of the store.

use std::fmt;

use crate::compression::CompressionError;
use crate::error::StoreError;

/// What an operator does about a file that is too old.
const OLDER_SCHEMA_REMEDY: &str = "delete the data folder and replay the trades";

/// An error that does not name its file yet.
#[derive(Debug)]
pub(super) enum DatabaseError {
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
/// call does not fix: a missing table or column, a damaged file, or a file that is no database.
const CORRUPT: [i32; 3] = [1, 11, 26];

/// Those of errors of data: a text or blob that is too long, a violated constraint, a value of the
/// wrong type.
const DATA: [i32; 3] = [18, 19, 20];

impl DatabaseError {
    /// Returns the error of a column or record `name` that holds `value`.
    pub(super) fn malformed_value(name: &str, value: impl fmt::Display) -> Self {
        Self::Malformed(format!("{name}: {value} is not what was written"))
    }

    /// Converts it into an error that names the file.
    pub(super) fn into_store_error(self, store: &str) -> StoreError {
        let store = store.to_owned();
        match self {
            Self::Database(error) => {
                let reason = error.to_string();
                if has_primary_code(&error, &DATA) {
                    StoreError::DataRefused { store, reason }
                } else if is_corrupt(&error) {
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
        sqlx::Error::Database(_) => has_primary_code(error, &CORRUPT),
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. } => true,
        _ => false,
    }
}

/// Returns whether the primary code of an error of SQLite is one of some codes.
fn has_primary_code(error: &sqlx::Error, codes: &[i32]) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    let code = code.and_then(|code| code.parse::<i32>().ok());
    // The low byte of an extended code is the primary code.
    code.is_some_and(|code| codes.contains(&(code & 0xff)))
}

impl From<sqlx::Error> for DatabaseError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<schemas::DecodeError> for DatabaseError {
    fn from(error: schemas::DecodeError) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl From<CompressionError> for DatabaseError {
    fn from(error: CompressionError) -> Self {
        match error {
            CompressionError::Failed(_) => Self::Unavailable(error.to_string()),
            CompressionError::Malformed(reason) => Self::Malformed(reason),
        }
    }
}
