//! A database for each test.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use candlewick_store::{TimescaleBarStore, TimescaleConfig};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::OnceCell;

/// The sources of the template, which is created again if one of them has changed.
const TEMPLATE_SOURCES: [&str; 2] = [
    include_str!("../../../migrations/timescale/bars_5.sql"),
    include_str!("../../../src/timescale/schema.rs"),
];

/// Lets one test at a time create the template, in any process.
const LOCK_TEMPLATE: &str = "SELECT pg_advisory_lock(4851902848)";

static TEMPLATE: OnceCell<String> = OnceCell::const_new();
static NEXT_NUMBER: AtomicU32 = AtomicU32::new(0);

/// A database for one test. Dropping this drops the database.
pub(crate) struct Database {
    name: String,
}

/// Returns the URL of the server that the tests use.
#[expect(clippy::panic, reason = "without a server these tests prove nothing")]
pub(crate) fn server_url() -> String {
    std::env::var("CANDLEWICK_TIMESCALEDB").unwrap_or_else(|_| {
        panic!(
            "CANDLEWICK_TIMESCALEDB is not set. These tests need a TimescaleDB: start one with \
             `make stack`, and set CANDLEWICK_TIMESCALEDB to its URL, such as \
             postgres://postgres@127.0.0.1:5432/postgres (a user who may create databases)"
        )
    })
}

/// Runs SQL in the default database of the server.
async fn run_on_server(sql: &str) -> Result<(), sqlx::Error> {
    let mut session = PgConnection::connect(&server_url()).await?;
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut session)
        .await?;
    session.close().await
}

/// Returns the URL of a database on the server.
fn database_url(name: &str) -> String {
    let server = server_url();
    let (address, options) = server.split_once('?').unwrap_or((&server, ""));
    let (host, _) = address.rsplit_once('/').unwrap();
    format!("{host}/{name}?{options}")
}

impl Database {
    /// Creates a database with the tables.
    pub(crate) async fn migrated() -> Self {
        let template = TEMPLATE.get_or_init(create_template).await;
        Self::create(&format!("TEMPLATE {template}")).await
    }

    /// Creates a database without tables.
    pub(crate) async fn empty() -> Self {
        Self::create("TEMPLATE template0 ENCODING 'UTF8'").await
    }

    async fn create(options: &str) -> Self {
        let number = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("candlewick_contract_{}_{number}", std::process::id());
        run_on_server(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            .await
            .unwrap();
        run_on_server(&format!("CREATE DATABASE {name} {options}"))
            .await
            .unwrap();
        Self { name }
    }

    pub(crate) fn config(&self) -> TimescaleConfig {
        let mut config = TimescaleConfig::new(database_url(&self.name));
        config.chunk_slack = Duration::ZERO;
        config
    }

    pub(crate) async fn open(&self) -> TimescaleBarStore {
        TimescaleBarStore::open(self.config()).await.unwrap()
    }

    /// Opens a session that does not go through the store.
    pub(crate) async fn session(&self) -> PgConnection {
        PgConnection::connect(&database_url(&self.name))
            .await
            .unwrap()
    }

    /// Runs SQL without going through the store.
    pub(crate) async fn run_sql(&self, sql: &'static str) {
        let mut session = self.session().await;
        sqlx::raw_sql(sql).execute(&mut session).await.unwrap();
        session.close().await.unwrap();
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(run_on_server(&sql))
        });
        // If the test has failed already, that failure is the one to report.
        let dropped = dropped.join();
        if !std::thread::panicking() {
            dropped.unwrap().unwrap();
        }
    }
}

/// Creates the template if it is missing, and returns its name. A template can only be copied while
/// no session uses it, not even the background workers of the extension.
async fn create_template() -> String {
    let mut hasher = DefaultHasher::new();
    TEMPLATE_SOURCES.hash(&mut hasher);
    let name = format!("candlewick_template_{:016x}", hasher.finish());
    let mut session = PgConnection::connect(&server_url()).await.unwrap();
    sqlx::query(LOCK_TEMPLATE)
        .execute(&mut session)
        .await
        .unwrap();
    let existing = sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1 AND NOT datallowconn")
        .bind(&name)
        .fetch_optional(&mut session)
        .await
        .unwrap();
    if existing.is_none() {
        run_on_server(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            .await
            .unwrap();
        run_on_server(&format!(
            "CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"
        ))
        .await
        .unwrap();
        TimescaleBarStore::migrate(TimescaleConfig::new(database_url(&name)))
            .await
            .unwrap();
        let close = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS FALSE");
        run_on_server(&close).await.unwrap();
        let terminate =
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1";
        sqlx::query(terminate)
            .bind(&name)
            .execute(&mut session)
            .await
            .unwrap();
    }
    session.close().await.unwrap();
    name
}

pub(crate) async fn bar_store() -> (Database, TimescaleBarStore) {
    let database = Database::migrated().await;
    let store = database.open().await;
    (database, store)
}

/// A store each of whose statements reads one chunk, and each of whose commits writes one.
pub(crate) async fn bar_store_of_one_chunk() -> (Database, TimescaleBarStore) {
    let database = Database::migrated().await;
    let mut config = database.config();
    config.max_chunks = 1;
    let store = TimescaleBarStore::open(config).await.unwrap();
    (database, store)
}
