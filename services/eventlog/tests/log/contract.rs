//! The contract over the two logs of this crate, and what only they promise: append times by the
//! clock of the process, and appends that become visible as a whole.

use std::future::Future;
use std::sync::Arc;

use clock::ManualClock;
use eventlog::contract::{self, MAX_BYTES, PARTITIONS, fetch_all, new_record, numbered_records};
use eventlog::{EmbeddedLog, Log, LogError, MemoryLog, OffsetBounds, for_every_log};

use crate::support::{self, runtime};

mod embedded {
    use super::*;

    fn with_log(test: impl AsyncFnOnce(EmbeddedLog, ManualClock)) {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::new(1_000);
        let log = support::open(&folder, PARTITIONS, &clock);
        runtime().block_on(test(log, clock));
    }

    macro_rules! test {
        ($name:ident) => {
            #[test]
            fn $name() {
                with_log(contract::$name);
            }
        };
    }
    for_every_log!(test);

    #[test]
    fn closes() {
        with_log(async |log, _clock| {
            contract::close_ends_waits_and_fails_later_calls(log, EmbeddedLog::close).await;
        });
    }

    #[test]
    fn shows_an_append_as_a_whole() {
        with_log(super::shows_an_append_as_a_whole);
    }

    #[test]
    fn never_turns_append_time_back() {
        with_log(super::never_turns_append_time_back);
    }
}

mod memory {
    use super::*;

    fn with_log(test: impl AsyncFnOnce(MemoryLog, ManualClock)) {
        let clock = ManualClock::new(1_000);
        let log = MemoryLog::new(PARTITIONS, 1, 1 << 30, clock.clone());
        runtime().block_on(test(log, clock));
    }

    macro_rules! test {
        ($name:ident) => {
            #[test]
            fn $name() {
                with_log(contract::$name);
            }
        };
    }
    for_every_log!(test);

    #[test]
    fn closes() {
        with_log(async |log, _clock| {
            contract::close_ends_waits_and_fails_later_calls(log, MemoryLog::close).await;
        });
    }

    #[test]
    fn shows_an_append_as_a_whole() {
        with_log(super::shows_an_append_as_a_whole);
    }

    #[test]
    fn never_turns_append_time_back() {
        with_log(super::never_turns_append_time_back);
    }
}

async fn shows_an_append_as_a_whole(log: impl Log, _clock: ManualClock) {
    let reader = tokio::spawn({
        let log = log.clone();
        async move {
            let mut end = 0;
            while end < 20 * 700 {
                log.wait_for_record(0, end).await.unwrap();
                end = log.bounds(0).await.unwrap().end;
                assert_eq!(end % 700, 0, "a part of an append is visible");
            }
        }
    });
    for _ in 0..20 {
        log.append(0, numbered_records("whole", 700)).await.unwrap();
    }
    reader.await.unwrap();
}

async fn never_turns_append_time_back(log: impl Log, clock: ManualClock) {
    for now_ns in [1_000, 5_000, 2_000, 4_999, 6_000] {
        clock.set_now_ns(now_ns);
        log.append(0, numbered_records("a", 2)).await.unwrap();
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
    // Another partition has append times of its own.
    clock.set_now_ns(3_000);
    log.append(1, numbered_records("a", 1)).await.unwrap();
    assert_eq!(fetch_all(&log, 1, 0).await[0].append_time_ns, 3_000);
}

#[test]
fn a_full_memory_log_drops_its_oldest_records() {
    let log = MemoryLog::new(1, 7, 10 * (64 + 2), ManualClock::new(0));
    runtime().block_on(async {
        assert_eq!(log.epoch(), 7);
        for _ in 0..25 {
            log.append(0, vec![new_record("k", "v")]).await.unwrap();
        }
        assert_eq!(log.bounds(0).await, Ok(OffsetBounds { first: 15, end: 25 }));
        let refused = log.fetch(0, 14, MAX_BYTES).await;
        let expected = LogError::OutOfRange {
            partition: 0,
            offset: 14,
            first: 15,
            end: 25,
        };
        assert_eq!(refused, Err(expected));
        assert_eq!(fetch_all(&log, 0, 15).await.len(), 10);
        // A record that is larger than the bound is kept alone.
        log.append(0, vec![new_record("k", &"v".repeat(10_000))])
            .await
            .unwrap();
        assert_eq!(log.bounds(0).await, Ok(OffsetBounds { first: 25, end: 26 }));
    });
}

#[test]
fn the_logs_need_no_runtime() {
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
    fn assert_append_ends_wait(log: &impl Log) {
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| block_on(log.wait_for_record(0, 2)));
            assert_eq!(block_on(log.append(0, numbered_records("a", 3))), Ok(0..3));
            assert_eq!(waiting.join().unwrap(), Ok(()));
        });
    }
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(0);
    assert_append_ends_wait(&support::open(&folder, 1, &clock));
    assert_append_ends_wait(&MemoryLog::new(1, 1, 1 << 20, clock));
}
