//! The id of the log that a file belongs to.

use sqlx::{Row, SqliteConnection, query, query_scalar};

use super::database_error::DatabaseError;
use super::reader_pool::ReaderPool;
use super::writer::SqliteWriter;
use crate::error::StoreError;

/// Stores the id of the log that a file belongs to, or compares it with the stored one. Also stores
/// the number of partitions, if it is given.
pub(super) async fn bind_log(
    writer: &SqliteWriter,
    log_id: &str,
    partitions: Option<u32>,
) -> Result<(), StoreError> {
    let mut transaction = writer.begin().await?;
    let bound = store_or_verify_log_id(transaction.connection(), log_id).await;
    transaction.convert_and_count_error(bound)?;
    if let Some(partitions) = partitions {
        let written = write_partition_count(transaction.connection(), partitions).await;
        transaction.convert_and_count_error(written)?;
    }
    transaction.commit().await
}

async fn write_partition_count(
    connection: &mut SqliteConnection,
    partitions: u32,
) -> Result<(), DatabaseError> {
    query("INSERT OR REPLACE INTO meta (key, value) VALUES ('log_partitions', ?)")
        .bind(partitions.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

/// Returns the stored number of partitions of the log, or `None` if none is stored.
pub(super) async fn read_partition_count(readers: &ReaderPool) -> Result<Option<u32>, StoreError> {
    let select = query("SELECT value FROM meta WHERE key = 'log_partitions'");
    let read = readers.read(select, |row| {
        let text: String = row.try_get(0)?;
        text.parse::<u32>()
            .map_err(|error| DatabaseError::malformed_value("log_partitions", error))
    });
    Ok(read.await?.pop())
}

async fn store_or_verify_log_id(
    connection: &mut SqliteConnection,
    log_id: &str,
) -> Result<(), DatabaseError> {
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
    Err(DatabaseError::Malformed(format!(
        "belongs to another log ({bound}, this one is {log_id}); restore the log that it belongs \
         to, or move bars.sqlite and ticks.sqlite away together to have them created again"
    )))
}
