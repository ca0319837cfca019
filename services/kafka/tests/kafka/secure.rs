//! Brokers that require TLS, a password, or both, and the errors if that fails.

use std::time::Duration;

use candlewick_kafka::{
    GroupEvent, GroupMembership, GroupMembershipOptions, KafkaClient, KafkaConfig, KafkaTopic,
    SecurityProtocol, TopicSpec, plan_topics, remove_topics,
};
use eventlog::contract::{fetch_all, numbered_records};
use eventlog::{Log, LogError};
use tokio::sync::mpsc::Receiver;

use crate::support::{Broker, SecureBroker, eventually, log_lines, runtime};

const RECORDS: usize = 100;

/// Creates a topic with a name that no other test run uses.
async fn create_topic(test: &str, config: &KafkaConfig) -> String {
    let name = Broker::unique_name(test);
    let time = ("message.timestamp.type", "LogAppendTime");
    let spec = TopicSpec {
        name: name.clone(),
        partitions: 1,
        replication: 1,
        settings: vec![(time.0.to_owned(), time.1.to_owned())],
    };
    let plan = plan_topics(config, &[spec]).await.unwrap();
    plan.apply().await.unwrap();
    name
}

/// Repeats `request` until it succeeds, for about ten seconds.
async fn retry_until_ok<T, F: Future<Output = Result<T, LogError>>>(request: impl Fn() -> F) -> T {
    for _ in 0..40 {
        if let Ok(value) = request().await {
            return value;
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    request().await.unwrap_or_else(|error| panic!("{error}"))
}

fn join(topic: &KafkaTopic) -> (GroupMembership, Receiver<GroupEvent>) {
    let options = GroupMembershipOptions {
        group: format!("group-of-{}", topic.name()),
        instance: None,
        drain_timeout: Duration::from_secs(1),
    };
    GroupMembership::join(topic, &options).unwrap()
}

async fn leave(membership: GroupMembership, events: Receiver<GroupEvent>) {
    drop(events);
    membership.leave().await;
}

/// Creates a topic, appends, reads, joins the group and leaves it, so that every client is used.
async fn assert_works(test: &str, config: &KafkaConfig) {
    assert_eq!(config.errors(), []);
    let name = create_topic(test, config).await;
    let kafka = KafkaClient::create(config.clone()).unwrap();
    // The broker learns of the topic from the controller.
    let topic = retry_until_ok(|| kafka.request_topic(&name)).await;
    let log = topic.open_log(1).unwrap();
    let appended = log.append(0, numbered_records("a", RECORDS)).await;
    assert_eq!(appended, Ok(0..RECORDS as u64));
    assert_eq!(fetch_all(&log, 0, 0).await.len(), RECORDS);
    assert_eq!(log.check_epoch().await, Ok(()));
    let (membership, mut events) = join(&topic);
    let event = eventually("an event of the group", || events.try_recv().ok());
    assert!(
        matches!(&event, GroupEvent::Assigned(partitions) if *partitions == [0]),
        "{event:?}"
    );
    leave(membership, events).await;
    log.close();
    remove_topics(config, &[name]).await.unwrap();
}

#[test]
fn tls_works_without_a_client_certificate() {
    runtime().block_on(assert_works(
        "ssl",
        &SecureBroker::from_environment().tls_config("ssl"),
    ));
}

#[test]
fn tls_works_with_a_client_certificate() {
    let secure = SecureBroker::from_environment();
    let mut config = secure.tls_config("mutual");
    config.security.certificate_file = Some(secure.secret_path("client.pem"));
    config.security.key_file = Some(secure.secret_path("client.key"));
    runtime().block_on(assert_works("mutual", &config));
}

#[test]
fn every_mechanism_works_over_tls() {
    for mechanism in ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] {
        let config =
            SecureBroker::from_environment().sasl_config(SecurityProtocol::SaslSsl, mechanism);
        runtime().block_on(assert_works(&format!("sasl-ssl-{mechanism}"), &config));
    }
}

#[test]
fn every_mechanism_works_without_tls() {
    for mechanism in ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] {
        let config = SecureBroker::from_environment()
            .sasl_config(SecurityProtocol::SaslPlaintext, mechanism);
        runtime().block_on(assert_works(&format!("sasl-{mechanism}"), &config));
    }
}

