//! A database for each test.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use candlewick_store::{TimescaleBarStore, TimescaleConfig};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::OnceCell;

/// What the template is made of: it is made anew where this has changed.
const MADE_OF: [&str; 2] = [
    include_str!("../../../migrations/timescale/bars_2.sql"),
    include_str!("../../../src/timescale/schema.rs"),
];

/// Of tests that make the template at once, in whatever process, one does.
const LOCK: &str = "SELECT pg_advisory_lock(4851902848)";

static TEMPLATE: OnceCell<String> = OnceCell::const_new();
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A database that is dropped with this.
pub(crate) struct Database {
    name: String,
}

/// The server that the tests use.
#[expect(clippy::panic, reason = "without a server these tests prove nothing")]
pub(crate) fn server() -> String {
    std::env::var("CANDLEWICK_TIMESCALEDB").unwrap_or_else(|_| {
        panic!(
            "CANDLEWICK_TIMESCALEDB is not set. These tests need a TimescaleDB: start one with \
             `make stack`, and set CANDLEWICK_TIMESCALEDB to its URL, such as \
             postgres://postgres@127.0.0.1:5432/postgres (a user who may create databases)"
        )
    })
}

/// Runs SQL on the server's own database.
async fn administer(sql: &str) -> Result<(), sqlx::Error> {
    let mut session = PgConnection::connect(&server()).await?;
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut session)
        .await?;
    session.close().await
}

/// The URL of a database on the server.
fn url(name: &str) -> String {
    let server = server();
    let (address, options) = server.split_once('?').unwrap_or((&server, ""));
    let (host, _) = address.rsplit_once('/').unwrap();
    format!("{host}/{name}?{options}")
}

impl Database {
    /// One with the tables.
    pub(crate) async fn migrated() -> Self {
        let template = TEMPLATE.get_or_init(template).await;
        Self::create(&format!("TEMPLATE {template}")).await
    }

    /// One without anything.
    pub(crate) async fn empty() -> Self {
        Self::create("TEMPLATE template0 ENCODING 'UTF8'").await
    }

    async fn create(options: &str) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("candlewick_contract_{}_{number}", std::process::id());
        administer(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            .await
            .unwrap();
        administer(&format!("CREATE DATABASE {name} {options}"))
            .await
            .unwrap();
        Self { name }
    }

    pub(crate) fn config(&self) -> TimescaleConfig {
        let mut config = TimescaleConfig::new(url(&self.name));
        config.chunk_slack = Duration::ZERO;
        config
    }

    pub(crate) async fn open(&self) -> TimescaleBarStore {
        TimescaleBarStore::open(self.config()).await.unwrap()
    }

    /// A session behind the store's back.
    pub(crate) async fn session(&self) -> PgConnection {
        PgConnection::connect(&url(&self.name)).await.unwrap()
    }

    /// Runs SQL behind the store's back.
    pub(crate) async fn meddle(&self, sql: &'static str) {
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
            runtime.block_on(administer(&sql))
        });
        // Of a test that has failed already, the reason is what matters.
        let dropped = dropped.join();
        if !std::thread::panicking() {
            dropped.unwrap().unwrap();
        }
    }
}

/// Makes the template where it is missing, and answers its name. Nobody may be connected to a
/// template that is copied, not even the extension's own workers.
async fn template() -> String {
    let mut hasher = DefaultHasher::new();
    MADE_OF.hash(&mut hasher);
    let name = format!("candlewick_template_{:016x}", hasher.finish());
    let mut session = PgConnection::connect(&server()).await.unwrap();
    sqlx::query(LOCK).execute(&mut session).await.unwrap();
    let is_made = sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1 AND NOT datallowconn")
        .bind(&name)
        .fetch_optional(&mut session)
        .await
        .unwrap();
    if is_made.is_none() {
        administer(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            .await
            .unwrap();
        administer(&format!(
            "CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"
        ))
        .await
        .unwrap();
        TimescaleBarStore::migrate(TimescaleConfig::new(url(&name)))
            .await
            .unwrap();
        let close = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS FALSE");
        administer(&close).await.unwrap();
        let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1";
        sqlx::query(end)
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
