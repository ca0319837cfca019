//! A cluster that one test has to itself.

use std::net::SocketAddr;
use std::time::Duration;

use clock::{Clock, SystemClock};
use eventlog::{Log, NewRecord};
use kafka::{KafkaClient, KafkaConfig};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewPartitions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::FromClientConfig as _;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use sqlx::{Connection, PgConnection};

use crate::acls::SecureBroker;
use crate::support::command::verify_with;
use crate::support::{Finished, TestProcess, candlewick, table_number, until};

/// The number of partitions of each topic.
pub(crate) const PARTITIONS: usize = 4;

/// How long the brokers may take for a request of a test.
pub(crate) const KAFKA_TIMEOUT: Duration = Duration::from_secs(30);

/// Topics and databases of one test, and the options with which processes find them.
pub(crate) struct TestCluster {
    name: String,
    /// The URL of the server on which the test's database is created.
    postgres: String,
    options: Vec<String>,
}

/// A lock of a table, which the end of its connection releases.
pub(crate) struct HeldLock {
    _connection: PgConnection,
    _runtime: tokio::runtime::Runtime,
}

fn server(variable: &str) -> String {
    let address = std::env::var(variable).ok().filter(|text| !text.is_empty());
    address.unwrap_or_else(|| {
        panic!("{variable} does not say where its server is; `make stack` starts all of them")
    })
}

/// Returns the URL with another database.
fn with_database(url: &str, database: &str) -> String {
    let (before, rest) = url.split_once("://").unwrap();
    let host = rest.split(['/', '?']).next().unwrap();
    let options = rest.split_once('?').map_or("", |(_, options)| options);
    format!("{before}://{host}/{database}?{options}")
}

