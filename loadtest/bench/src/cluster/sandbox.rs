//! Topics and databases that only one measurement uses.

use std::path::PathBuf;
use std::time::Duration;

use clock::{Clock, SystemClock};
use kafka::{KafkaClient, KafkaConfig, KafkaLog, plan_topics, remove_topics};
use store::{
    BarStore, ClickHouseConfig, ClickHouseTickStore, TimescaleBarStore, TimescaleConfig,
    TopicGeneration,
};

use super::arguments::ClusterBenchSettings;
use super::servers::{
    create_bars_database, drop_bars_database, drop_ticks_database, with_database,
};
use connect::{TopicNames, topic_specs};

/// How long a transaction of the measurement may be idle.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Topics and databases that only one measurement uses.
pub(super) struct Sandbox {
    /// The prefix of the names of topics and databases.
    name: String,
    /// How often the databases were recreated.
    generation: u32,
    partitions: u32,
    replication: u32,
    pub(super) kafka: KafkaConfig,
    pub(super) topics: TopicNames,
    /// The server of bars, with the database from which others are created.
    server: TimescaleConfig,
    clickhouse: ClickHouseConfig,
    redis: Vec<(&'static str, String)>,
    pub(super) config: Option<PathBuf>,
}

impl Sandbox {
    /// Chooses the names. Nothing is created yet.
    pub(super) fn new(settings: &ClusterBenchSettings, part: &str) -> Self {
        let now_ms = SystemClock.now_ns() / 1_000_000;
        let name = format!("bench_{part}_{}_{now_ms}", std::process::id());
        let mut redis = Vec::new();
        if let Some(config) = &settings.redis {
            redis.push(("REDIS_URL", config.url.clone()));
            redis.extend(config.user.clone().map(|user| ("REDIS_USER", user)));
            redis.extend(path_variable(
                "REDIS_PASSWORD_FILE",
                config.password_file.as_ref(),
            ));
        }
        Self {
            topics: TopicNames::with_prefix(format!("{name}.")),
            name,
            generation: 0,
            partitions: settings.partitions,
            replication: settings.replication,
            kafka: settings.kafka.clone(),
            server: settings.timescaledb.clone(),
            clickhouse: settings.clickhouse.clone(),
            redis,
            config: settings.config.clone(),
        }
    }

    /// Creates topics and databases, with their tables.
    pub(super) async fn create(&self) -> anyhow::Result<()> {
        let specs = topic_specs(&self.topics, self.partitions, self.replication);
        plan_topics(&self.kafka, &specs).await?.apply().await?;
        self.create_databases().await
    }

    /// Replaces the databases with empty ones, so that the whole topic has to be folded again.
    pub(super) async fn recreate_databases(&mut self) -> anyhow::Result<()> {
        self.drop_databases().await?;
        self.generation += 1;
        self.create_databases().await
    }

    async fn create_databases(&self) -> anyhow::Result<()> {
        create_bars_database(&self.server, &self.database_name()).await?;
        TimescaleBarStore::migrate(self.timescale_config()).await?;
        ClickHouseTickStore::migrate(&self.clickhouse_config()).await?;
        Ok(())
    }

    async fn drop_databases(&self) -> anyhow::Result<()> {
        let name = self.database_name();
        let bars = drop_bars_database(&self.server, &name).await;
        let ticks = drop_ticks_database(&self.clickhouse, &name).await;
        bars.and(ticks)
    }

    /// Drops topics and databases; the groups of the topics go with them.
    pub(super) async fn remove(self) -> anyhow::Result<()> {
        let dropped = self.drop_databases().await;
        let specs = topic_specs(&self.topics, self.partitions, self.replication);
        let names: Vec<_> = specs.into_iter().map(|spec| spec.name).collect();
        let removed = remove_topics(&self.kafka, &names).await;
        dropped.and(removed.map_err(anyhow::Error::from))
    }

    fn database_name(&self) -> String {
        format!("{}_{}", self.name, self.generation)
    }

    fn timescale_config(&self) -> TimescaleConfig {
        with_database(&self.server, &self.database_name())
    }

    fn clickhouse_config(&self) -> ClickHouseConfig {
        ClickHouseConfig {
            database: self.database_name(),
            ..self.clickhouse.clone()
        }
    }

