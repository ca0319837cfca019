//! Random histories of the durable log, against a list.

use clock::{Clock, ManualClock};
use eventlog::{EmbeddedLog, Log, NewRecord, Offset, Record, Retention};
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::support::{options, path, runtime};

const PARTITIONS: u32 = 2;

#[derive(Debug, Clone)]
enum Step {
    Append {
        partition: u32,
        entries: Vec<(u8, usize)>,
    },
    Fetch {
        partition: u32,
        offset: u16,
        max_bytes: usize,
    },
    Retain {
        partition: u32,
        passed: u16,
    },
    Clock {
        by_ns: i64,
    },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let partition = || 0..PARTITIONS;
    let size = prop_oneof![20 => 0..200_usize, 1 => 0..60_000_usize];
    let entries = prop::collection::vec((0..3_u8, size), 0..40);
    prop_oneof![
        6 => (partition(), entries)
            .prop_map(|(partition, entries)| Step::Append { partition, entries }),
        6 => (partition(), any::<u16>(), 0..200_000_usize)
            .prop_map(|(partition, offset, max_bytes)| Step::Fetch { partition, offset, max_bytes }),
        2 => (partition(), any::<u16>())
            .prop_map(|(partition, passed)| Step::Retain { partition, passed }),
        2 => (-1_000_000_000..3_000_000_000_i64).prop_map(|by_ns| Step::Clock { by_ns }),
        1 => Just(Step::Reopen),
    ]
}

/// The log and what it should hold.
struct Pair {
    folder: TempDir,
    runtime: Runtime,
    clock: ManualClock,
    log: Option<EmbeddedLog>,
    records: Vec<Vec<Record>>,
    passed: Vec<Offset>,
}

impl Pair {
    fn new() -> Self {
        let mut pair = Self {
            folder: tempfile::tempdir().unwrap(),
            runtime: runtime(),
            clock: ManualClock::new(0),
            log: None,
            records: vec![Vec::new(); PARTITIONS as usize],
            passed: vec![0; PARTITIONS as usize],
        };
        pair.reopen();
        pair
    }

    fn reopen(&mut self) {
        self.log = None;
        let mut options = options(PARTITIONS);
        options.retention = Retention {
            max_age_ns: 2_000_000_000,
            max_bytes: 50_000,
        };
        self.log =
            Some(EmbeddedLog::open(path(&self.folder), options, self.clock.clone()).unwrap());
    }

    fn log(&self) -> &EmbeddedLog {
        self.log.as_ref().unwrap()
    }

    fn end(&self, partition: u32) -> Offset {
        self.records[partition as usize].len() as Offset
    }

    fn append(&mut self, partition: u32, entries: &[(u8, usize)]) {
        let end = self.end(partition);
        let entry = |(key, size): &(u8, usize)| NewRecord {
            key: vec![*key; usize::from(*key) * 2].into(),
            value: vec![*key; *size].into(),
        };
        let entries: Vec<_> = entries.iter().map(entry).collect();
        let offsets = self
            .runtime
            .block_on(self.log().append(partition, entries.clone()));
        assert_eq!(offsets, Ok(end..end + entries.len() as Offset));
        let now_ns = self.clock.now_ns();
        let records = &mut self.records[partition as usize];
        let last_ns = records.last().map_or(now_ns, |last| last.append_time_ns);
        for (offset, NewRecord { key, value }) in (end..).zip(entries) {
            let append_time_ns = now_ns.max(last_ns);
            records.push(Record {
                offset,
                append_time_ns,
                key,
                value,
            });
        }
    }

    fn fetch(&self, partition: u32, offset: u16, max_bytes: usize) {
        let offset = Offset::from(offset) % (self.end(partition) + 1);
        let before = self.runtime.block_on(self.log().bounds(partition)).unwrap();
        match self
            .runtime
            .block_on(self.log().fetch(partition, offset, max_bytes))
        {
            Ok(batch) => {
                let start = usize::try_from(offset).unwrap();
                let end = usize::try_from(batch.next_offset).unwrap();
                assert_eq!(batch.records, self.records[partition as usize][start..end]);
                assert!(end > start || offset == self.end(partition));
                assert!(offset >= before.first);
            }
            Err(_) => assert!(offset < self.passed[partition as usize]),
        }
    }

    fn retain(&mut self, partition: u32, passed: u16) {
        let passed = Offset::from(passed) % (self.end(partition) + 1);
        let greatest = &mut self.passed[partition as usize];
        *greatest = passed.max(*greatest);
        self.log().retain(partition, passed).unwrap();
    }

    fn check(&self) {
        for partition in 0..PARTITIONS {
            let bounds = self.runtime.block_on(self.log().bounds(partition)).unwrap();
            assert_eq!(bounds.end, self.end(partition));
            assert!(bounds.first <= self.passed[partition as usize]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn does_as_a_list_does(steps in prop::collection::vec(step(), 1..60)) {
        let mut pair = Pair::new();
        for step in steps {
            match step {
                Step::Append { partition, entries } => pair.append(partition, &entries),
                Step::Fetch { partition, offset, max_bytes } => {
                    pair.fetch(partition, offset, max_bytes);
                }
                Step::Retain { partition, passed } => pair.retain(partition, passed),
                Step::Clock { by_ns } => pair.clock.advance_ns(by_ns),
                Step::Reopen => pair.reopen(),
            }
            pair.check();
        }
    }
}
