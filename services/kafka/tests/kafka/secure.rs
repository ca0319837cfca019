//! Brokers that ask for TLS, for a password, or for both; and what is said where that fails.

use std::time::Duration;

use candlewick_kafka::{
    GroupEvent, Kafka, KafkaConfig, KafkaTopic, Membership, MembershipOptions, SecurityProtocol,
    TopicSpec, plan_topics, remove_topics,
};
use eventlog::{Log, LogError};
use tokio::sync::mpsc::Receiver;

use crate::support::{Broker, Secure, entries, eventually, fetch_all, log_lines, runtime};

const RECORDS: usize = 100;

/// A topic that no other run has.
async fn make_topic(test: &str, config: &KafkaConfig) -> String {
    let name = Broker::name(test);
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

/// What `ask` answers once it succeeds, which it has to within some tries.
async fn soon<T, F: Future<Output = Result<T, LogError>>>(ask: impl Fn() -> F) -> T {
    for _ in 0..40 {
        if let Ok(answer) = ask().await {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    ask().await.unwrap_or_else(|error| panic!("{error}"))
}

fn join(topic: &KafkaTopic) -> (Membership, Receiver<GroupEvent>) {
    let options = MembershipOptions {
        group: format!("group-of-{}", topic.name()),
        instance: None,
        drain_timeout: Duration::from_secs(1),
    };
    Membership::join(topic, &options).unwrap()
}

async fn leave(membership: Membership, events: Receiver<GroupEvent>) {
    drop(events);
    membership.leave().await;
}

/// Makes a topic, appends and reads, joins the group and leaves it: every client that there is.
async fn works(test: &str, config: &KafkaConfig) {
    assert_eq!(config.errors(), []);
    let name = make_topic(test, config).await;
    let kafka = Kafka::connect(config.clone()).unwrap();
    // The broker hears of it from the controller.
    let topic = soon(|| kafka.topic(&name)).await;
    let log = topic.open(1).unwrap();
    let appended = log.append(0, entries("a", RECORDS)).await;
    assert_eq!(appended, Ok(0..RECORDS as u64));
    assert_eq!(fetch_all(&log, 0, 0).await.len(), RECORDS);
    assert_eq!(log.check_epoch().await, Ok(()));
    let (membership, mut events) = join(&topic);
    let event = eventually("a word of the group", || events.try_recv().ok());
    assert!(
        matches!(&event, GroupEvent::Assigned(partitions) if *partitions == [0]),
        "{event:?}"
    );
    leave(membership, events).await;
    log.close();
    remove_topics(config, &[name]).await.unwrap();
}

#[test]
fn tls_needs_no_certificate_of_ours() {
    runtime().block_on(works("ssl", &Secure::named().tls("ssl")));
}

#[test]
fn tls_says_who_we_are() {
    let secure = Secure::named();
    let mut config = secure.tls("mutual");
    config.security.certificate_file = Some(secure.secret("client.pem"));
    config.security.key_file = Some(secure.secret("client.key"));
    runtime().block_on(works("mutual", &config));
}

#[test]
fn every_mechanism_works_over_tls() {
    for mechanism in ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] {
        let config = Secure::named().sasl(SecurityProtocol::SaslSsl, mechanism);
        runtime().block_on(works(&format!("sasl-ssl-{mechanism}"), &config));
    }
}

#[test]
fn every_mechanism_works_without_tls() {
    for mechanism in ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] {
        let config = Secure::named().sasl(SecurityProtocol::SaslPlaintext, mechanism);
        runtime().block_on(works(&format!("sasl-{mechanism}"), &config));
    }
}

/// What is said to whoever looks for a topic, and to whoever would make one: each within twice
/// the time that a question may take.
fn fails(config: &KafkaConfig) -> [LogError; 2] {
    assert_eq!(config.errors(), []);
    let runtime = runtime();
    let patience = 2 * config.request_timeout;
    let finding = {
        let kafka = Kafka::connect(config.clone()).unwrap();
        runtime.spawn(async move { kafka.topic("trades").await.err() })
    };
    let making = {
        let config = config.clone();
        let spec = TopicSpec {
            name: "trades".to_owned(),
            partitions: 1,
            replication: 1,
            settings: Vec::new(),
        };
        runtime.spawn(async move { plan_topics(&config, &[spec]).await.err() })
    };
    for _ in 0..patience.as_millis() / 10 {
        if finding.is_finished() && making.is_finished() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    [finding, making].map(|task| {
        assert!(task.is_finished(), "no answer within {patience:?}");
        runtime.block_on(task).unwrap().expect("an error")
    })
}

/// Both say all of `words`, and that it may pass.
fn says(errors: &[LogError; 2], words: &[&str]) {
    for error in errors {
        let text = error.to_string();
        assert!(error.is_transient(), "{text}");
        for word in words {
            assert!(text.contains(word), "no {word:?} in: {text}");
        }
    }
}

#[test]
fn a_wrong_password_is_named_and_not_shown() {
    log_lines();
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("password");
    std::fs::write(&wrong, "swordfish\n").unwrap();
    let secure = Secure::named();
    let mut shown = String::new();
    for protocol in [SecurityProtocol::SaslSsl, SecurityProtocol::SaslPlaintext] {
        for mechanism in ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] {
            let mut config = secure.sasl(protocol, mechanism);
            config.security.password_file = Some(wrong.clone());
            let errors = fails(&config);
            let brokers = config.brokers.as_str();
            let words = ["kafka.password_file", "SASL authentication error", brokers];
            says(&errors, &words);
            shown += &format!("{errors:?} {config:?} {:?}", config.reader(1));
        }
    }
    assert!(!shown.contains("swordfish"), "{shown}");
    let lines = log_lines();
    assert!(lines.contains("SASL authentication error"), "{lines}");
    assert!(!lines.contains("swordfish"), "{lines}");
}

/// All tests of this process log into the same lines.
#[test]
fn a_right_password_is_shown_nowhere() {
    log_lines();
    let secure = Secure::named();
    let password = secure.password();
    for mechanism in ["SCRAM-SHA-512", "PLAIN"] {
        let config = secure.sasl(SecurityProtocol::SaslSsl, mechanism);
        runtime().block_on(works("silent", &config));
        let shown = format!("{config:?} {:?}", config.reader(1));
        assert!(!shown.contains(&password), "{shown}");
    }
    let lines = log_lines();
    assert!(!lines.contains(&password), "{lines}");
}

/// By each client that is there when it was changed.
#[test]
fn a_password_that_was_changed_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    let secure = Secure::named();
    let right = secure.sasl(SecurityProtocol::SaslSsl, "SCRAM-SHA-512");
    let mut config = right.clone();
    config.security.password_file = Some(file.clone());
    let write = |password: &str| std::fs::write(&file, password).unwrap();
    runtime().block_on(async {
        let name = make_topic("changed-password", &right).await;
        write("swordfish");
        let kafka = Kafka::connect(config).unwrap();
        let error = kafka.topic(&name).await.err().unwrap();
        assert!(error.to_string().contains("kafka.password_file"), "{error}");
        write(&secure.password());
        let topic = soon(|| kafka.topic(&name)).await;

        // A reader and a member that come when it is wrong again.
        write("swordfish");
        let log = topic.open(1).unwrap();
        let (membership, mut events) = join(&topic);
        let error = log.bounds(0).await.unwrap_err();
        assert!(error.to_string().contains("kafka.password_file"), "{error}");
        let told = eventually("a word to the member", || events.try_recv().ok());
        let GroupEvent::Error { error, is_over } = told else {
            panic!("{told:?}");
        };
        assert!(error.to_string().contains("kafka.password_file"), "{error}");
        assert!(error.is_transient() && !is_over, "{error}");
        write(&secure.password());
        soon(|| log.bounds(0)).await;
        let assigned = eventually("partitions", || match events.try_recv().ok()? {
            GroupEvent::Assigned(partitions) => Some(partitions),
            _ => None,
        });
        assert_eq!(assigned, [0]);
        leave(membership, events).await;
        log.close();
        remove_topics(&right, &[name]).await.unwrap();
    });
}

