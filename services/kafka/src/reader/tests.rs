//! Over brokers that are not there: what readers bring is in the contract of every log.

use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::BaseConsumer;

use super::*;
use crate::KafkaConfig;
use crate::client::ReaderContext;
use crate::complaint::Complaints;

/// A partition whose brokers are not there, so that its readers bring nothing.
fn slot() -> Slot {
    let config = KafkaConfig {
        brokers: "127.0.0.1:1".to_owned(),
        statistics_interval: Duration::from_secs(60),
        ..KafkaConfig::default()
    };
    let context = ReaderContext {
        topic: "trades".to_owned(),
        complaints: Complaints::default(),
    };
    let client = config.reader(1).unwrap();
    let client = BaseConsumer::from_config_and_context(&client, context).unwrap();
    Slot::new(0, Arc::new(Topic::new(Arc::new(client), "trades").unwrap()))
}

fn is_elsewhere(found: &Found) -> bool {
    matches!(found, Found::Elsewhere)
}

#[test]
fn a_reader_that_stands_still_is_started_anew_after_ever_longer() {
    let slot = slot();
    let mut now = 100;
    for patience in [PATIENCE_BEATS, 2 * PATIENCE_BEATS, 4 * PATIENCE_BEATS] {
        slot.start(5, now).unwrap();
        assert!(!slot.is_doubtful(now + DOUBT_BEATS - 1));
        assert!(slot.is_doubtful(now + DOUBT_BEATS));
        assert!(!slot.is_doubtful(now + DOUBT_BEATS), "one asks for all");
        now += DOUBT_BEATS;
        slot.note_told(Some(6), now);
        // A later answer does not begin it again.
        slot.note_told(Some(9), now + 1);
        assert!(matches!(slot.look(5, now + patience - 1), Found::Nothing));
        now += patience;
        assert!(is_elsewhere(&slot.look(5, now)), "after {patience} beats");
    }
    // At another place it has not failed yet, and what was asked before it is not its fault.
    slot.start(7, now).unwrap();
    slot.note_told(Some(9), now - 10);
    assert!(matches!(
        slot.look(7, now + PATIENCE_BEATS - 1),
        Found::Nothing
    ));
    assert!(is_elsewhere(&slot.take(7, 1_000, now + PATIENCE_BEATS)));
}

#[test]
fn a_reader_at_the_end_waits_for_ever() {
    let slot = slot();
    assert_eq!(slot.lag(), None);
    assert!(!slot.is_doubtful(1_000), "nobody reads it");
    slot.start(5, 0).unwrap();
    assert_eq!(slot.lag(), None, "nobody waits");
    slot.note_told(Some(5), 0);
    assert!(matches!(slot.look(5, 1_000_000), Found::End));
    slot.note_told(Some(8), 1_000_000);
    assert_eq!(slot.lag(), Some(3));
    slot.stop();
    assert_eq!(slot.lag(), Some(0));
}

#[test]
fn one_question_is_open_at_a_time_and_no_answer_is_no_reproach() {
    let slot = slot();
    slot.start(5, 0).unwrap();
    assert!(slot.is_doubtful(100));
    assert!(!slot.is_doubtful(1_000), "nobody has answered yet");
    slot.note_told(Some(6), 100);
    assert!(slot.is_doubtful(1_000));
    slot.note_told(None, 1_000);
    assert!(matches!(slot.look(5, 1_000_000), Found::Nothing));
}
