//! Tests of what is particular to ClickHouse.
//!
//! The server is at `CANDLEWICK_CLICKHOUSE`. Each test has a database of its own there.

#![expect(
    clippy::panic,
    clippy::disallowed_methods,
    reason = "the helpers of tests are tests too, and wait for a real server in real time"
)]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use candlewick_store::{
    ClickHouseConfig, ClickHouseTickStore, StoreError, TickBlock, TickRecord, TickStore,
};
use clickhouse::Client;
use clickhouse::sql::Identifier;
use market::{DAY_NS, HOUR_NS, SECOND_NS};

use crate::fixtures::{block, instrument, tick};
use crate::ticks::cancel;

/// A database for one test. Dropping this drops the database.
pub(crate) struct Database {
    pub(crate) config: ClickHouseConfig,
    pub(crate) client: Client,
}

impl Database {
    fn new() -> Self {
        static NEXT_NUMBER: AtomicU32 = AtomicU32::new(0);
        let Ok(url) = std::env::var("CANDLEWICK_CLICKHOUSE") else {
            panic!(
                "this test needs a ClickHouse server: `make stack` starts one; set \
                 CANDLEWICK_CLICKHOUSE to its HTTP address, such as http://127.0.0.1:8123"
            );
        };
        let number = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
        let database = format!("candlewick_test_{}_{number}", std::process::id());
        let client = Client::default().with_url(&url).with_database(&database);
        let config = ClickHouseConfig {
            url,
            database,
            ..ClickHouseConfig::default()
        };
        Self { config, client }
    }

    /// Runs SQL without going through the store.
    pub(crate) async fn run_sql(&self, sql: &str) {
        self.client.query_raw(sql).execute().await.unwrap();
    }

    /// Runs a query that returns one number.
    pub(crate) async fn query_number(&self, sql: &str) -> u64 {
        self.client.query_raw(sql).fetch_one().await.unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let system_client = self.client.clone().with_database("system");
        let dropped = system_client
            .query("DROP DATABASE IF EXISTS ? SYNC")
            .bind(Identifier(&self.config.database))
            .execute();
        tokio::task::block_in_place(|| {
            // An error here must not hide the failure of the test.
            let _ = tokio::runtime::Handle::current().block_on(dropped);
        });
    }
}

/// Opens a store whose ticks never expire, because those of the tests are of 1970.
pub(crate) async fn tick_store() -> (Database, ClickHouseTickStore) {
    let database = Database::new();
    ClickHouseTickStore::migrate(&database.config)
        .await
        .unwrap();
    for table in ["trades", "amendments"] {
        database
            .run_sql(&format!("ALTER TABLE {table} REMOVE TTL"))
            .await;
    }
    let store = ClickHouseTickStore::open(&database.config).await.unwrap();
    (database, store)
}

/// Returns a block of ticks with consecutive offsets.
fn block_of(offsets: std::ops::Range<u64>) -> TickBlock {
    block(0, 0, 0, offsets.map(|offset| tick(offset, 5)).collect())
}

const COUNT_ALL_ROWS: &str =
    "SELECT count() FROM (SELECT offset FROM trades UNION ALL SELECT offset FROM amendments)";
