//! Tests without brokers. The contract of every log tests what readers deliver.

use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::BaseConsumer;

use super::*;
use crate::callbacks::ReaderCallbacks;
use crate::config::KafkaConfig;
use crate::poll_rounds::{CHECK_ROUNDS, TIMEOUT_ROUNDS};

/// Returns a partition whose brokers do not exist, so that its readers deliver nothing.
fn partition_reader() -> PartitionReader {
    let config = KafkaConfig {
        brokers: "127.0.0.1:1".to_owned(),
        statistics_interval: Duration::from_secs(60),
        ..KafkaConfig::default()
    };
    let client = config.reader_client_config(1).unwrap();
    let callbacks = ReaderCallbacks::new("trades");
    let client = BaseConsumer::from_config_and_context(&client, callbacks).unwrap();
    let topic = TopicHandle::new(Arc::new(client), "trades").unwrap();
    PartitionReader::new(0, Arc::new(topic))
}

fn is_not_positioned(outcome: &ReadOutcome) -> bool {
    matches!(outcome, ReadOutcome::NotPositioned)
}

#[test]
fn a_stalled_reader_is_restarted_after_twice_the_time_each_time() {
    let reader = partition_reader();
    let mut round = 100;
    for timeout in [TIMEOUT_ROUNDS, 2 * TIMEOUT_ROUNDS, 4 * TIMEOUT_ROUNDS] {
        reader.start_at(5, round).unwrap();
        assert!(!reader.mark_end_query_begun_if_no_recent_record(round + CHECK_ROUNDS - 1));
        assert!(reader.mark_end_query_begun_if_no_recent_record(round + CHECK_ROUNDS));
        assert!(
            !reader.mark_end_query_begun_if_no_recent_record(round + CHECK_ROUNDS),
            "one caller queries for all"
        );
        round += CHECK_ROUNDS;
        reader.finish_end_query(Some(6), round);
        // A later answer does not restart the timeout.
        reader.finish_end_query(Some(9), round + 1);
        assert!(matches!(
            reader.check_for_records(5, round + timeout - 1),
            ReadOutcome::NotYet
        ));
        round += timeout;
        assert!(
            is_not_positioned(&reader.check_for_records(5, round)),
            "after {timeout} rounds"
        );
    }
    // At another offset no reader has stalled yet, and an older query does not count against it.
    reader.start_at(7, round).unwrap();
    reader.finish_end_query(Some(9), round - 10);
    assert!(matches!(
        reader.check_for_records(7, round + TIMEOUT_ROUNDS - 1),
        ReadOutcome::NotYet
    ));
    assert!(is_not_positioned(&reader.take_records(
        7,
        1_000,
        round + TIMEOUT_ROUNDS
    )));
}

#[test]
fn a_reader_at_the_end_is_never_restarted() {
    let reader = partition_reader();
    assert_eq!(reader.lag_records_if_ever_waited_for(), None);
    assert!(
        !reader.mark_end_query_begun_if_no_recent_record(1_000),
        "there is no reader"
    );
    reader.start_at(5, 0).unwrap();
    assert_eq!(
        reader.lag_records_if_ever_waited_for(),
        None,
        "no caller waits"
    );
    reader.finish_end_query(Some(5), 0);
    assert!(matches!(
        reader.check_for_records(5, 1_000_000),
        ReadOutcome::AtEnd
    ));
    reader.finish_end_query(Some(8), 1_000_000);
    assert_eq!(reader.lag_records_if_ever_waited_for(), Some(3));
    reader.stop();
    assert_eq!(reader.lag_records_if_ever_waited_for(), Some(0));
}

#[test]
fn one_end_query_is_open_at_a_time_and_an_unanswered_one_does_not_count() {
    let reader = partition_reader();
    reader.start_at(5, 0).unwrap();
    assert!(reader.mark_end_query_begun_if_no_recent_record(100));
    assert!(
        !reader.mark_end_query_begun_if_no_recent_record(1_000),
        "the query is not answered yet"
    );
    reader.finish_end_query(Some(6), 100);
    assert!(reader.mark_end_query_begun_if_no_recent_record(1_000));
    reader.finish_end_query(None, 1_000);
    assert!(matches!(
        reader.check_for_records(5, 1_000_000),
        ReadOutcome::NotYet
    ));
}

#[test]
fn records_behind_an_open_transaction_are_unread_and_named_as_such() {
    let reader = partition_reader();
    assert_eq!(reader.unread_range(), None, "there is no reader");
    reader.start_at(5, 0).unwrap();
    assert_eq!(reader.unread_range(), None, "nothing is known beyond 5");
    reader.raise_known_end(8);
    let unread = |is_behind_open_transaction| {
        Some(UnreadRange {
            first: 5,
            end: 8,
            is_behind_open_transaction,
        })
    };
    assert_eq!(reader.unread_range(), unread(false));
    // The brokers let readers read up to 5, and hold records up to 8.
    reader.finish_end_query(Some(5), 0);
    assert_eq!(reader.unread_range(), unread(true));
    assert!(!reader.lock_state().stall_detector().is_stalled(1_000_000));
    reader.finish_end_query(Some(8), 1);
    assert_eq!(reader.unread_range(), unread(false));
}