/// Returns the errors of requesting a topic and of creating one. Each must come within twice the
/// request timeout.
fn request_errors(config: &KafkaConfig) -> [LogError; 2] {
    assert_eq!(config.errors(), []);
    let runtime = runtime();
    let timeout = 2 * config.request_timeout;
    let requesting = {
        let kafka = KafkaClient::create(config.clone()).unwrap();
        runtime.spawn(async move { kafka.request_topic("trades").await.err() })
    };
    let creating = {
        let config = config.clone();
        let spec = TopicSpec {
            name: "trades".to_owned(),
            partitions: 1,
            replication: 1,
            settings: Vec::new(),
        };
        runtime.spawn(async move { plan_topics(&config, &[spec]).await.err() })
    };
    for _ in 0..timeout.as_millis() / 10 {
        if requesting.is_finished() && creating.is_finished() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    [requesting, creating].map(|task| {
        assert!(task.is_finished(), "no answer within {timeout:?}");
        runtime.block_on(task).unwrap().expect("an error")
    })
}

/// Asserts that both errors contain all of `words` and are transient.
fn assert_transient_with(errors: &[LogError; 2], words: &[&str]) {
    for error in errors {
        let text = error.to_string();
        assert!(error.is_transient(), "{text}");
        for word in words {
            assert!(text.contains(word), "no {word:?} in: {text}");
        }
    }
}

#[test]
fn a_wrong_password_is_reported_and_never_shown() {
    log_lines();
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("password");
    std::fs::write(&wrong, "swordfish\n").unwrap();
    let secure = SecureBroker::from_environment();
    let mut shown = String::new();
    for protocol in [SecurityProtocol::SaslSsl, SecurityProtocol::SaslPlaintext] {
        for mechanism in ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] {
            let mut config = secure.sasl_config(protocol, mechanism);
            config.security.password_file = Some(wrong.clone());
            let errors = request_errors(&config);
            let brokers = config.brokers.as_str();
            let words = ["kafka.password_file", "SASL authentication error", brokers];
            assert_transient_with(&errors, &words);
            shown += &format!("{errors:?} {config:?} {:?}", config.reader_client_config(1));
        }
    }
    assert!(!shown.contains("swordfish"), "{shown}");
    let lines = log_lines();
    assert!(lines.contains("SASL authentication error"), "{lines}");
    assert!(!lines.contains("swordfish"), "{lines}");
}

/// All tests of this process write to the same log.
#[test]
fn a_correct_password_is_never_shown() {
    log_lines();
    let secure = SecureBroker::from_environment();
    let password = secure.password();
    for mechanism in ["SCRAM-SHA-512", "PLAIN"] {
        let config = secure.sasl_config(SecurityProtocol::SaslSsl, mechanism);
        runtime().block_on(assert_works("silent", &config));
        let shown = format!("{config:?} {:?}", config.reader_client_config(1));
        assert!(!shown.contains(&password), "{shown}");
    }
    let lines = log_lines();
    assert!(!lines.contains(&password), "{lines}");
}

