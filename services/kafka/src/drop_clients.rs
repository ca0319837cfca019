//! Dropping clients without waiting for ever.

use std::time::Duration;

use clock::Clock;

/// How long to wait until clients are dropped.
const DROP_TIMEOUT: Duration = Duration::from_secs(10);

/// Drops clients, which blocks for a moment, in a thread of its own. Waits for that at most ten
/// seconds: `rd_kafka_destroy` was once seen to wait for a thread of librdkafka that did not end.
pub async fn drop_clients<T: Send + 'static>(clients: T, clock: &impl Clock) {
    if !drop_within(DROP_TIMEOUT, clients, clock).await {
        tracing::warn!("a client of Kafka did not end in time");
    }
}

/// Returns whether the value was dropped in time.
async fn drop_within<T: Send + 'static>(timeout: Duration, value: T, clock: &impl Clock) -> bool {
    let (sender, dropped) = tokio::sync::oneshot::channel();
    // A thread: a runtime that is dropped waits for its blocking tasks.
    std::thread::spawn(move || {
        drop(value);
        let _ = sender.send(());
    });
    clock::timeout(clock, timeout, dropped).await.is_ok()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use clock::SystemClock;

    use super::*;

    /// A value whose drop waits until the sender is dropped.
    struct EndsLate(Receiver<()>);

    impl Drop for EndsLate {
        fn drop(&mut self) {
            let _ = self.0.recv();
        }
    }

    #[test]
    fn a_client_that_does_not_end_keeps_neither_the_caller_nor_the_runtime() {
        let (holds_back, waits) = channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let short = Duration::from_millis(1);
        let was_dropped = runtime.block_on(drop_within(short, EndsLate(waits), &SystemClock));
        assert!(!was_dropped);
        let (sender, waits) = channel();
        drop(sender);
        assert!(runtime.block_on(drop_within(DROP_TIMEOUT, EndsLate(waits), &SystemClock)));
        drop(runtime);
        drop(holds_back);
    }
}
