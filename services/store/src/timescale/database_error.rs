//! The errors of PostgreSQL, and what they mean to callers of the store.

use std::fmt;

use crate::StoreError;
use crate::compression::CompressionError;

/// An error that does not name its database yet.
#[derive(Debug)]
pub(super) enum DatabaseError {
    /// An error of PostgreSQL or sqlx.
    Sqlx(sqlx::Error),
    /// A stored value is not one that this store writes, or a value cannot be stored.
    Corrupt(String),
    /// The same call may succeed later.
    Unavailable(String),
    /// The tables are newer than this version.
    NewerSchema {
        /// The schema of the tables.
        found: i64,
        /// The newest schema that this version knows.
        known: i64,
    },
    /// The tables are too old to be upgraded.
    OlderSchema {
        /// The schema of the tables.
        found: i64,
        /// The oldest schema that this version reads.
        oldest: i64,
    },
}

/// Classes of errors (<https://www.postgresql.org/docs/current/errcodes-appendix.html>) that a
/// repeated call cannot succeed after: a statement that would write a row twice, or that does not
/// match the tables.
const CORRUPT_CLASSES: [&str; 2] = ["21", "42"];

/// Classes of errors of data: a value that does not fit, a violated constraint.
const DATA_CLASSES: [&str; 2] = ["22", "23"];

/// Codes of damage that PostgreSQL has detected.
const CORRUPT_CODES: [&str; 2] = ["XX001", "XX002"];

/// Missing privileges. The code is in the class 42, but privileges can be granted later.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// The class of refused users and passwords. A password may have been rotated; its file is read
/// again for each connection.
const INVALID_AUTHORIZATION_CLASS: &str = "28";

impl DatabaseError {
    /// Returns the error for a stored value that is not one that this store writes.
    pub(super) fn malformed_value(name: &str, value: impl fmt::Display) -> Self {
        Self::Corrupt(format!("{name}: {value} is not what was written"))
    }

    /// Converts the error into one that names the database.
    pub(super) fn into_store_error(self, store: &str) -> StoreError {
        let store = store.to_owned();
        match self {
            Self::Sqlx(error) => {
                let reason = describe(&error);
                if is_of_class(&error, &DATA_CLASSES) {
                    StoreError::DataRefused { store, reason }
                } else if is_corrupt(&error) {
                    StoreError::Corrupt { store, reason }
                } else {
                    StoreError::Unavailable { store, reason }
                }
            }
            Self::Corrupt(reason) => StoreError::Corrupt { store, reason },
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
                remedy: "drop that database and replay the trades, as docs/operations.md describes for new \
                     versions",
            },
        }
    }

    /// Returns whether other connections to the same server are likely to be lost as well.
    pub(super) fn is_lost_connection(&self) -> bool {
        match self {
            Self::Sqlx(sqlx::Error::Database(error)) => {
                error.code().is_some_and(|code| code.starts_with("57P"))
            }
            Self::Sqlx(sqlx::Error::Io(_) | sqlx::Error::Protocol(_)) => true,
            _ => false,
        }
    }
}

/// Returns the text of an error, with a hint if the server refused the user or the password.
fn describe(error: &sqlx::Error) -> String {
    let code = error.as_database_error().and_then(|error| error.code());
    match code {
        Some(code) if code.starts_with(INVALID_AUTHORIZATION_CLASS) => {
            format!("{error}; check the user and the password")
        }
        _ => error.to_string(),
    }
}

/// Returns whether an error means that a repeated call cannot succeed.
fn is_corrupt(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(database_error) => database_error.code().is_some_and(|code| {
            CORRUPT_CODES.contains(&&*code)
                || (is_of_class(error, &CORRUPT_CLASSES) && code != INSUFFICIENT_PRIVILEGE)
        }),
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. } => true,
        _ => false,
    }
}

/// Returns whether the code of an error of the server is of one of some classes.
fn is_of_class(error: &sqlx::Error, classes: &[&str]) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| classes.iter().any(|class| code.starts_with(class)))
}

impl From<sqlx::Error> for DatabaseError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sqlx(error)
    }
}

impl From<schemas::DecodeError> for DatabaseError {
    fn from(error: schemas::DecodeError) -> Self {
        Self::Corrupt(error.to_string())
    }
}

impl From<CompressionError> for DatabaseError {
    fn from(error: CompressionError) -> Self {
        match error {
            CompressionError::Failed(_) => Self::Unavailable(error.to_string()),
            CompressionError::Malformed(reason) => Self::Corrupt(reason),
        }
    }
}
