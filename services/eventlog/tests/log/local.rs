//! The contract over the two logs of this crate, and what only logs can do that stand on this
//! process's clock and publish an append as a whole.

use std::future::Future;
use std::sync::Arc;

use clock::ManualClock;
use eventlog::{Bounds, Log, LogError, MemoryLog};

use crate::contract::{self, MAX_BYTES, PARTITIONS, for_every_log};
use crate::support::{self, entries, entry, fetch_all, runtime};

mod embedded {
    use super::*;

    macro_rules! test {
        ($name:ident) => {
            #[test]
            fn $name() {
                let folder = tempfile::tempdir().unwrap();
                let clock = ManualClock::new(1_000);
                let log = crate::support::open(&folder, PARTITIONS, &clock);
                runtime().block_on(contract::$name(log, clock));
            }
        };
    }
    for_every_log!(test);

    #[test]
    fn shows_all_of_an_append_or_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::new(1_000);
        let log = crate::support::open(&folder, PARTITIONS, &clock);
        runtime().block_on(super::shows_all_of_an_append_or_nothing(log, clock));
    }

    #[test]
    fn never_turns_append_time_back() {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::new(1_000);
        let log = crate::support::open(&folder, PARTITIONS, &clock);
        runtime().block_on(super::never_turns_append_time_back(log, clock));
    }
}

mod memory {
    use super::*;

    macro_rules! test {
        ($name:ident) => {
            #[test]
            fn $name() {
                let clock = ManualClock::new(1_000);
                let log = MemoryLog::new(PARTITIONS, 1, 1 << 30, clock.clone());
                runtime().block_on(contract::$name(log, clock));
            }
        };
    }
    for_every_log!(test);

    #[test]
    fn shows_all_of_an_append_or_nothing() {
        let clock = ManualClock::new(1_000);
        let log = MemoryLog::new(PARTITIONS, 1, 1 << 30, clock.clone());
        runtime().block_on(super::shows_all_of_an_append_or_nothing(log, clock));
    }

    #[test]
    fn never_turns_append_time_back() {
        let clock = ManualClock::new(1_000);
        let log = MemoryLog::new(PARTITIONS, 1, 1 << 30, clock.clone());
        runtime().block_on(super::never_turns_append_time_back(log, clock));
    }
}

async fn shows_all_of_an_append_or_nothing(log: impl Log, _clock: ManualClock) {
    let reader = tokio::spawn({
        let log = log.clone();
        async move {
            let mut seen = 0;
            while seen < 20 * 700 {
                log.wait(0, seen).await.unwrap();
                let end = log.bounds(0).await.unwrap().end;
                assert_eq!(end % 700, 0, "half of an append is to be seen");
                seen = end;
            }
        }
    });
    for _ in 0..20 {
        log.append(0, entries("whole", 700)).await.unwrap();
    }
    reader.await.unwrap();
}

async fn never_turns_append_time_back(log: impl Log, clock: ManualClock) {
    for now_ns in [1_000, 5_000, 2_000, 4_999, 6_000] {
        clock.set_now_ns(now_ns);
        log.append(0, entries("a", 2)).await.unwrap();
    }
    let times: Vec<_> = fetch_all(&log, 0, 0)
        .await
        .iter()
        .map(|r| r.append_time_ns)
        .collect();
    assert_eq!(
        times,
        [
            1_000, 1_000, 5_000, 5_000, 5_000, 5_000, 5_000, 5_000, 6_000, 6_000
        ]
    );
    // Another partition has a time of its own.
    clock.set_now_ns(3_000);
    log.append(1, entries("a", 1)).await.unwrap();
    assert_eq!(fetch_all(&log, 1, 0).await[0].append_time_ns, 3_000);
}

#[test]
fn a_ring_drops_its_oldest() {
    let log = MemoryLog::new(1, 7, 10 * (64 + 2), ManualClock::new(0));
    runtime().block_on(async {
        assert_eq!(log.epoch(), 7);
        for _ in 0..25 {
            log.append(0, vec![entry("k", "v")]).await.unwrap();
        }
        assert_eq!(log.bounds(0).await, Ok(Bounds { first: 15, end: 25 }));
        let refused = log.fetch(0, 14, MAX_BYTES).await;
        let expected = LogError::OutOfRange {
            partition: 0,
            offset: 14,
            first: 15,
            end: 25,
        };
        assert_eq!(refused, Err(expected));
        assert_eq!(fetch_all(&log, 0, 15).await.len(), 10);
        // One that is larger than the ring is kept alone.
        log.append(0, vec![entry("k", &"v".repeat(10_000))])
            .await
            .unwrap();
        assert_eq!(log.bounds(0).await, Ok(Bounds { first: 25, end: 26 }));
    });
}

#[test]
fn needs_no_runtime() {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let waker = Arc::new(Unpark(std::thread::current())).into();
        let mut future = std::pin::pin!(future);
        loop {
            let mut context = std::task::Context::from_waker(&waker);
            match future.as_mut().poll(&mut context) {
                std::task::Poll::Ready(done) => return done,
                std::task::Poll::Pending => std::thread::park(),
            }
        }
    }
    fn check(log: &impl Log) {
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| block_on(log.wait(0, 2)));
            assert_eq!(block_on(log.append(0, entries("a", 3))), Ok(0..3));
            assert_eq!(waiting.join().unwrap(), Ok(()));
        });
    }
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(0);
    check(&support::open(&folder, 1, &clock));
    check(&MemoryLog::new(1, 1, 1 << 20, clock.clone()));
}
