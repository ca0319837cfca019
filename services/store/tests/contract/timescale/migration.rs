//! Creating the tables, and the errors if they are missing or of another version.

use candlewick_store::{
    BarReader, BarStore, StoreError, TimescaleBarStore, TimescaleConfig, TimescaleEdition,
};
use futures_util::future::join_all;
use market::Interval;

use super::database::Database;
use crate::fixtures::{bar, commit_step, instrument, step};

#[tokio::test]
async fn the_error_for_missing_tables_names_the_command() {
    let database = Database::empty().await;
    let error = TimescaleBarStore::open(database.config())
        .await
        .err()
        .unwrap();
    // The process retries, because the command may run while it waits.
    assert!(error.is_transient(), "{error}");
    assert!(
        error.to_string().contains("`candlewick migrate`"),
        "{error}"
    );
}

#[tokio::test]
async fn processes_can_migrate_at_once() {
    let database = Database::empty().await;
    let migrating = (0..4).map(|_| TimescaleBarStore::migrate(database.config()));
    let migrated = join_all(migrating).await.into_iter();
    let migrated: Vec<_> = migrated.collect::<Result<_, _>>().unwrap();
    for migration in &migrated {
        assert_ne!(migration.edition, TimescaleEdition::PostgresOnly);
        assert_eq!(migration.now, 5);
    }
    let found_none = migrated
        .iter()
        .filter(|migration| migration.found == 0)
        .count();
    assert_eq!(found_none, 1, "only one creates the tables: {migrated:?}");
    let store = database.open().await;
    commit_step(&store, step(0, 0, 1)).await;
    TimescaleBarStore::migrate(database.config()).await.unwrap();
    assert_eq!(
        store.all_partition_progress().await.unwrap(),
        [step(0, 0, 1).progress]
    );
}

#[tokio::test]
async fn newer_tables_are_refused() {
    let database = Database::migrated().await;
    database
        .run_sql(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (99, 'a later version', TRUE, '', 0)",
        )
        .await;
    let opened = TimescaleBarStore::open(database.config()).await.err();
    let migrated = TimescaleBarStore::migrate(database.config()).await.err();
    for error in [opened.unwrap(), migrated.unwrap()] {
        assert!(
            matches!(
                error,
                StoreError::NewerSchema {
                    found: 99,
                    known: 5,
                    ..
                }
            ),
            "{error}"
        );
    }
}

