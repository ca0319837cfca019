//! The query plans of the statements.

use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

use super::{commit, excluded_ranges, id_sets, reader, retention};

/// Returns the steps of a query plan that scan a whole table or index.
async fn scanned_tables(connection: &mut SqliteConnection, sql: &str) -> Vec<String> {
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

/// Whether a query plan searches by these columns: a search by fewer of them would find many rows.
async fn is_searched_by(connection: &mut SqliteConnection, sql: &str, columns: &str) -> bool {
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
    let [ranges, chunks, sets] = &*retention::DELETE_ID_SETS;
    let batches = [
        &*commit::UPSERT_OPEN_BARS,
        &commit::UPSERT_BARS,
        &commit::UPSERT_SYMBOLS,
        &id_sets::UPSERT_ID_SETS,
        &id_sets::UPSERT_ID_RANGES,
        &id_sets::DELETE_ID_RANGES,
        &id_sets::DELETE_ID_SEGMENTS,
        &id_sets::UPSERT_ID_CHUNKS,
        &commit::UPSERT_EXCLUDED_RANGES,
        &commit::UPSERT_EXCLUDED_AMENDMENTS,
        &reader::SELECT_BARS,
        ranges,
        chunks,
        sets,
    ];
    let texts = [
        retention::DELETE_BARS,
        retention::DELETE_EXCLUDED_RANGES,
        retention::DELETE_EXCLUDED_AMENDMENTS,
        retention::SELECT_EXPIRED_ID_SETS,
        reader::SELECT_OLDEST_BARS,
        reader::SELECT_NEWEST_BARS,
        id_sets::SELECT_ID_SETS,
        id_sets::SELECT_ID_CHUNKS,
        reader::SELECT_ID_RANGES,
        reader::SELECT_SYMBOL,
        reader::SELECT_SYMBOLS,
        excluded_ranges::SELECT_EXCLUDED_RANGES,
        excluded_ranges::SELECT_EXCLUDED_RANGES_IN,
        excluded_ranges::COUNT_EXCLUDED_SINCE,
    ];
    let batches = batches.iter().flat_map(|batch| batch.sql_texts());
    for sql in batches.chain(texts) {
        assert_eq!(scanned_tables(&mut connection, sql).await, [""; 0], "{sql}");
    }
    let key = "(is_of_amendments=? AND last_append_hour<?)";
    let sql = retention::SELECT_EXPIRED_ID_SETS;
    assert!(is_searched_by(&mut connection, sql, key).await, "{sql}");
    for sql in id_sets::DELETE_ID_RANGES.sql_texts() {
        let key = "(instrument=? AND scope=? AND bucket_ns=? AND first=?)";
        assert!(is_searched_by(&mut connection, sql, key).await, "{sql}");
    }
    for sql in id_sets::DELETE_ID_SEGMENTS.sql_texts() {
        let key = "(instrument=? AND scope=? AND bucket_ns=? AND segment=?)";
        assert!(is_searched_by(&mut connection, sql, key).await, "{sql}");
    }
    for sql in [ranges, chunks, sets]
        .into_iter()
        .flat_map(|batch| batch.sql_texts())
    {
        let key = "(instrument=? AND scope=? AND bucket_ns=?)";
        assert!(is_searched_by(&mut connection, sql, key).await, "{sql}");
    }
}
