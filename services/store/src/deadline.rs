//! How long an answer of a server is waited for.

use std::future::Future;
use std::time::Duration;

/// Waits for an answer; none, where it does not come in time.
#[expect(
    clippy::disallowed_methods,
    reason = "a server answers in real time, and what is stored does not depend on when"
)]
pub(crate) async fn within<T>(longest: Duration, answer: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(longest, answer).await.ok()
}

/// Waits for so long.
#[expect(
    clippy::disallowed_methods,
    reason = "it spares a server, and what is stored does not depend on it"
)]
pub(crate) async fn pause(length: Duration) {
    tokio::time::sleep(length).await;
}
