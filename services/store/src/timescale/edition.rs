//! The edition of TimescaleDB that a server offers.

use sqlx::{PgConnection, query_scalar};

use super::database_error::DatabaseError;

/// The edition of TimescaleDB that a server offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimescaleEdition {
    /// PostgreSQL without TimescaleDB: bars are in an ordinary table.
    PostgresOnly,
    /// The Apache edition, with hypertables: old bars are dropped as whole chunks.
    Apache,
    /// The Community edition, with hypertables and compression.
    Community,
}

impl TimescaleEdition {
    /// Detects the edition of a database.
    pub(super) async fn detect(session: &mut PgConnection) -> Result<Self, DatabaseError> {
        let license: Option<Option<String>> = query_scalar(
            "SELECT current_setting('timescaledb.license', TRUE) \
             FROM pg_extension WHERE extname = 'timescaledb'",
        )
        .fetch_optional(session)
        .await?;
        Ok(match license {
            None => Self::PostgresOnly,
            Some(Some(license)) if license == "timescale" => Self::Community,
            Some(_) => Self::Apache,
        })
    }
}
