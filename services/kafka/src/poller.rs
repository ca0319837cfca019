//! The polling thread of a log: it delivers what librdkafka reports to the callbacks, and counts
//! rounds, so that waiting tasks need no timers.

use std::sync::Weak;
use std::thread::Builder;

use rdkafka::consumer::Consumer as _;

use crate::maintenance;
use crate::native::ReaderClient;
use crate::poll_rounds::{CHECK_ROUNDS, ROUND, UNUSED_ROUNDS};
use crate::topic_reader::SharedTopicReader;

/// How many errors are taken in one round at most.
const MAX_ERRORS_PER_ROUND: u32 = 100;

/// Starts the thread, which ends when the log is closed or dropped.
pub(crate) fn start_poller(
    name: &str,
    consumer: ReaderClient,
    reader: Weak<SharedTopicReader>,
) -> std::io::Result<()> {
    let run = move || {
        loop {
            // Polling runs the callbacks. It returns no messages, because each partition has a
            // queue of its own. An error ends a poll early, and the round goes on.
            (0..MAX_ERRORS_PER_ROUND).find(|_| consumer.poll(ROUND).is_none());
            let Some(reader) = reader.upgrade().filter(|reader| reader.is_open()) else {
                return;
            };
            reader.poll_rounds().advance();
            let round = reader.poll_rounds().current_round();
            if round.is_multiple_of(CHECK_ROUNDS) {
                let kafka = reader.topic().kafka();
                kafka.repair_producer_connection();
                let last_connection_error = consumer.context().last_connection_error();
                maintenance::repair_client_connection(
                    kafka.config(),
                    reader.topic().name(),
                    &consumer,
                    last_connection_error,
                );
                reader.publish_lag();
            }
            reader.stop_partitions_unused_since(round.saturating_sub(UNUSED_ROUNDS));
        }
    };
    Builder::new().name(format!("kafka-{name}")).spawn(run)?;
    Ok(())
}