/// The schema before this one had no `scattered_bars`, and is not upgraded.
#[tokio::test]
async fn older_tables_are_refused() {
    let database = Database::migrated().await;
    database
        .run_sql("UPDATE _sqlx_migrations SET version = 4, description = 'bars 4'")
        .await;
    let opened = TimescaleBarStore::open(database.config()).await.err();
    let migrated = TimescaleBarStore::migrate(database.config()).await.err();
    for error in [opened.unwrap(), migrated.unwrap()] {
        assert!(
            matches!(
                error,
                StoreError::OlderSchema {
                    found: 4,
                    oldest: 5,
                    ..
                }
            ),
            "{error}"
        );
        assert!(!error.is_transient(), "{error}");
        let text = error.to_string();
        assert!(
            text.contains("drop that database and replay the trades"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_search_path_without_the_extension_is_refused_before_a_table_is_made() {
    let database = Database::empty().await;
    database
        .run_sql(
            "CREATE EXTENSION IF NOT EXISTS timescaledb; CREATE SCHEMA elsewhere; \
             DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = elsewhere', \
             current_database()); END $$",
        )
        .await;
    let migrated = TimescaleBarStore::migrate(database.config()).await;
    let text = migrated.unwrap_err().to_string();
    assert!(
        text.contains("the search path elsewhere does not have") && text.contains("ALTER ROLE"),
        "{text}"
    );
    let mut session = database.session().await;
    let tables: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'elsewhere'",
    )
    .fetch_one(&mut session)
    .await
    .unwrap();
    assert_eq!(tables, 0);
    // As the message says.
    database
        .run_sql(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = elsewhere, public', \
             current_database()); END $$",
        )
        .await;
    TimescaleBarStore::migrate(database.config()).await.unwrap();
    database.open().await;
}

#[tokio::test]
async fn a_migration_that_was_not_completed_is_refused_until_it_is() {
    let database = Database::migrated().await;
    database
        .run_sql(
            "CREATE TABLE copied_bars (LIKE bars INCLUDING ALL); DROP VIEW candles; \
             DROP TABLE bars; ALTER TABLE copied_bars RENAME TO bars",
        )
        .await;
    let error = TimescaleBarStore::open(database.config()).await.err();
    let text = error.unwrap().to_string();
    assert!(text.contains("bars is no hypertable"), "{text}");
    TimescaleBarStore::migrate(database.config()).await.unwrap();
    database.open().await;
}

/// PostgreSQL without the extension works, and its bars move into chunks when the extension is
/// added.
#[tokio::test]
async fn a_table_becomes_a_hypertable() {
    let database = Database::migrated().await;
    database
        .run_sql(
            "CREATE TABLE copied_bars (LIKE bars INCLUDING ALL); DROP VIEW candles; DROP TABLE bars; \
             DROP EXTENSION timescaledb CASCADE; ALTER TABLE copied_bars RENAME TO bars",
        )
        .await;
    let store = database.open().await;
    assert_eq!(store.edition(), TimescaleEdition::PostgresOnly);
    let btc = instrument("binance:BTCUSDT");
    let mut transaction = step(0, 0, 1);
    transaction.bars = (0..3_u8)
        .map(|index| {
            let start_ns = i64::from(index) * market::DAY_NS * 30;
            bar(&btc, Interval::M1, start_ns, index.into(), index < 2)
        })
        .collect();
    commit_step(&store, transaction.clone()).await;
    assert_eq!(
        store
            .delete_expired_batch(1, i64::MIN, i64::MIN)
            .await
            .unwrap(),
        1
    );

    let migrated = TimescaleBarStore::migrate(database.config()).await.unwrap();
    assert_ne!(migrated.edition, TimescaleEdition::PostgresOnly);
    assert_eq!((migrated.found, migrated.now), (5, 5));
    let store = database.open().await;
    let chunks: i64 = sqlx::query_scalar("SELECT count(*) FROM timescaledb_information.chunks")
        .fetch_one(&mut database.session().await)
        .await
        .unwrap();
    assert_eq!(chunks, 1);
    let query = candlewick_store::BarQuery {
        instrument: btc,
        interval: Interval::M1,
        start_ns: i64::MIN,
        end_ns: i64::MAX,
        limit: 10,
        keep_newest: false,
    };
    let expected: Vec<_> = transaction.bars[1..]
        .iter()
        .map(|bar| bar.row.clone())
        .collect();
    assert_eq!(store.bar_range(&query).await.unwrap(), expected);
    assert_eq!(
        store
            .load_or_create_partition(0, 1)
            .await
            .unwrap()
            .open_bars
            .len(),
        1
    );
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_named_without_its_password() {
    let database = Database::migrated().await;
    let url = database.config().url;
    let refused = "postgres://postgres:hidden@127.0.0.1:1/nothing".to_owned();
    let unknown_user = url.replace("postgres@", "nobody_of_this_name:hidden@");
    let missing = url.replace("candlewick_contract", "no_database");
    for url in [refused, unknown_user, missing] {
        let error = TimescaleBarStore::open(TimescaleConfig::new(url)).await;
        let error = error.err().unwrap();
        assert!(error.is_transient(), "{error}");
        let text = error.to_string();
        assert!(
            text.starts_with("bars in ") && !text.contains("hidden"),
            "{text}"
        );
    }
}

/// The view for users of SQL shows bars that have trades.
#[tokio::test]
async fn candles_can_be_read_with_sql() {
    let database = Database::migrated().await;
    let store = database.open().await;
    let btc = instrument("binance:BTCUSDT");
    let mut transaction = step(0, 0, 1);
    let minute = market::MINUTE_NS;
    transaction.bars = vec![
        bar(&btc, Interval::M1, 0, 7, true),
        bar(&btc, Interval::M1, minute, 8, false),
        bar(&btc, Interval::M1, 2 * minute, 9, true),
    ];
    transaction.bars[2].row.bar = market::Bar::empty(2 * minute, 1, 9);
    commit_step(&store, transaction).await;
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT concat_ws(' ', venue, symbol, interval_s, extract(epoch FROM start)::bigint, open, \
         volume, notional, trades, closed, through_offset) FROM candles \
         WHERE symbol = 'BTCUSDT' AND start >= '1970-01-01' AND start < '1970-01-02' \
         ORDER BY start",
    )
    .fetch_all(&mut database.session().await)
    .await
    .unwrap();
    let expected = [
        "binance BTCUSDT 60 0 107.5 0.8 86.00 1 t 7",
        "binance BTCUSDT 60 60 108.5 0.9 97.65 1 f 8",
    ];
    let [first, second] = rows.as_slice() else {
        panic!("{rows:?}")
    };
    let without_trailing_zeros = |row: &str| row.replace("86.00", "86");
    assert_eq!(
        without_trailing_zeros(first),
        without_trailing_zeros(expected[0])
    );
    assert_eq!(second, expected[1]);
}