/// Each running client uses the new password.
#[test]
fn a_changed_password_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    let secure = SecureBroker::from_environment();
    let correct = secure.sasl_config(SecurityProtocol::SaslSsl, "SCRAM-SHA-512");
    let mut config = correct.clone();
    config.security.password_file = Some(file.clone());
    let write = |password: &str| std::fs::write(&file, password).unwrap();
    runtime().block_on(async {
        let name = create_topic("changed-password", &correct).await;
        write("swordfish");
        let kafka = KafkaClient::create(config).unwrap();
        let error = kafka.request_topic(&name).await.err().unwrap();
        assert!(error.to_string().contains("kafka.password_file"), "{error}");
        write(&secure.password());
        let topic = retry_until_ok(|| kafka.request_topic(&name)).await;

        // A reader and a member that start while the password is wrong again.
        write("swordfish");
        let log = topic.open_log(1).unwrap();
        let (membership, mut events) = join(&topic);
        let error = log.bounds(0).await.unwrap_err();
        assert!(error.to_string().contains("kafka.password_file"), "{error}");
        let event = eventually("an event for the member", || events.try_recv().ok());
        let GroupEvent::Error { error, is_over } = event else {
            panic!("{event:?}");
        };
        assert!(error.to_string().contains("kafka.password_file"), "{error}");
        assert!(error.is_transient() && !is_over, "{error}");
        write(&secure.password());
        retry_until_ok(|| log.bounds(0)).await;
        let assigned = eventually("partitions", || match events.try_recv().ok()? {
            GroupEvent::Assigned(partitions) => Some(partitions),
            _ => None,
        });
        assert_eq!(assigned, [0]);
        leave(membership, events).await;
        log.close();
        remove_topics(&correct, &[name]).await.unwrap();
    });
}

#[test]
fn an_unknown_user_is_refused() {
    let mut config =
        SecureBroker::from_environment().sasl_config(SecurityProtocol::SaslSsl, "SCRAM-SHA-512");
    config.security.username = Some("nobody".to_owned());
    assert_transient_with(&request_errors(&config), &["kafka.username"]);
}

#[test]
fn a_certificate_of_an_unknown_authority_is_refused() {
    let secure = SecureBroker::from_environment();
    let words = ["certificate verify failed", "kafka.ca_file"];
    // Without a file the authorities of the system are used.
    assert_transient_with(&request_errors(&secure.config("ssl", "SSL")), &words);
    let mut config = secure.tls_config("ssl");
    config.security.ca_file = Some(secure.secret_path("stranger.pem"));
    assert_transient_with(&request_errors(&config), &words);
    let mut config = secure.sasl_config(SecurityProtocol::SaslSsl, "SCRAM-SHA-512");
    config.security.ca_file = Some(secure.secret_path("stranger.pem"));
    assert_transient_with(&request_errors(&config), &words);
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let config = SecureBroker::from_environment().tls_config("misnamed");
    let words = ["certificate verify failed", "kafka.ca_file"];
    assert_transient_with(&request_errors(&config), &words);
}

#[test]
fn a_missing_client_certificate_is_reported() {
    let config = SecureBroker::from_environment().tls_config("mutual");
    assert_transient_with(&request_errors(&config), &["certificate"]);
}

#[test]
fn a_wrong_security_protocol_is_reported() {
    let secure = SecureBroker::from_environment();
    // No TLS, although the listener requires it.
    let config = secure.config("ssl", "PLAINTEXT");
    assert_transient_with(&request_errors(&config), &["kafka.security_protocol"]);
    // TLS, although the listener has none, and no user, although it requires one.
    let mut config = secure.tls_config("sasl_plaintext");
    assert_transient_with(&request_errors(&config), &["SSL handshake failed"]);
    config = secure.config("sasl_plaintext", "PLAINTEXT");
    assert_transient_with(&request_errors(&config), &["kafka.security_protocol"]);
}

#[test]
fn missing_and_invalid_files_are_reported_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.pem");
    let garbage = folder.path().join("garbage.pem");
    std::fs::write(&garbage, "no certificate\n").unwrap();
    let mut config = SecureBroker::from_environment().tls_config("ssl");
    config.security.ca_file = Some(missing);
    let errors = config.errors();
    assert_eq!(errors[0].option, "kafka.ca_file");
    assert!(errors[0].to_string().contains("missing.pem"), "{errors:?}");
    config.security.ca_file = Some(garbage);
    let error = KafkaClient::create(config).err().unwrap();
    assert!(!error.is_transient(), "{error}");
    assert!(error.to_string().contains("ssl.ca.location"), "{error}");
}
