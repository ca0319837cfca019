//! The tables to name in statements that change closed bars.
//!
//! A `DELETE` from a hypertable locks every chunk, whatever bounds it has (TimescaleDB 2.19). One
//! from the table of a chunk locks only that.

use sqlx::{PgConnection, query_as};

use super::chunk_span::BarStartRange;
use super::database_error::DatabaseError;
use super::edition::TimescaleEdition;

/// Selects the table of each chunk with a part of `[$1, $2)`, and whether the chunk is compressed.
const SELECT_CHUNKS: &str = "SELECT format('%I.%I', c.chunk_schema, c.chunk_name), c.is_compressed \
    FROM timescaledb_information.chunks AS c \
    WHERE c.hypertable_schema = current_schema() AND c.hypertable_name = 'bars' \
    AND c.range_start < $2 AND c.range_end > $1 ORDER BY c.range_start";

/// Which chunks a transaction may lock.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChunkLockPolicy {
    pub(super) edition: TimescaleEdition,
    /// How many chunks one statement reads and one commit writes at most.
    pub(super) max_chunks: u32,
}

/// Returns the tables that together contain the closed bars of a range: those of the chunks, or the
/// whole of `bars` where it is an ordinary table, or where a chunk is compressed, since compressed
/// rows are deleted through the hypertable.
pub(super) async fn tables_of_chunks(
    session: &mut PgConnection,
    range: BarStartRange,
    edition: TimescaleEdition,
) -> Result<Vec<String>, DatabaseError> {
    let whole = || vec!["bars".to_owned()];
    if edition == TimescaleEdition::PostgresOnly {
        return Ok(whole());
    }
    let select = query_as(SELECT_CHUNKS).bind(range.first).bind(range.end);
    let chunks: Vec<(String, bool)> = select.fetch_all(session).await?;
    match chunks.iter().any(|(_, is_compressed)| *is_compressed) {
        true => Ok(whole()),
        false => Ok(chunks.into_iter().map(|(table, _)| table).collect()),
    }
}
