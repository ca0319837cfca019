//! Which log a file belongs to.

use sqlx::{SqliteConnection, query, query_scalar};

use super::failure::Failure;
use super::writer::Writer;
use crate::StoreError;

/// Notes the log that a file belongs to, or compares it with the one noted before.
pub(super) async fn bind(writer: &Writer, log_id: &str) -> Result<(), StoreError> {
    let mut transaction = writer.begin().await?;
    let bound = compare(transaction.connection(), log_id).await;
    transaction.check(bound)?;
    transaction.commit().await
}

async fn compare(connection: &mut SqliteConnection, log_id: &str) -> Result<(), Failure> {
    query("INSERT OR IGNORE INTO meta (key, value) VALUES ('log_id', ?)")
        .bind(log_id)
        .execute(&mut *connection)
        .await?;
    let bound: String = query_scalar("SELECT value FROM meta WHERE key = 'log_id'")
        .fetch_one(connection)
        .await?;
    if bound == log_id {
        return Ok(());
    }
    Err(Failure::Malformed(format!(
        "belongs to another log ({bound}, this one is {log_id}); put the log back that belongs \
         to it, or move bars.sqlite and ticks.sqlite away together and let them be made anew"
    )))
}
