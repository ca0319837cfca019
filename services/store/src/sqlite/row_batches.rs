//! Statements over many rows at once.

use std::sync::Arc;

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Sqlite, SqliteConnection};

use super::database_error::DatabaseError;

/// A statement with its parameters.
pub(super) type BoundQuery = Query<'static, Sqlite, SqliteArguments>;

/// How many rows a statement has. Each statement crosses to SQLite's thread and back, which
/// costs more than a row does: 7,000 bars took 24 ms by 64 rows, 78 ms one by one, and no less
/// by 256. With three sizes all are prepared once.
const SIZES: [usize; 3] = [64, 8, 1];

/// A statement that takes any number of rows as `VALUES`.
pub(super) struct RowBatches {
    sql: [Arc<str>; SIZES.len()],
}

impl RowBatches {
    /// `head VALUES (?, …), … tail`, with so many columns a row.
    pub(super) fn new(head: &str, columns: usize, tail: &str) -> Self {
        let row = format!("({})", vec!["?"; columns].join(","));
        Self {
            sql: SIZES.map(|size| {
                let rows = vec![row.as_str(); size].join(",");
                format!("{head} VALUES {rows} {tail}").into()
            }),
        }
    }

    /// Runs it for every row, and answers how many rows were changed.
    pub(super) async fn run<T: Sync>(
        &self,
        connection: &mut SqliteConnection,
        rows: &[T],
        bind: impl Fn(BoundQuery, &T) -> BoundQuery,
    ) -> Result<u64, DatabaseError> {
        let mut changed = 0;
        for (sql, rows) in self.batches(rows) {
            let bound = rows.iter().fold(statement(sql), &bind);
            changed += bound.execute(&mut *connection).await?.rows_affected();
        }
        Ok(changed)
    }

    /// Its texts.
    #[cfg(test)]
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.sql.iter().map(|sql| &**sql)
    }

    /// The rows in batches, each with the statement of its size.
    pub(super) fn batches<'a, T>(
        &'a self,
        mut rows: &'a [T],
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a [T])> {
        std::iter::from_fn(move || {
            let place = SIZES.iter().position(|size| *size <= rows.len())?;
            let (portion, rest) = rows.split_at(SIZES[place]);
            rows = rest;
            Some((&self.sql[place], portion))
        })
    }
}

/// A statement of ours, whose text holds no values.
pub(super) fn statement(sql: &Arc<str>) -> BoundQuery {
    sqlx::query(AssertSqlSafe(Arc::clone(sql)))
}
