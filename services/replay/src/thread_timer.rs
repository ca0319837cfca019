//! Waiting on threads that are not asynchronous.

use std::time::Duration;

use clock::{Clock, RetryPolicy, SystemClock, retry_until_stopped};
use tokio_util::sync::CancellationToken;

/// Blocks one thread for a while, by the system's clock.
pub(crate) struct ThreadTimer {
    clock: SystemClock,
    runtime: tokio::runtime::Runtime,
}

impl ThreadTimer {
    /// Creates a timer for one thread.
    ///
    /// # Errors
    /// If the operating system provides no timer.
    pub(crate) fn new() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        Ok(Self {
            clock: SystemClock,
            runtime,
        })
    }

    /// Returns the monotonic time since an arbitrary moment.
    pub(crate) fn now(&self) -> Duration {
        Duration::from_nanos(self.clock.monotonic_ns())
    }

    /// Blocks the thread for `duration`, or until `stop` is cancelled.
    pub(crate) fn wait(&self, duration: Duration, stop: &CancellationToken) {
        // The timer has to be created on the runtime.
        let sleep = async { self.clock.sleep(duration).await };
        self.runtime.block_on(stop.run_until_cancelled(sleep));
    }

    /// Blocks the thread until `future` ends; `None` if `stop` is cancelled first.
    pub(crate) fn block_on<T>(
        &self,
        future: impl Future<Output = T>,
        stop: &CancellationToken,
    ) -> Option<T> {
        self.runtime.block_on(stop.run_until_cancelled(future))
    }

    /// Calls `operation` until it succeeds, `should_retry` returns false, or the limit of `policy`
    /// is reached, and blocks the thread in between. `None` if `stop` was cancelled meanwhile.
    ///
    /// # Errors
    /// The last error of `operation`.
    pub(crate) fn retry<T, E>(
        &self,
        policy: &RetryPolicy,
        stop: &CancellationToken,
        should_retry: impl FnMut(&E) -> bool,
        mut operation: impl FnMut() -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        let operation = || std::future::ready(operation());
        let retried = retry_until_stopped(&self.clock, policy, stop, should_retry, operation);
        self.runtime.block_on(retried)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio_util::sync::CancellationToken;

    use super::ThreadTimer;

    #[test]
    fn a_wait_ends_after_its_duration_or_when_it_is_stopped() {
        let timer = ThreadTimer::new().unwrap();
        let stop = CancellationToken::new();
        let begin = timer.now();
        timer.wait(Duration::from_millis(20), &stop);
        assert!(timer.now() - begin >= Duration::from_millis(20));
        stop.cancel();
        timer.wait(Duration::from_secs(3_600), &stop);
        assert!(timer.now() - begin < Duration::from_secs(3_600));
    }
}
