use super::*;

fn wrong_options(config: &KafkaConfig) -> Vec<&'static str> {
    config
        .errors()
        .into_iter()
        .map(|error| error.option)
        .collect()
}

#[test]
fn the_defaults_have_no_errors() {
    assert_eq!(wrong_options(&KafkaConfig::default()), Vec::<&str>::new());
}

#[test]
fn each_wrong_setting_is_named() {
    for brokers in [
        "",
        "localhost",
        "localhost:",
        ":9092",
        "a:1,,b:2",
        "a:0",
        "a:99999",
    ] {
        let config = KafkaConfig {
            brokers: brokers.to_owned(),
            ..KafkaConfig::default()
        };
        assert_eq!(wrong_options(&config), ["kafka.brokers"], "{brokers}");
    }
    let mut config = KafkaConfig {
        client_id: String::new(),
        max_pending_bytes: 0,
        fetch_memory_bytes: 1_000,
        ..KafkaConfig::default()
    };
    config.security.protocol = SecurityProtocol::SaslSsl;
    config.security.mechanism = SaslMechanism::ScramSha512;
    config.security.ca_file = Some("/no/such/file".into());
    assert_eq!(
        wrong_options(&config),
        [
            "kafka.client_id",
            "kafka.fetch_memory_bytes",
            "kafka.max_pending_bytes",
            "kafka.username",
            "kafka.password_file",
            "kafka.ca_file"
        ]
    );
}

#[test]
fn librdkafka_accepts_the_settings_of_every_client() {
    let config = KafkaConfig::default();
    for client in [
        config.reader_client_config(12),
        config.producer_client_config(),
        config.member_client_config("group", Some("one")),
        config.admin_client_config(),
    ] {
        client.unwrap().create_native_config().unwrap();
    }
}

#[test]
fn the_bytes_read_ahead_are_bounded_for_all_partitions_together() {
    let config = KafkaConfig::default();
    let kbytes = |partitions| {
        let reader = config.reader_client_config(partitions).unwrap();
        reader.get("queued.max.messages.kbytes").unwrap().to_owned()
    };
    assert_eq!(kbytes(1), "67108");
    assert_eq!(kbytes(16), "4194");
    assert_eq!(
        kbytes(256),
        "2000",
        "with less than two fetches reading would stall"
    );
}

#[test]
fn passwords_are_read_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "secret\n").unwrap();
    let mut config = KafkaConfig::default();
    config.security.protocol = "SASL_PLAINTEXT".parse().unwrap();
    config.security.mechanism = "SCRAM-SHA-256".parse().unwrap();
    config.security.username = Some("worker".to_owned());
    config.security.password_file = Some(file);
    assert_eq!(config.errors(), []);
    let client = config.producer_client_config().unwrap();
    assert_eq!(client.get("sasl.password"), Some("secret"));
    assert_eq!(client.get("sasl.mechanism"), Some("SCRAM-SHA-256"));
    assert!(!format!("{config:?}").contains("secret"));
}
