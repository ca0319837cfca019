//! Statements that process several rows at once.

use std::sync::Arc;

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Sqlite, SqliteConnection};

use super::database_error::DatabaseError;

/// A statement with its bound parameters.
pub(super) type BoundQuery = Query<'static, Sqlite, SqliteArguments>;

/// The numbers of rows that a statement can have, in descending order. Each statement crosses to
/// SQLite's thread and back, which costs more than a row: 7,000 bars took 24 ms in batches of 64
/// rows, 78 ms one by one, and no less than 24 ms in batches of 256. With only three sizes, each
/// statement is prepared once.
const BATCH_ROWS: [usize; 3] = [64, 8, 1];

/// A statement for any number of rows, which it receives as `VALUES` in batches.
pub(super) struct BatchedStatement {
    sql: [Arc<str>; BATCH_ROWS.len()],
}

impl BatchedStatement {
    /// Returns the statement `head VALUES (?, …), … tail`, with `columns` parameters per row.
    pub(super) fn new(head: &str, columns: usize, tail: &str) -> Self {
        let row = format!("({})", vec!["?"; columns].join(","));
        Self {
            sql: BATCH_ROWS.map(|size| {
                let rows = vec![row.as_str(); size].join(",");
                format!("{head} VALUES {rows} {tail}").into()
            }),
        }
    }

    /// Runs the statement for all rows, and returns the number of changed rows.
    pub(super) async fn run<T: Sync>(
        &self,
        connection: &mut SqliteConnection,
        rows: &[T],
        bind: impl Fn(BoundQuery, &T) -> BoundQuery,
    ) -> Result<u64, DatabaseError> {
        let mut changed = 0;
        for (sql, rows) in self.batches(rows) {
            let bound = rows.iter().fold(query_before_binding(sql), &bind);
            changed += bound.execute(&mut *connection).await?.rows_affected();
        }
        Ok(changed)
    }

    /// Returns the SQL of every batch size.
    #[cfg(test)]
    pub(super) fn sql_texts(&self) -> impl Iterator<Item = &str> {
        self.sql.iter().map(|sql| &**sql)
    }

    /// Returns the rows in batches, each with the statement of its size.
    pub(super) fn batches<'a, T>(
        &'a self,
        mut rows: &'a [T],
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a [T])> {
        std::iter::from_fn(move || {
            let index = BATCH_ROWS.iter().position(|size| *size <= rows.len())?;
            let (batch, rest) = rows.split_at(BATCH_ROWS[index]);
            rows = rest;
            Some((&self.sql[index], batch))
        })
    }
}

/// Returns a query without parameters yet. The SQL is a constant of this crate and contains no
/// values.
pub(super) fn query_before_binding(sql: &Arc<str>) -> BoundQuery {
    sqlx::query(AssertSqlSafe(Arc::clone(sql)))
}
