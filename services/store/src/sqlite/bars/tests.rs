//! How SQLite runs the statements.

use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

use super::{commit, expire, reader};

/// The steps that read a whole table or index, where the table may be large.
async fn scans(connection: &mut SqliteConnection, sql: &str) -> Vec<String> {
    let explained = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")));
    let steps = explained.fetch_all(connection).await.unwrap();
    let steps = steps.iter().map(|row| row.get::<String, _>(3));
    let tables = super::KIND.schema.versions[0]
        .split("CREATE TABLE ")
        .skip(1);
    let tables: Vec<_> = tables.filter_map(|sql| sql.split(' ').next()).collect();
    assert!(tables.contains(&"id_ranges"));
    let scanned = |step: &String| {
        let mut words = step.split(' ').skip_while(|word| *word != "SCAN").skip(1);
        let table = words.next();
        table.is_some_and(|table| tables.contains(&table))
    };
    steps.filter(scanned).collect()
}

/// A search by the whole key, where one of its columns alone names many rows.
async fn searches_by(connection: &mut SqliteConnection, sql: &str, columns: &str) -> bool {
    let explained = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")));
    let steps = explained.fetch_all(connection).await.unwrap();
    steps
        .iter()
        .any(|row| row.get::<String, _>(3).contains(columns))
}

#[tokio::test]
async fn no_statement_reads_a_whole_table() {
    let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    let schema = sqlx::raw_sql(super::KIND.schema.versions[0]);
    schema.execute(&mut connection).await.unwrap();
    let [ranges, chunks, sets] = &*expire::IDS;
    let bulks = [
        &*commit::OPEN_BARS,
        &commit::BARS,
        &commit::SYMBOLS,
        &commit::ID_SETS,
        &commit::ID_RANGES,
        &commit::ID_RANGES_GONE,
        &commit::ID_CHUNKS,
        &commit::EXCLUDED_RANGES,
        &reader::BARS,
        ranges,
        chunks,
        sets,
    ];
    let texts = [
        expire::BARS,
        expire::EXCLUDED_RANGES,
        reader::OLDEST_BARS,
        reader::NEWEST_BARS,
        reader::IDS,
        reader::ID_RANGES,
        reader::SYMBOL,
        reader::SYMBOLS,
        reader::EXCLUDED_RANGES,
    ];
    let bulks = bulks.iter().flat_map(|bulk| bulk.texts());
    for sql in bulks.chain(texts) {
        assert_eq!(scans(&mut connection, sql).await, [""; 0], "{sql}");
    }
    for sql in commit::ID_RANGES_GONE.texts() {
        let key = "(instrument=? AND scope=? AND bucket_ns=? AND first=?)";
        assert!(searches_by(&mut connection, sql, key).await, "{sql}");
    }
    for sql in [ranges, chunks, sets, &commit::ID_CHUNKS]
        .into_iter()
        .flat_map(|bulk| bulk.texts())
    {
        let key = "(instrument=? AND scope=? AND bucket_ns=?)";
        assert!(searches_by(&mut connection, sql, key).await, "{sql}");
    }
}
