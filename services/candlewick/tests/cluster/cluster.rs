//! A cluster of a test's own.

use std::net::SocketAddr;

use clock::{Clock, SystemClock};
use eventlog::{Log, NewRecord};
use kafka::{Kafka, KafkaConfig};
use sqlx::{Connection, PgConnection};

use crate::support::command::verify_with;
use crate::support::{Finished, Standalone, candlewick, until};

/// How many partitions its topics have.
pub(crate) const PARTITIONS: usize = 4;

/// Topics and databases of one test, and how processes find them.
pub(crate) struct Cluster {
    name: String,
    /// The database that the one of the test is made from.
    postgres: String,
    options: Vec<String>,
}

fn server(variable: &str) -> String {
    let address = std::env::var(variable).ok().filter(|text| !text.is_empty());
    address.unwrap_or_else(|| {
        panic!("{variable} does not say where its server is; `make stack` starts all of them")
    })
}

/// The same address with another database.
fn with_database(url: &str, database: &str) -> String {
    let (before, rest) = url.split_once("://").unwrap();
    let host = rest.split(['/', '?']).next().unwrap();
    let options = rest.split_once('?').map_or("", |(_, options)| options);
    format!("{before}://{host}/{database}?{options}")
}

/// Runs a statement on the server of bars.
fn on_postgres(url: &str, statement: String) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(url).await.unwrap();
        let query = sqlx::query(sqlx::AssertSqlSafe(statement));
        query.execute(&mut connection).await.unwrap();
    });
}

impl Cluster {
    /// Databases that exist and have no tables, topics that do not exist.
    pub(crate) fn empty(test: &str) -> Self {
        let [kafka, postgres, clickhouse, redis] = ["KAFKA", "TIMESCALEDB", "CLICKHOUSE", "REDIS"]
            .map(|name| server(&format!("CANDLEWICK_{name}")));
        let name = format!("{test}_{}_{}", std::process::id(), SystemClock.now_ns());
        on_postgres(&postgres, format!("CREATE DATABASE {name}"));
        let options = [
            ("--brokers", kafka),
            ("--kafka-topic-prefix", format!("{name}.")),
            ("--timescaledb-url", with_database(&postgres, &name)),
            ("--clickhouse-url", clickhouse),
            ("--clickhouse-database", name.clone()),
            ("--redis-url", redis),
        ];
        let options = options.map(|(flag, value)| [flag.to_owned(), value]);
        Self {
            name,
            postgres,
            options: options.concat(),
        }
    }

    /// The same with tables and topics.
    pub(crate) fn new(test: &str) -> Self {
        let cluster = Self::empty(test);
        cluster.migrate();
        cluster.apply_topics();
        cluster
    }

    pub(crate) fn migrate(&self) {
        let mut command = candlewick(&["migrate"]);
        command.args(self.options(&["--timescaledb", "--clickhouse"]));
        let told = Finished::of(&mut command).success();
        assert!(told.contains("timescaledb: up to date"), "{told}");
        assert!(told.contains("clickhouse: up to date"), "{told}");
    }

    pub(crate) fn apply_topics(&self) {
        let mut command = candlewick(&["topics", "apply", "--replication", "1"]);
        command.args(["--partitions", &PARTITIONS.to_string()]);
        command.args(self.options(&["--brokers", "--kafka"]));
        Finished::of(&mut command).success();
    }

    /// The options that begin in one of some ways, with their values.
    fn options(&self, beginnings: &[&str]) -> Vec<&str> {
        let pairs = self.options.chunks(2);
        let wanted = pairs.filter(|pair| beginnings.iter().any(|one| pair[0].starts_with(one)));
        wanted.flatten().map(String::as_str).collect()
    }

    /// `candlewick dead-letters` over its brokers.
    pub(crate) fn dead_letters(&self, arguments: &[&str]) -> Finished {
        let mut command = candlewick(&["dead-letters"]);
        command.args(arguments);
        Finished::of(command.args(self.options(&["--brokers", "--kafka"])))
    }

    /// Appends a record to a topic, as another program may.
    pub(crate) fn append(&self, topic: &str, partition: u32, entry: NewRecord) {
        let topic = format!("{}.{topic}", self.name);
        let brokers = self.options(&["--brokers"])[1].to_owned();
        let config = KafkaConfig {
            brokers,
            ..KafkaConfig::default()
        };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let kafka = Kafka::connect(config).unwrap();
            let log = kafka.topic(&topic).await.unwrap().open(0).unwrap();
            log.append(partition, vec![entry]).await.unwrap();
            tokio::task::spawn_blocking(move || log.close())
                .await
                .unwrap();
        });
    }

    /// Where its Redis is.
    pub(crate) fn redis_server(&self) -> String {
        let url = self.options(&["--redis-url"])[1];
        let host = url.split_once("://").unwrap().1;
        host.split('/').next().unwrap().to_owned()
    }

    /// The address of the bars, as if their server were at another host and port.
    pub(crate) fn bars_at(&self, address: SocketAddr) -> String {
        let url = self.options(&["--timescaledb-url"])[1];
        let (before, rest) = url.split_once("://").unwrap();
        let (host, path) = rest.split_once('/').unwrap();
        let user = host.rsplit_once('@').map_or("", |(user, _)| user);
        format!("{before}://{user}@{address}/{path}")
    }

    /// Where the server of the bars is.
    pub(crate) fn bars_server(&self) -> String {
        let url = self.options(&["--timescaledb-url"])[1];
        let host = url.split_once("://").unwrap().1.split('/').next().unwrap();
        host.rsplit('@').next().unwrap().to_owned()
    }

    /// Starts a role on a free port, and waits until it listens. Options of servers that are
    /// given here take the place of the cluster's.
    pub(crate) fn start(&self, role: &str, more: &[&str]) -> Standalone {
        let mut beginnings = vec!["--brokers", "--kafka", "--timescaledb", "--clickhouse"];
        if role == "aggregator" {
            beginnings.push("--redis");
        }
        beginnings.retain(|one| !more.iter().any(|given| given.starts_with(one)));
        let mut command = candlewick(&[role, "--listen", "127.0.0.1:0"]);
        command.args(self.options(&beginnings)).args(more);
        if role != "api" {
            command.args(["--group", &format!("{}.{role}", self.name)]);
        }
        Standalone::spawn_command(command).listening()
    }

    /// Starts a role, and waits until it is ready.
    pub(crate) fn ready(&self, role: &str) -> Standalone {
        let process = self.start(role, &[]);
        wait_ready(&process);
        process
    }

    /// `candlewick verify` over the stores, until it has seen that many trades count.
    pub(crate) fn verify(&self, trades: u64) -> String {
        let beginnings = ["--brokers", "--kafka", "--timescaledb", "--clickhouse"];
        verify_with(&self.options(&beginnings), trades)
    }
}

/// Waits until a process is ready, and shows what it said where it never is.
pub(crate) fn wait_ready(process: &Standalone) {
    let client = process.client();
    until("readiness", || {
        (client.get("/readyz").status == 200).then_some(())
    });
}

/// Why a component of a process is not ready, as `/readyz` says; none where it is.
pub(crate) fn reason(process: &Standalone, component: &str) -> Option<String> {
    let answer = process.client().get("/readyz");
    let report: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
    let components = report["components"].as_array().unwrap();
    let found = components.iter().find(|one| one["name"] == component)?;
    found["reason"].as_str().map(ToOwned::to_owned)
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
            on_postgres(&self.postgres, drop);
        }
    }
}
