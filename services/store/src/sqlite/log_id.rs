//! Which log a file belongs to.

use sqlx::{Row, SqliteConnection, query, query_scalar};

use super::failure::Failure;
use super::readers::Readers;
use super::writer::Writer;
use crate::StoreError;

/// Notes the log that a file belongs to, or compares it with the one noted before; and how many
/// partitions that has, where it is told.
pub(super) async fn bind(
    writer: &Writer,
    log_id: &str,
    partitions: Option<u32>,
) -> Result<(), StoreError> {
    let mut transaction = writer.begin().await?;
    let bound = compare(transaction.connection(), log_id).await;
    transaction.check(bound)?;
    if let Some(partitions) = partitions {
        let noted = note(transaction.connection(), partitions).await;
        transaction.check(noted)?;
    }
    transaction.commit().await
}

async fn note(connection: &mut SqliteConnection, partitions: u32) -> Result<(), Failure> {
    query("INSERT OR REPLACE INTO meta (key, value) VALUES ('log_partitions', ?)")
        .bind(partitions.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

/// How many partitions the log has; none where nobody has noted it.
pub(super) async fn partitions(readers: &Readers) -> Result<Option<u32>, StoreError> {
    let noted = query("SELECT value FROM meta WHERE key = 'log_partitions'");
    let read = readers.read(noted, |row| {
        let text: String = row.try_get(0)?;
        text.parse::<u32>()
            .map_err(|error| Failure::malformed("log_partitions", error))
    });
    Ok(read.await?.pop())
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