const COUNT_ROWS: &str = "SELECT count() FROM trades";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exact_repeat_is_dropped_and_one_in_other_blocks_collapses() {
    let (database, store) = tick_store().await;
    database.run_sql("SYSTEM STOP MERGES trades").await;
    store.insert(&[block_of(0..10)]).await.unwrap();
    store.insert(&[block_of(0..10)]).await.unwrap();
    assert_eq!(database.query_number(COUNT_ROWS).await, 10);
    // The server cannot recognise a repeat that is divided into other blocks.
    store.insert(&[block_of(0..4)]).await.unwrap();
    store.insert(&[block_of(4..12)]).await.unwrap();
    assert_eq!(database.query_number(COUNT_ROWS).await, 22);
    let btc = instrument("binance:BTCUSDT");
    let read = store.read(&btc, 0, HOUR_NS).await.unwrap();
    assert!(read.iter().map(|tick| tick.position.offset).eq(0..12));
    // Merges remove the repeated rows from the disk too.
    database.run_sql("SYSTEM START MERGES trades").await;
    database.run_sql("OPTIMIZE TABLE trades FINAL").await;
    assert_eq!(database.query_number(COUNT_ROWS).await, 12);
    assert_eq!(store.read(&btc, 0, HOUR_NS).await.unwrap(), read);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_insert_is_one_part_for_each_day_and_a_partial_one_is_completed() {
    const TICKS_PER_DAY: u64 = 70_000;
    let (database, store) = tick_store().await;
    database.run_sql("SYSTEM STOP MERGES trades").await;
    let tick_of_its_day = |offset: u64| TickRecord {
        append_time_ns: i64::try_from(offset / TICKS_PER_DAY).unwrap() * DAY_NS,
        ..tick(offset, 5)
    };
    let two_days = block(
        0,
        0,
        0,
        (0..2 * TICKS_PER_DAY).map(tick_of_its_day).collect(),
    );
    store.insert(std::slice::from_ref(&two_days)).await.unwrap();
    let count_parts = "SELECT count() FROM system.parts \
        WHERE database = currentDatabase() AND table = 'trades' AND active";
    assert_eq!(database.query_number(count_parts).await, 2);
    // A crash between the two parts leaves one of them. On the retry the server recognises that
    // part by its token, and writes the other.
    database
        .run_sql("ALTER TABLE trades DROP PARTITION 1")
        .await;
    assert_eq!(database.query_number(COUNT_ROWS).await, TICKS_PER_DAY);
    store.insert(std::slice::from_ref(&two_days)).await.unwrap();
    let btc = instrument("binance:BTCUSDT");
    let read = store.read(&btc, 0, HOUR_NS).await.unwrap();
    assert!(
        read.iter()
            .map(|tick| tick.position.offset)
            .eq(0..2 * TICKS_PER_DAY)
    );
    assert_eq!(database.query_number(COUNT_ROWS).await, 2 * TICKS_PER_DAY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_days_are_dropped_once_they_have_expired() {
    let database = Database::new();
    ClickHouseTickStore::migrate(&database.config)
        .await
        .unwrap();
    let store = ClickHouseTickStore::open(&database.config).await.unwrap();
    for table in ["trades", "amendments"] {
        database
            .run_sql(&format!("SYSTEM STOP MERGES {table}"))
            .await;
    }
    let now = database
        .query_number("SELECT toUInt64(toUnixTimestamp(now()))")
        .await;
    let now_ns = i64::try_from(now).unwrap() * SECOND_NS;
    // Returns a trade or a cancel of 1970 that was appended `days` ago.
    let appended = |record: TickRecord, days: i64| TickRecord {
        append_time_ns: now_ns - days * DAY_NS,
        ..record
    };
    let ticks = vec![
        appended(cancel(0, 5), 17),
        appended(cancel(1, 5), 14),
        appended(tick(2, 5), 9),
        appended(tick(3, 5), 6),
        appended(tick(4, 5), 0),
    ];
    store.insert(&[block(0, 0, 0, ticks)]).await.unwrap();
    assert_eq!(database.query_number(COUNT_ALL_ROWS).await, 5);
    assert_eq!(
        store
            .delete_expired_block_batch(i64::MAX, i64::MAX)
            .await
            .unwrap(),
        0
    );
    for table in ["trades", "amendments"] {
        let check_often = "MODIFY SETTING merge_with_ttl_timeout = 0";
        database
            .run_sql(&format!("ALTER TABLE {table} {check_often}"))
            .await;
        database
            .run_sql(&format!("SYSTEM START MERGES {table}"))
            .await;
    }
    for _ in 0..200 {
        if database.query_number(COUNT_ALL_ROWS).await == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let btc = instrument("binance:BTCUSDT");
    let read = store.read(&btc, 0, HOUR_NS).await.unwrap();
    let offsets: Vec<_> = read.iter().map(|tick| tick.position.offset).collect();
    assert_eq!(offsets, [1, 3, 4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_of_another_version_are_refused() {
    let database = Database::new();
    let open = async || {
        ClickHouseTickStore::open(&database.config)
            .await
            .err()
            .unwrap()
    };
    let error = open().await;
    assert!(error.is_transient(), "{error}");
    let (found, known) = ClickHouseTickStore::migrate(&database.config)
        .await
        .unwrap();
    assert!(found == 0 && known > 0);
    let again = ClickHouseTickStore::migrate(&database.config).await;
    assert_eq!(again.unwrap(), (known, known));

    // A migration that was interrupted continues from the last version that was recorded.
    database
        .run_sql("DELETE FROM schema_versions WHERE version > 6")
        .await;
    let error = open().await.to_string();
    assert!(
        error.contains("candlewick migrate") && error.contains("schema 6"),
        "{error}"
    );
    let resumed = ClickHouseTickStore::migrate(&database.config).await;
    assert_eq!(resumed.unwrap(), (6, known));
    ClickHouseTickStore::open(&database.config).await.unwrap();

    database
        .run_sql("INSERT INTO schema_versions (version, name) VALUES (99, 'later')")
        .await;
    let is_newer = |error: &StoreError| matches!(error, StoreError::NewerSchema { found: 99, .. });
    assert!(is_newer(&open().await));
    let error = ClickHouseTickStore::migrate(&database.config)
        .await
        .unwrap_err();
    assert!(is_newer(&error), "{error}");
}

/// The schemas 1 to 5 had other tables, and are not upgraded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_tables_are_refused() {
    let database = Database::new();
    ClickHouseTickStore::migrate(&database.config)
        .await
        .unwrap();
    database.run_sql("TRUNCATE TABLE schema_versions").await;
    database
        .run_sql("INSERT INTO schema_versions (version, name) VALUES (5, 'views')")
        .await;
    let opened = ClickHouseTickStore::open(&database.config).await.err();
    let migrated = ClickHouseTickStore::migrate(&database.config).await.err();
    for error in [opened.unwrap(), migrated.unwrap()] {
        assert!(
            matches!(
                error,
                StoreError::OlderSchema {
                    found: 5,
                    oldest: 6,
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_can_migrate_at_once() {
    for _ in 0..5 {
        let database = Database::new();
        let migrating = (0..4).map(|_| {
            let config = database.config.clone();
            tokio::spawn(async move { ClickHouseTickStore::migrate(&config).await })
        });
        let migrating: Vec<_> = migrating.collect();
        for migrated in migrating {
            let (found, now) = migrated.await.unwrap().unwrap();
            assert!(found <= now && now == 7, "{found} {now}");
        }
        ClickHouseTickStore::open(&database.config).await.unwrap();
        for table in [
            "trades",
            "amendments",
            "archive_progress",
            "trades_current",
            "bars_1m",
        ] {
            let count = format!("SELECT count() FROM {table}");
            assert_eq!(database.query_number(&count).await, 0, "{table}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_with_other_columns_or_values_are_corrupt() {
    let (database, store) = tick_store().await;
    store.insert(&[block_of(0..2)]).await.unwrap();
    let btc = instrument("binance:BTCUSDT");
    database
        .run_sql("INSERT INTO trades (venue, symbol, offset, price) VALUES ('binance', 'BTCUSDT', 7, '1234567890123456789.1')")
        .await;
    let error = store.read(&btc, 0, HOUR_NS).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("(0, 7): price"), "{error}");
    database
        .run_sql("ALTER TABLE trades DROP COLUMN scope")
        .await;
    let read = store.read(&btc, 0, HOUR_NS).await.unwrap_err();
    let inserted = store.insert(&[block_of(2..4)]).await.unwrap_err();
    for error in [read, inserted] {
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_cannot_be_reached_is_named_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let password_file = folder.path().join("password");
    std::fs::write(&password_file, "swordfish\n").unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    let config_of = |scheme: &str| ClickHouseConfig {
        url: format!("{scheme}://127.0.0.1:{port}"),
        password_file: Some(password_file.clone()),
        connect_timeout: Duration::from_millis(300),
        receive_timeout: Duration::from_millis(600),
        ..ClickHouseConfig::default()
    };
    let open_error = async |config: ClickHouseConfig| {
        let error = ClickHouseTickStore::open(&config).await.err().unwrap();
        let text = format!("{error} {error:?} {config:?}");
        assert!(
            error.is_transient() && !text.contains("swordfish"),
            "{text}"
        );
        error.to_string()
    };
    // The listener accepts connections and never responds.
    assert!(open_error(config_of("http")).await.contains("timeout"));
    assert!(open_error(config_of("https")).await.contains("timeout"));
    drop(closed);
    let refused = open_error(config_of("http")).await;
    assert!(refused.contains(&format!("127.0.0.1:{port}")), "{refused}");

    let database = Database::new();
    let server = database.config.clone();
    let wrong_password = ClickHouseConfig {
        password_file: Some(password_file.clone()),
        ..server.clone()
    };
    assert!(open_error(wrong_password).await.contains("Code: "));
    let https_url = server.url.replace("http://", "https://");
    open_error(ClickHouseConfig {
        url: https_url,
        ..server.clone()
    })
    .await;
    let with_user = server.url.replace("http://", "http://default:swordfish@");
    let config = ClickHouseConfig {
        url: with_user,
        ..server
    };
    let error = ClickHouseTickStore::open(&config).await.err().unwrap();
    assert!(!format!("{error} {error:?}").contains("swordfish"));
}
