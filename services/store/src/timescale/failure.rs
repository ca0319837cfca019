//! What PostgreSQL's errors mean.

use std::fmt;

use crate::StoreError;
use crate::compression::CompressionError;

/// A failure that does not name its database yet.
#[derive(Debug)]
pub(super) enum Failure {
    /// PostgreSQL or sqlx says so.
    Database(sqlx::Error),
    /// What is stored is not what was written.
    Malformed(String),
    /// It can work later.
    Unavailable(String),
    /// The tables are newer than this version.
    Newer {
        /// Their schema.
        found: i64,
        /// The newest that is known here.
        known: i64,
    },
    /// The tables are too old to be upgraded.
    Older {
        /// Their schema.
        found: i64,
        /// The oldest schema that this version reads.
        oldest: i64,
    },
}

/// Classes of errors (<https://www.postgresql.org/docs/current/errcodes-appendix.html>) that a
/// repeated call does not get past: a value that does not fit, a broken constraint, a statement
/// that the tables do not take.
const CORRUPT_CLASSES: [&str; 4] = ["21", "22", "23", "42"];

/// Damage that PostgreSQL has found.
const CORRUPT_CODES: [&str; 2] = ["XX001", "XX002"];

/// Of the class 42, yet not for good: rights can be granted.
const NO_RIGHT: &str = "42501";

/// The password or the user is refused. It may have been rotated, and is read anew each time.
const REFUSED_CLASS: &str = "28";

impl Failure {
    pub(super) fn malformed(what: &str, found: impl fmt::Display) -> Self {
        Self::Malformed(format!("{what}: {found} is not what was written"))
    }

    /// The error that names the database.
    pub(super) fn at(self, store: &str) -> StoreError {
        let store = store.to_owned();
        match self {
            Self::Database(error) => {
                let reason = reason(&error);
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
            Self::Older { found, oldest } => StoreError::OlderSchema {
                store,
                found,
                oldest,
            },
        }
    }

    /// Whether other connections to the same server are likely to be gone as well.
    pub(super) fn is_lost_connection(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => {
                error.code().is_some_and(|code| code.starts_with("57P"))
            }
            Self::Database(sqlx::Error::Io(_) | sqlx::Error::Protocol(_)) => true,
            _ => false,
        }
    }
}

fn reason(error: &sqlx::Error) -> String {
    let code = error.as_database_error().and_then(|error| error.code());
    match code {
        Some(code) if code.starts_with(REFUSED_CLASS) => {
            format!("{error}; check the user and the password")
        }
        _ => error.to_string(),
    }
}

fn is_corrupt(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            let class = code.get(..2).unwrap_or_default();
            CORRUPT_CODES.contains(&&*code)
                || (CORRUPT_CLASSES.contains(&class) && code != NO_RIGHT)
        }),
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