#[test]
fn an_unknown_user_is_refused() {
    let mut config = Secure::named().sasl(SecurityProtocol::SaslSsl, "SCRAM-SHA-512");
    config.security.username = Some("nobody".to_owned());
    says(&fails(&config), &["kafka.username"]);
}

#[test]
fn a_certificate_that_nobody_known_has_signed_is_refused() {
    let secure = Secure::named();
    let words = ["certificate verify failed", "kafka.ca_file"];
    // Without a file of ours the system's authorities are asked.
    says(&fails(&secure.way("ssl", "SSL")), &words);
    let mut config = secure.tls("ssl");
    config.security.ca_file = Some(secure.secret("stranger.pem"));
    says(&fails(&config), &words);
    let mut config = secure.sasl(SecurityProtocol::SaslSsl, "SCRAM-SHA-512");
    config.security.ca_file = Some(secure.secret("stranger.pem"));
    says(&fails(&config), &words);
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let config = Secure::named().tls("misnamed");
    let words = ["certificate verify failed", "kafka.ca_file"];
    says(&fails(&config), &words);
}

#[test]
fn a_client_without_a_certificate_is_told_that_one_is_needed() {
    let config = Secure::named().tls("mutual");
    says(&fails(&config), &["certificate"]);
}

#[test]
fn a_client_of_another_protocol_is_told_so() {
    let secure = Secure::named();
    // What is not TLS, where TLS is spoken.
    let config = secure.way("ssl", "PLAINTEXT");
    says(&fails(&config), &["kafka.security_protocol"]);
    // TLS, where it is not; and no user, where one is needed.
    let mut config = secure.tls("sasl_plaintext");
    says(&fails(&config), &["SSL handshake failed"]);
    config = secure.way("sasl_plaintext", "PLAINTEXT");
    says(&fails(&config), &["kafka.security_protocol"]);
}

#[test]
fn files_that_are_missing_or_hold_something_else_are_named_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.pem");
    let garbage = folder.path().join("garbage.pem");
    std::fs::write(&garbage, "no certificate\n").unwrap();
    let mut config = Secure::named().tls("ssl");
    config.security.ca_file = Some(missing);
    let errors = config.errors();
    assert_eq!(errors[0].option, "kafka.ca_file");
    assert!(errors[0].to_string().contains("missing.pem"), "{errors:?}");
    config.security.ca_file = Some(garbage);
    let error = Kafka::connect(config).err().unwrap();
    assert!(!error.is_transient(), "{error}");
    assert!(error.to_string().contains("ssl.ca.location"), "{error}");
}
