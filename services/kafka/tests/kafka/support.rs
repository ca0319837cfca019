//! What the tests of Kafka share.

mod broker;
mod log_lines;
mod secure_broker;

use tokio::runtime::{Builder, Runtime};

pub(crate) use self::broker::Broker;
pub(crate) use self::log_lines::log_lines;
pub(crate) use self::secure_broker::SecureBroker;

pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap()
}

/// Calls `find` until it returns a value, for at most half a minute.
pub(crate) fn eventually<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    for _ in 0..3_000 {
        if let Some(found) = find() {
            return found;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("not within half a minute: {what}");
}
