//! The thread behind a log: it takes what librdkafka reports, and lets time pass for those who
//! wait, so that these need no timers.

use std::sync::Weak;
use std::thread::Builder;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use tokio::sync::watch;

use super::log::Shared;
use super::native::Consumer;
use super::upkeep;
use eventlog::LogError;

/// How long a beat is.
const BEAT: Duration = Duration::from_millis(250);
/// At most so many errors are taken in one beat.
const ERRORS_A_BEAT: u32 = 100;
/// After so many beats without an answer, an unanswered fetch fails, and a reader that does not
/// bring what is there is started anew.
pub(crate) const PATIENCE_BEATS: u64 = 60;
/// After so many beats of waiting, it is asked whether the topic is still there, and after so many
/// without a record where it ends. So often the clients are looked after, too.
pub(crate) const DOUBT_BEATS: u64 = 20;
/// After so many beats without a reader's use, it stops to read ahead.
const UNUSED_BEATS: u64 = 240;

/// The beats of a log, until it is closed.
#[derive(Debug)]
pub(crate) struct Pulse(watch::Sender<Beat>);

#[derive(Debug, Clone, Copy, Default)]
struct Beat {
    count: u64,
    is_closed: bool,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::default())
    }

    /// How many beats there were.
    pub(crate) fn now(&self) -> u64 {
        self.0.borrow().count
    }

    /// Fails every call from now on, and wakes everyone who waits.
    pub(crate) fn close(&self) {
        self.0.send_modify(|beat| beat.is_closed = true);
    }

    /// Fails once the log is closed.
    pub(crate) fn check_open(&self) -> Result<(), LogError> {
        if self.0.borrow().is_closed {
            return Err(LogError::Closed);
        }
        Ok(())
    }

    /// Waits for the next beat; answers at once where the log is closed.
    pub(crate) async fn next(&self) {
        let mut receiver = self.0.subscribe();
        let seen = receiver.borrow_and_update().count;
        let is_over = |beat: &Beat| beat.is_closed || beat.count > seen;
        // It fails only when the log is gone, and then nobody waits.
        let _ = receiver.wait_for(is_over).await;
    }

    fn beat(&self) {
        self.0.send_modify(|beat| beat.count += 1);
    }
}

/// Starts the thread, which ends by itself when the log is closed or gone.
pub(crate) fn start(name: &str, consumer: Consumer, log: Weak<Shared>) -> std::io::Result<()> {
    let run = move || {
        loop {
            // Errors, log lines and figures are handed to the context; there are no messages
            // here, since each partition has a queue of its own. An error ends a poll early,
            // and the beat goes on after it.
            (0..ERRORS_A_BEAT).find(|_| consumer.poll(BEAT).is_none());
            let Some(log) = log.upgrade().filter(|log| log.pulse.check_open().is_ok()) else {
                return;
            };
            log.pulse.beat();
            let now = log.pulse.now();
            if now.is_multiple_of(DOUBT_BEATS) {
                let kafka = log.topic.kafka();
                kafka.keep_producer();
                let complaints = &consumer.context().complaints;
                upkeep::keep(kafka.config(), log.topic.name(), &consumer, complaints);
                log.publish_lag();
            }
            for slot in &log.slots {
                slot.stop_unused_since(now.saturating_sub(UNUSED_BEATS));
            }
        }
    };
    Builder::new().name(format!("kafka-{name}")).spawn(run)?;
    Ok(())
}
