use std::time::Duration;

use clap::Parser;
use host::ConfigErrors;
use tempfile::NamedTempFile;

use super::*;

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    process: ProcessArgs,
    #[command(flatten)]
    group: ConsumerGroupArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    timescaledb: TimescaleArgs,
    #[command(flatten)]
    clickhouse: ClickHouseArgs,
    #[command(flatten)]
    redis: RedisArgs,
    #[command(flatten)]
    breaker: BreakerArgs,
}

/// Everything that was configured.
#[derive(Debug)]
struct Settings {
    process: ProcessSettings,
    group: ConsumerGroupSettings,
    breaker: BreakerSettings,
    kafka: ::kafka::KafkaConfig,
    timescaledb: store::TimescaleConfig,
    clickhouse: store::ClickHouseConfig,
    redis: Option<store::RedisConfig>,
}

fn read_settings(flags: &[&str]) -> Result<Settings, ConfigErrors> {
    let flags = Flags::parse_from(std::iter::once(&"test").chain(flags));
    let mut reader = flags.process.load_config()?;
    let process = flags.process.read(&mut reader, 8081);
    let group = flags.group.read(&mut reader, "candlewick-test");
    let breaker = flags.breaker.read(&mut reader);
    let redis = flags.redis.read_optional(&mut reader);
    let kafka = flags.kafka.read(&mut reader);
    let timescaledb = flags.timescaledb.read_required(&mut reader);
    let clickhouse = flags.clickhouse.read_required(&mut reader);
    let servers = timescaledb.zip(clickhouse);
    let (timescaledb, clickhouse) = reader.finish_with(servers)?;
    Ok(Settings {
        process,
        group,
        breaker,
        kafka,
        timescaledb,
        clickhouse,
        redis,
    })
}

const REQUIRED: [&str; 6] = [
    "--brokers",
    "a:9092,b:9092",
    "--timescaledb-url",
    "postgres://me@bars/candlewick",
    "--clickhouse-url",
    "http://ticks:8123",
];

fn config_file(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

#[test]
fn the_required_settings_are_enough() {
    let settings = read_settings(&REQUIRED).unwrap();
    assert_eq!(settings.process.listen.to_string(), "127.0.0.1:8081");
    assert_eq!(settings.group.group, "candlewick-test");
    assert_eq!(settings.group.instance, None);
    assert_eq!(settings.kafka.brokers, "a:9092,b:9092");
    assert_eq!(settings.clickhouse.user, "default");
    assert_eq!(settings.breaker.policy, clock::BreakerPolicy::default());
    assert!(settings.redis.is_none());
}

#[test]
fn a_file_may_hold_all_settings_and_flags_win_over_it() {
    let password = config_file("secret");
    let file = config_file(&format!(
        "group = 'blue'
         instance = 'aggregator-0'
         listen = '0.0.0.0:9000'
         [kafka]
         brokers = ['a:9092', 'b:9092']
         security_protocol = 'sasl_plaintext'
         sasl_mechanism = 'SCRAM-SHA-512'
         username = 'worker'
         password_file = '{password}'
         [timescaledb]
         url = 'postgres://me@bars/candlewick'
         connections = 20
         [clickhouse]
         url = 'https://ticks:8443'
         user = 'writer'
         [redis]
         url = 'redis+sentinel://hot:26379/main'
         password_file = '/run/hot'
         [breaker]
         failures = 3
         open_for = '5s'
         timeout = '2s'",
        password = password.path().display()
    ));
    let path = file.path().to_str().unwrap();
    let flags = [
        "--config",
        path,
        "--breaker-failures",
        "9",
        "--group",
        "green",
        "--redis-sentinel-password-file",
        "/run/sentinels",
    ];
    let settings = read_settings(&flags).unwrap();
    assert_eq!(settings.process.listen.to_string(), "0.0.0.0:9000");
    assert_eq!(settings.group.group, "green");
    assert_eq!(settings.group.instance.as_deref(), Some("aggregator-0"));
    assert_eq!(settings.kafka.brokers, "a:9092,b:9092");
    let security = &settings.kafka.security;
    assert_eq!(security.protocol.to_string(), "SASL_PLAINTEXT");
    assert_eq!(security.mechanism.to_string(), "SCRAM-SHA-512");
    assert_eq!(security.username.as_deref(), Some("worker"));
    assert_eq!(settings.timescaledb.max_connections, 20);
    assert_eq!(settings.clickhouse.user, "writer");
    let redis = settings.redis.unwrap();
    assert_eq!(redis.url, "redis+sentinel://hot:26379/main");
    assert_eq!(redis.password_file, Some("/run/hot".into()));
    assert_eq!(redis.sentinel_password_file, Some("/run/sentinels".into()));
    assert_eq!(settings.breaker.policy.failures.get(), 9);
    assert_eq!(settings.breaker.policy.open_for, Duration::from_secs(5));
    assert_eq!(settings.breaker.timeout, Duration::from_secs(2));
}

#[test]
fn all_mistakes_are_reported_at_once_and_no_password_is_shown() {
    let file = config_file("[breaker]\nfailures = 0\nopenfor = '1s'");
    let path = file.path().to_str().unwrap();
    let errors = read_settings(&[
        "--config",
        path,
        "--timescaledb-url",
        "mysql://me:hunter2@bars",
        "--clickhouse-url",
        "http://me:hunter2@ticks:8123",
        "--redis-url",
        "hunter2",
        "--kafka-security-protocol",
        "tls",
        "--brokers",
        "localhost",
        "--breaker-timeout",
        "30s",
    ]);
    let errors = errors.unwrap_err();
    assert_eq!(errors.exit_code(), 64);
    let text = errors.to_string();
    assert!(!text.contains("hunter2"), "{text}");
    let lines: Vec<_> = text.lines().skip(1).map(str::trim).collect();
    let expected = [
        "breaker.failures in",
        "breaker.openfor in",
        "--breaker-timeout: \"30s\": expected a time from 1s to 9s",
        "--clickhouse-url: the value (not shown): expected http://",
        "--kafka-brokers: \"localhost\": expected host:port",
        "--kafka-security-protocol: \"tls\": expected",
        "--redis-url: the value (not shown): expected redis://",
        "--timescaledb-url: the value (not shown): expected postgres://",
    ];
    assert_eq!(lines.len(), expected.len(), "{text}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line:?} is not {expected:?}");
    }
}

#[test]
fn a_role_ignores_the_sections_of_other_roles_and_no_unknown_ones() {
    let text = "[kafka]\nbrokers = 'a:1'\n[redis]\nurl = 'x'\n[clickhouse]\nurll = 'x'\n[clickhose]\nurl = 'x'";
    let file = config_file(text);
    let flags = Flags::parse_from(["test", "--config", file.path().to_str().unwrap()]);
    let mut reader = flags.process.load_config().unwrap();
    ignore_server_sections_except(&mut reader, &["clickhouse"]);
    flags.clickhouse.read_optional(&mut reader);
    let text = reader.finish().unwrap_err().to_string();
    assert!(text.contains("2 configuration errors"), "{text}");
    assert!(
        text.contains("clickhouse.urll") && text.contains("clickhose.url"),
        "{text}"
    );
}