    /// Opens the store of bars. Its timeouts are longer than a worker's, since no other worker
    /// waits to take over: on a busy machine a bad figure is better than none.
    pub(super) async fn open_bar_store(&self) -> anyhow::Result<TimescaleBarStore> {
        let config = TimescaleConfig {
            idle_timeout: IDLE_TIMEOUT,
            lock_timeout: 2 * IDLE_TIMEOUT,
            statement_timeout: 2 * IDLE_TIMEOUT,
            ..self.timescale_config()
        };
        Ok(TimescaleBarStore::open(config).await?)
    }

    /// Opens the store of ticks.
    pub(super) async fn open_tick_store(&self) -> anyhow::Result<ClickHouseTickStore> {
        Ok(ClickHouseTickStore::open(&self.clickhouse_config()).await?)
    }

    /// Returns the number of partitions of each topic.
    pub(super) const fn partitions(&self) -> u32 {
        self.partitions
    }

    /// Returns the consumer group of a role.
    pub(super) fn group_name(&self, role: &str) -> String {
        format!("{}.{role}", self.database_name())
    }

    /// Returns the environment variables that configure a process for this sandbox. They are not
    /// flags, since a URL may contain a password.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        let (kafka, security) = (&self.kafka, &self.kafka.security);
        let (bars, ticks) = (self.timescale_config(), self.clickhouse_config());
        let millis = |time: Duration| format!("{}ms", time.as_millis());
        let mut known = vec![
            ("KAFKA_BROKERS", kafka.brokers.clone()),
            ("KAFKA_TOPIC_PREFIX", self.topics.full_name("")),
            ("KAFKA_CLIENT_ID", kafka.client_id.clone()),
            ("KAFKA_SECURITY_PROTOCOL", security.protocol.to_string()),
            ("KAFKA_SASL_MECHANISM", security.mechanism.to_string()),
            (
                "KAFKA_FETCH_MEMORY_BYTES",
                kafka.fetch_memory_bytes.to_string(),
            ),
            (
                "KAFKA_MAX_PENDING_BYTES",
                kafka.max_pending_bytes.to_string(),
            ),
            ("KAFKA_DELIVERY_TIMEOUT", millis(kafka.delivery_timeout)),
            ("KAFKA_REQUEST_TIMEOUT", millis(kafka.request_timeout)),
            (
                "KAFKA_STATISTICS_INTERVAL",
                millis(kafka.statistics_interval),
            ),
            ("TIMESCALEDB_URL", bars.url),
            ("TIMESCALEDB_CONNECTIONS", bars.max_connections.to_string()),
            ("CLICKHOUSE_URL", ticks.url),
            ("CLICKHOUSE_USER", ticks.user),
            ("CLICKHOUSE_DATABASE", ticks.database),
        ];
        known.extend(
            security
                .username
                .clone()
                .map(|user| ("KAFKA_USERNAME", user)),
        );
        known.extend(path_variable(
            "KAFKA_PASSWORD_FILE",
            security.password_file.as_ref(),
        ));
        known.extend(path_variable("KAFKA_CA_FILE", security.ca_file.as_ref()));
        let certificate = security.certificate_file.as_ref();
        known.extend(path_variable("KAFKA_CERTIFICATE_FILE", certificate));
        known.extend(path_variable("KAFKA_KEY_FILE", security.key_file.as_ref()));
        known.extend(path_variable(
            "TIMESCALEDB_PASSWORD_FILE",
            bars.password_file.as_ref(),
        ));
        known.extend(path_variable("TIMESCALEDB_CA", bars.root_cert.as_ref()));
        known.extend(path_variable(
            "CLICKHOUSE_PASSWORD_FILE",
            ticks.password_file.as_ref(),
        ));
        known.extend(self.redis.iter().cloned());
        let variables = known.into_iter();
        variables
            .map(|(name, value)| (format!("CANDLEWICK_{name}"), value))
            .collect()
    }
}

fn path_variable(name: &'static str, path: Option<&PathBuf>) -> Option<(&'static str, String)> {
    path.map(|path| (name, path.display().to_string()))
}

/// Opens the topic of trades, and adopts its generation as the aggregator does.
pub(super) async fn register_and_open_trades_topic(
    kafka: &KafkaConfig,
    topics: &TopicNames,
    bars: &TimescaleBarStore,
) -> anyhow::Result<KafkaLog> {
    let kafka = KafkaClient::create(kafka.clone())?;
    let topic = kafka
        .request_topic(&topics.full_name(schemas::TRADES))
        .await?;
    let epoch = bars
        .register_topic(&TopicGeneration {
            topic: schemas::TRADES.to_owned(),
            topic_id: topic.id().to_owned(),
            partitions: topic.partition_count(),
            origin: topic.origin(),
        })
        .await?;
    Ok(topic.open_log(epoch)?)
}