/// Executes a statement on the server of bars.
fn execute_on_timescaledb(url: &str, statement: String) {
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

impl TestCluster {
    /// Creates databases without tables, and no topics.
    pub(crate) fn empty(test: &str) -> Self {
        let [kafka, postgres, clickhouse, redis] = ["KAFKA", "TIMESCALEDB", "CLICKHOUSE", "REDIS"]
            .map(|name| server(&format!("CANDLEWICK_{name}")));
        let name = format!("{test}_{}_{}", std::process::id(), SystemClock.now_ns());
        execute_on_timescaledb(&postgres, format!("CREATE DATABASE {name}"));
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

    /// Creates databases with tables, and topics on the broker that has an authorizer. Processes
    /// log in as the user `candlewick`, who may do everything.
    pub(crate) fn with_authorizer(test: &str) -> Self {
        let mut cluster = Self::empty(test);
        let broker = SecureBroker::from_environment();
        cluster.set_option("--brokers", broker.address.clone());
        let password_file = broker.password_file.display().to_string();
        for (flag, value) in [
            ("--kafka-security-protocol", "SASL_PLAINTEXT"),
            ("--kafka-username", "candlewick"),
            ("--kafka-password-file", &password_file),
        ] {
            cluster.set_option(flag, value.to_owned());
        }
        cluster.migrate();
        cluster.apply_topics();
        cluster
    }

    /// Sets the value of an option of all processes that are started later.
    pub(crate) fn set_option(&mut self, flag: &str, value: String) {
        match self.options.iter().position(|one| one == flag) {
            Some(index) => self.options[index + 1] = value,
            None => self.options.extend([flag.to_owned(), value]),
        }
    }

    /// Returns the full name of a topic, or of the consumer group of a role.
    pub(crate) fn full_name(&self, name: &str) -> String {
        format!("{}.{name}", self.name)
    }

    /// Creates databases with tables, and topics.
    pub(crate) fn new(test: &str) -> Self {
        let cluster = Self::empty(test);
        cluster.migrate();
        cluster.apply_topics();
        cluster
    }

    pub(crate) fn migrate(&self) {
        let mut command = candlewick(&["migrate"]);
        command.args(self.options(&["--timescaledb", "--clickhouse"]));
        let output = Finished::of(&mut command).success();
        assert!(output.contains("timescaledb: up to date"), "{output}");
        assert!(output.contains("clickhouse: up to date"), "{output}");
    }

    pub(crate) fn apply_topics(&self) {
        let mut command = candlewick(&["topics", "apply", "--replication", "1"]);
        command.args(["--partitions", &PARTITIONS.to_string()]);
        command.args(self.options(&["--brokers", "--kafka"]));
        Finished::of(&mut command).success();
    }

    /// Returns the options with one of some prefixes, with their values.
    pub(crate) fn options(&self, beginnings: &[&str]) -> Vec<&str> {
        let pairs = self.options.chunks(2);
        let wanted = pairs.filter(|pair| beginnings.iter().any(|one| pair[0].starts_with(one)));
        wanted.flatten().map(String::as_str).collect()
    }

    /// Runs `candlewick dead-letters` over the brokers.
    pub(crate) fn dead_letters(&self, arguments: &[&str]) -> Finished {
        let mut command = candlewick(&["dead-letters"]);
        command.args(arguments);
        Finished::of(command.args(self.options(&["--brokers", "--kafka"])))
    }

    /// Appends a record to a topic, as a foreign producer may.
    pub(crate) fn append(&self, topic: &str, partition: u32, entry: NewRecord) {
        let topic = format!("{}.{topic}", self.name);
        let brokers = self.options(&["--brokers"])[1].to_owned();
        let config = KafkaConfig {
            brokers,
            ..KafkaConfig::default()
        };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let kafka = KafkaClient::create(config).unwrap();
            let log = kafka
                .request_topic(&topic)
                .await
                .unwrap()
                .open_log(0)
                .unwrap();
            log.append(partition, vec![entry]).await.unwrap();
            tokio::task::spawn_blocking(move || log.close())
                .await
                .unwrap();
        });
    }

    /// Leaves a record in an open transaction, as a foreign producer may. The caller ends it.
    pub(crate) fn open_transaction(
        &self,
        topic: &str,
        partition: u32,
        entry: &NewRecord,
    ) -> BaseProducer {
        let topic = format!("{}.{topic}", self.name);
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", self.options(&["--brokers"])[1])
            .set("transactional.id", &topic)
            .set("transaction.timeout.ms", "600000")
            .create()
            .unwrap();
        producer.init_transactions(KAFKA_TIMEOUT).unwrap();
        producer.begin_transaction().unwrap();
        let record = BaseRecord::to(&topic)
            .partition(i32::try_from(partition).unwrap())
            .key(entry.key.as_ref())
            .payload(entry.value.as_ref());
        producer.send(record).unwrap();
        producer.flush(KAFKA_TIMEOUT).unwrap();
        producer
    }

    /// Runs a request of an operator about the topics.
    fn administer(&self, request: impl AsyncFnOnce(AdminClient<DefaultClientContext>)) {
        let brokers = self.options(&["--brokers"])[1];
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let admin = AdminClient::from_config(&config).unwrap();
        runtime.block_on(request(admin));
    }

    /// Changes settings of a topic; its other settings get their defaults.
    pub(crate) fn alter_topic(&self, topic: &str, settings: &[(&str, &str)]) {
        let name = format!("{}.{topic}", self.name);
        self.administer(async |admin| {
            let mut change = AlterConfig::new(ResourceSpecifier::Topic(&name));
            for (setting, value) in settings {
                change = change.set(setting, value);
            }
            let changed = admin.alter_configs([&change], &AdminOptions::new()).await;
            changed.unwrap()[0].as_ref().unwrap();
        });
    }

    /// Adds partitions to a topic, up to a number.
    pub(crate) fn add_partitions(&self, topic: &str, count: usize) {
        let name = format!("{}.{topic}", self.name);
        self.administer(async |admin| {
            let added = NewPartitions::new(&name, count);
            let added = admin
                .create_partitions([&added], &AdminOptions::new())
                .await;
            added.unwrap()[0].as_ref().unwrap();
        });
    }

    /// Deletes topics.
    pub(crate) fn delete_topics(&self, topics: &[&str]) {
        let names: Vec<_> = topics.iter().map(|topic| self.full_name(topic)).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        self.administer(async |admin| {
            let deleted = admin.delete_topics(&names, &AdminOptions::new()).await;
            for one in deleted.unwrap() {
                one.unwrap();
            }
        });
    }

    /// Starts a role on the topics of another cluster and the stores of this one.
    pub(crate) fn start_with_topics_of(&self, other: &Self, role: &str) -> TestProcess {
        let mut command = candlewick(&[role, "--listen", "127.0.0.1:0"]);
        command.args(other.options(&["--brokers", "--kafka"]));
        command.args(self.options(&["--timescaledb", "--clickhouse", "--redis"]));
        command.args(["--group", &format!("{}.{role}", other.name)]);
        TestProcess::spawn_command(command).wait_listening()
    }

    /// Executes a statement on the database of the bars.
    pub(crate) fn execute_on_bars(&self, statement: &str) {
        let url = self.options(&["--timescaledb-url"])[1];
        execute_on_timescaledb(url, statement.to_owned());
    }

    /// Makes the database of the bars read-only for new sessions, or not, and ends all sessions.
    pub(crate) fn set_bars_read_only(&self, is_read_only: bool) {
        let value = if is_read_only { "on" } else { "off" };
        let name = &self.name;
        let set = format!("ALTER DATABASE {name} SET default_transaction_read_only = {value}");
        execute_on_timescaledb(&self.postgres, set);
        let end = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        );
        execute_on_timescaledb(&self.postgres, end);
    }

    /// Locks a table of the database of the bars until the returned value is dropped.
    pub(crate) fn lock_bars_table(&self, table: &str) -> HeldLock {
        let url = self.options(&["--timescaledb-url"])[1].to_owned();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let connection = runtime.block_on(async {
            let mut connection = PgConnection::connect(&url).await.unwrap();
            let lock = format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
            for statement in ["BEGIN".to_owned(), lock] {
                let query = sqlx::query(sqlx::AssertSqlSafe(statement));
                query.execute(&mut connection).await.unwrap();
            }
            connection
        });
        HeldLock {
            _connection: connection,
            _runtime: runtime,
        }
    }

    /// Returns the `host:port` of Redis.
    pub(crate) fn redis_server(&self) -> String {
        let url = self.options(&["--redis-url"])[1];
        let host = url.split_once("://").unwrap().1;
        host.split('/').next().unwrap().to_owned()
    }

    /// Returns the URL of the bars with another host and port.
    pub(crate) fn bars_url_at(&self, address: SocketAddr) -> String {
        let url = self.options(&["--timescaledb-url"])[1];
        let (before, rest) = url.split_once("://").unwrap();
        let (host, path) = rest.split_once('/').unwrap();
        let user = host.rsplit_once('@').map_or("", |(user, _)| user);
        format!("{before}://{user}@{address}/{path}")
    }

    /// Returns the `host:port` of the server of bars.
    pub(crate) fn bars_server(&self) -> String {
        let url = self.options(&["--timescaledb-url"])[1];
        let host = url.split_once("://").unwrap().1.split('/').next().unwrap();
        host.rsplit('@').next().unwrap().to_owned()
    }

    /// Starts a role on a free port, and waits until it listens. The given options of servers
    /// replace the cluster's.
    pub(crate) fn start(&self, role: &str, more: &[&str]) -> TestProcess {
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
        TestProcess::spawn_command(command).wait_listening()
    }

    /// Starts a role, and waits until it is ready.
    pub(crate) fn start_ready(&self, role: &str) -> TestProcess {
        let process = self.start(role, &[]);
        wait_ready(&process);
        process
    }

    /// Waits until no stored minute is to be refolded.
    pub(crate) fn wait_until_refolded(&self) {
        until("every minute is refolded", || {
            let mut command = candlewick(&["verify", "--no-progress"]);
            let beginnings = ["--brokers", "--kafka", "--timescaledb", "--clickhouse"];
            let output = Finished::of(command.args(self.options(&beginnings))).success();
            (table_number(&output, "to be refolded") == 0).then_some(())
        });
    }

    /// Runs `candlewick verify` over the stores once.
    pub(crate) fn run_verify(&self) -> Finished {
        let mut command = candlewick(&["verify", "--no-progress"]);
        let beginnings = ["--brokers", "--kafka", "--timescaledb", "--clickhouse"];
        Finished::of(command.args(self.options(&beginnings)))
    }

    /// Runs `candlewick verify` over the stores until it counts `trades` trades.
    pub(crate) fn verify(&self, trades: u64) -> String {
        let beginnings = ["--brokers", "--kafka", "--timescaledb", "--clickhouse"];
        verify_with(&self.options(&beginnings), trades)
    }
}

