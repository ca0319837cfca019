//! Random histories of the embedded log, compared with a list.

use clock::{Clock, ManualClock};
use eventlog::{EmbeddedLog, Log, NewRecord, Offset, Record, RetentionLimits};
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::support::{log_path, options, runtime};

const PARTITIONS: u32 = 2;

#[derive(Debug, Clone)]
enum Step {
    Append {
        partition: u32,
        /// The byte that the key and the value repeat, and the size of the value.
        records: Vec<(u8, usize)>,
    },
    Fetch {
        partition: u32,
        offset: u16,
        max_bytes: usize,
    },
    Release {
        partition: u32,
        offset: u16,
    },
    MoveClock {
        by_ns: i64,
    },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let partition = || 0..PARTITIONS;
    let size = prop_oneof![20 => 0..200_usize, 1 => 0..60_000_usize];
    let records = prop::collection::vec((0..3_u8, size), 0..40);
    prop_oneof![
        6 => (partition(), records)
            .prop_map(|(partition, records)| Step::Append { partition, records }),
        6 => (partition(), any::<u16>(), 0..200_000_usize)
            .prop_map(|(partition, offset, max_bytes)| Step::Fetch { partition, offset, max_bytes }),
        2 => (partition(), any::<u16>())
            .prop_map(|(partition, offset)| Step::Release { partition, offset }),
        2 => (-1_000_000_000..3_000_000_000_i64).prop_map(|by_ns| Step::MoveClock { by_ns }),
        1 => Just(Step::Reopen),
    ]
}

/// The log, and the records that it should hold.
struct LogAndModel {
    folder: TempDir,
    runtime: Runtime,
    clock: ManualClock,
    log: Option<EmbeddedLog>,
    records: Vec<Vec<Record>>,
    released_before: Vec<Offset>,
}

impl LogAndModel {
    fn new() -> Self {
        let mut tested = Self {
            folder: tempfile::tempdir().unwrap(),
            runtime: runtime(),
            clock: ManualClock::new(0),
            log: None,
            records: vec![Vec::new(); PARTITIONS as usize],
            released_before: vec![0; PARTITIONS as usize],
        };
        tested.reopen();
        tested
    }

    fn reopen(&mut self) {
        self.log = None;
        let mut options = options(PARTITIONS);
        options.retention = RetentionLimits {
            max_age_ns: 2_000_000_000,
            max_bytes: 50_000,
        };
        self.log =
            Some(EmbeddedLog::open(log_path(&self.folder), options, self.clock.clone()).unwrap());
    }

    fn log(&self) -> &EmbeddedLog {
        self.log.as_ref().unwrap()
    }

    fn end(&self, partition: u32) -> Offset {
        self.records[partition as usize].len() as Offset
    }

    fn append(&mut self, partition: u32, records: &[(u8, usize)]) {
        let end = self.end(partition);
        let new_record = |(key, size): &(u8, usize)| NewRecord {
            key: vec![*key; usize::from(*key) * 2].into(),
            value: vec![*key; *size].into(),
        };
        let appended: Vec<_> = records.iter().map(new_record).collect();
        let offsets = self
            .runtime
            .block_on(self.log().append(partition, appended.clone()));
        assert_eq!(offsets, Ok(end..end + appended.len() as Offset));
        let now_ns = self.clock.now_ns();
        let records = &mut self.records[partition as usize];
        let last_ns = records.last().map_or(now_ns, |last| last.append_time_ns);
        for (offset, NewRecord { key, value }) in (end..).zip(appended) {
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
            Err(_) => assert!(offset < self.released_before[partition as usize]),
        }
    }

    fn release(&mut self, partition: u32, offset: u16) {
        let offset = Offset::from(offset) % (self.end(partition) + 1);
        let greatest = &mut self.released_before[partition as usize];
        *greatest = offset.max(*greatest);
        self.log().allow_drop_before(partition, offset).unwrap();
    }

    fn check_bounds(&self) {
        for partition in 0..PARTITIONS {
            let bounds = self.runtime.block_on(self.log().bounds(partition)).unwrap();
            assert_eq!(bounds.end, self.end(partition));
            assert!(bounds.first <= self.released_before[partition as usize]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_log_behaves_like_a_list(steps in prop::collection::vec(step(), 1..60)) {
        let mut tested = LogAndModel::new();
        for step in steps {
            match step {
                Step::Append { partition, records } => tested.append(partition, &records),
                Step::Fetch { partition, offset, max_bytes } => {
                    tested.fetch(partition, offset, max_bytes);
                }
                Step::Release { partition, offset } => tested.release(partition, offset),
                Step::MoveClock { by_ns } => tested.clock.advance_ns(by_ns),
                Step::Reopen => tested.reopen(),
            }
            tested.check_bounds();
        }
    }
}
