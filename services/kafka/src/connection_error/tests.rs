use rdkafka::statistics::{Partition, Topic};

use super::*;

const SYSLOG_INFORMATION: i32 = 6;

fn with_error(code: Code) -> LastConnectionError {
    let errors = LastConnectionError::default();
    errors.record_error(&KafkaError::Global(code), "reported by broker 1");
    errors
}

#[test]
fn a_request_that_no_broker_answered_fails_with_the_reported_reason() {
    for code in [Code::OperationTimedOut, Code::MessageTimedOut] {
        for (reported, expected) in [
            (Code::Authentication, "kafka.password_file"),
            (Code::SSL, "kafka.ca_file"),
            (Code::BrokerTransportFailure, "do not answer"),
        ] {
            let errors = with_error(reported);
            let is_refused = reported == Code::Authentication;
            assert_eq!(errors.is_authentication_refused(), is_refused, "{reported}");
            let error = errors.explain_code("trades", code);
            assert!(error.is_transient(), "{error}");
            let text = error.to_string();
            assert!(text.contains("reported by broker 1"), "{text}");
            assert!(text.contains(expected), "{text}");
        }
    }
}

#[test]
fn a_request_about_topics_that_no_broker_answered_is_transient() {
    let errors = LastConnectionError::default();
    let error = KafkaError::AdminOp(Code::OperationTimedOut);
    assert!(is_unanswered_request(&error));
    assert!(errors.explain_error("trades", &error).is_transient());
}

#[test]
fn a_lost_connection_is_known_from_the_log_alone() {
    let errors = LastConnectionError::default();
    errors.record_log_line_if_connection_lost(SYSLOG_INFORMATION, "FAIL", "broker 1 has closed it");
    errors.record_log_line_if_connection_lost(
        SYSLOG_INFORMATION,
        "GETSUBSCRIPTIONS",
        "something else",
    );
    // This line is reported as an error too.
    errors.record_log_line_if_connection_lost(SYSLOG_ERROR, "FAIL", "SSL handshake failed");
    let error = errors.explain_code("trades", Code::OperationTimedOut);
    let text = error.to_string();
    assert!(text.contains("broker 1 has closed it"), "{text}");
    assert!(text.contains("kafka.security_protocol"), "{text}");
}

#[test]
fn a_connection_that_is_closed_while_sending_names_the_protocol() {
    let errors = LastConnectionError::default();
    let reason = "127.0.0.1:9093/bootstrap: Send failed: Broken pipe (after 0ms in state UP)";
    errors.record_error(&KafkaError::Global(Code::BrokerTransportFailure), reason);
    let error = errors.explain_code("trades", Code::OperationTimedOut);
    let text = error.to_string();
    assert!(text.contains("kafka.security_protocol"), "{text}");
}

#[test]
fn an_error_text_of_openssl_is_about_tls_whatever_its_code_is() {
    let errors = LastConnectionError::default();
    let reason = "ssl://127.0.0.1:9093/bootstrap: error:0A000086:SSL routines::certificate verify \
                  failed (after 3ms in state SSL_HANDSHAKE)";
    errors.record_error(&KafkaError::Global(Code::BrokerTransportFailure), reason);
    let error = errors.explain_code("trades", Code::OperationTimedOut);
    assert!(error.to_string().contains("kafka.ca_file"), "{error}");
}

#[test]
fn an_answer_of_the_brokers_is_not_replaced_by_an_older_error() {
    let errors = with_error(Code::Authentication);
    let error = errors.explain_code("trades", Code::UnknownTopicOrPartition);
    assert!(error.to_string().contains("no such topic"), "{error}");
}

/// Returns what is known from statistics with these brokers, each with its source and state, and
/// a partition with this leader.
fn with_brokers(brokers: &[(&str, &str)], leader: i32) -> LastConnectionError {
    let brokers = (0..).zip(brokers).map(|(number, (source, state))| {
        let broker = Broker {
            source: (*source).to_owned(),
            state: (*state).to_owned(),
            ..Broker::default()
        };
        (format!("broker {number}"), broker)
    });
    let partition = |leader| Partition {
        leader,
        ..Partition::default()
    };
    let topic = Topic {
        partitions: [(-1, partition(-1)), (0, partition(leader))].into(),
        ..Topic::default()
    };
    let errors = LastConnectionError::default();
    errors.record_whether_broker_is_known(&Statistics {
        brokers: brokers.collect(),
        topics: [("trades".to_owned(), topic)].into(),
        ..Statistics::default()
    });
    errors
}

#[test]
fn a_client_that_knows_only_dropped_brokers_has_no_broker() {
    for (brokers, leader) in [
        (&[][..], 1),
        (&[("internal", "UP"), ("logical", "UP")], 1),
        (&[("learned", "INIT"), ("learned", "INIT")], -1),
    ] {
        let errors = with_brokers(brokers, leader);
        assert!(errors.read_and_reset_no_broker_flag(), "{brokers:?}");
        assert!(
            !errors.read_and_reset_no_broker_flag(),
            "it is reported once"
        );
    }
    for (brokers, leader) in [
        (&[("configured", "INIT")][..], -1),
        (&[("learned", "INIT"), ("learned", "DOWN")], -1),
        (&[("learned", "TRY_CONNECT")], -1),
        // This broker is idle.
        (&[("learned", "INIT")], 1),
    ] {
        assert!(
            !with_brokers(brokers, leader).read_and_reset_no_broker_flag(),
            "{brokers:?}"
        );
    }
}

#[test]
fn an_error_is_kept_until_the_brokers_answer() {
    let errors = with_error(Code::SSL);
    let all_down = KafkaError::Global(Code::AllBrokersDown);
    errors.record_error(&all_down, "1/1 brokers are down");
    let text = |errors: &LastConnectionError| errors.explain_error("trades", &all_down).to_string();
    assert!(text(&errors).contains("reported by broker 1"));
    errors.clear();
    assert!(!text(&errors).contains("reported by broker 1"));
}