/// Waits until a component of a process has a reason with a part; returns the reason.
pub(crate) fn wait_for_reason(process: &TestProcess, component: &str, part: &str) -> String {
    until(part, || {
        unready_reason(process, component).filter(|reason| reason.contains(part))
    })
}

/// Waits until a component whose name begins with `beginning` has a reason with a part; returns the
/// reason.
pub(crate) fn wait_for_any_reason(process: &TestProcess, beginning: &str, part: &str) -> String {
    until(part, || {
        let answer = process.client().get("/readyz");
        let report: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
        let mut components = report["components"].as_array().unwrap().iter();
        components.find_map(|one| {
            let reason = one["reason"].as_str()?;
            let is_it = one["name"].as_str()?.starts_with(beginning) && reason.contains(part);
            is_it.then(|| reason.to_owned())
        })
    })
}

/// Waits until a process is ready.
pub(crate) fn wait_ready(process: &TestProcess) {
    let client = process.client();
    until("readiness", || {
        (client.get("/readyz").status == 200).then_some(())
    });
}

/// Returns why a component of a process is not ready, from `/readyz`; `None` if it is ready.
pub(crate) fn unready_reason(process: &TestProcess, component: &str) -> Option<String> {
    let answer = process.client().get("/readyz");
    let report: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
    let components = report["components"].as_array().unwrap();
    let found = components.iter().find(|one| one["name"] == component)?;
    found["reason"].as_str().map(ToOwned::to_owned)
}

impl Drop for TestCluster {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
            execute_on_timescaledb(&self.postgres, drop);
        }
    }
}
