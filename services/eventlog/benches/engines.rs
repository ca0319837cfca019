//! Compares storage engines for the log, redb and fjall, with the operations that the log needs.
//!
//! Each engine writes the same durable group commits of records of 60 bytes, one value for each
//! commit and partition. The engines take turns, so that noise of the machine affects all of them.
//! Then each engine reads everything back, drops the older half as retention does, writes it again,
//! and opens a copy of its files as a crash would leave them.
//! `cargo bench -p candlewick-eventlog --bench engines` runs it.

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use clock::{Clock, SystemClock};
use fjall::{KeyspaceCreateOptions, KvSeparationOptions, PersistMode};
use redb::{ReadableDatabase, ReadableTable, TableDefinition};

const RECORD_BYTES: usize = 60;
const ROUNDS: usize = 10;
/// The number of records in a commit, and of commits in a round.
const SHAPES: [(usize, usize); 3] = [(100, 1_000), (1_000, 400), (10_000, 100)];
/// How many values one transaction drops.
const DROPS_PER_TRANSACTION: usize = 256;
/// The log splits its values at this size.
const MAX_VALUE_BYTES: usize = 256 * 1024 - 128;

type Failure = Box<dyn std::error::Error>;

/// A storage engine under test, which holds values at growing keys.
trait Engine {
    /// Writes values from `first` on in one transaction, and syncs it.
    fn commit(&self, first: u64, values: &[&[u8]]) -> Result<(), Failure>;
    /// Reads all values in order, and returns how many bytes they have.
    fn read_all(&self) -> Result<usize, Failure>;
    /// Removes some values in one transaction, and syncs it.
    fn remove(&self, keys: std::ops::Range<u64>) -> Result<(), Failure>;
}

struct Redb {
    database: redb::Database,
    is_quick_repair: bool,
}

const TABLE: TableDefinition<u64, &[u8]> = TableDefinition::new("blobs");

impl Redb {
    fn open(folder: &Path, is_quick_repair: bool) -> Result<Self, Failure> {
        let mut builder = redb::Database::builder();
        builder.set_cache_size(32 << 20);
        let database = builder.create(folder.join("log.redb"))?;
        Ok(Self {
            database,
            is_quick_repair,
        })
    }

    fn begin_write(&self) -> Result<redb::WriteTransaction, Failure> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_quick_repair(self.is_quick_repair);
        Ok(transaction)
    }
}

impl Engine for Redb {
    fn commit(&self, first: u64, values: &[&[u8]]) -> Result<(), Failure> {
        let transaction = self.begin_write()?;
        let mut table = transaction.open_table(TABLE)?;
        for (key, value) in (first..).zip(values) {
            table.insert(key, value)?;
        }
        drop(table);
        Ok(transaction.commit()?)
    }

    fn read_all(&self) -> Result<usize, Failure> {
        let table = self.database.begin_read()?.open_table(TABLE)?;
        let mut size_bytes = 0;
        for value in table.iter()? {
            size_bytes += black_box(value?.1.value().to_vec()).len();
        }
        Ok(size_bytes)
    }

    fn remove(&self, keys: std::ops::Range<u64>) -> Result<(), Failure> {
        let transaction = self.begin_write()?;
        let mut table = transaction.open_table(TABLE)?;
        for key in keys {
            table.remove(key)?;
        }
        drop(table);
        Ok(transaction.commit()?)
    }
}

struct Fjall {
    database: fjall::Database,
    keyspace: fjall::Keyspace,
}

impl Fjall {
    fn open(folder: &Path, separates_values: bool) -> Result<Self, Failure> {
        let database = fjall::Database::builder(folder.join("log")).open()?;
        let options = || {
            let separation = separates_values.then(KvSeparationOptions::default);
            KeyspaceCreateOptions::default().with_kv_separation(separation)
        };
        let keyspace = database.keyspace("blobs", options)?;
        Ok(Self { database, keyspace })
    }
}

impl Engine for Fjall {
    fn commit(&self, first: u64, values: &[&[u8]]) -> Result<(), Failure> {
        let mut batch = self
            .database
            .batch()
            .durability(Some(PersistMode::SyncData));
        for (key, value) in (first..).zip(values) {
            batch.insert(&self.keyspace, key.to_be_bytes(), *value);
        }
        Ok(batch.commit()?)
    }

    fn read_all(&self) -> Result<usize, Failure> {
        let mut size_bytes = 0;
        for guard in self.keyspace.iter() {
            size_bytes += black_box(guard.value()?.to_vec()).len();
        }
        Ok(size_bytes)
    }

    fn remove(&self, keys: std::ops::Range<u64>) -> Result<(), Failure> {
        let mut batch = self
            .database
            .batch()
            .durability(Some(PersistMode::SyncData));
        for key in keys {
            batch.remove(&self.keyspace, key.to_be_bytes());
        }
        Ok(batch.commit()?)
    }
}

type OpenEngine = fn(&Path) -> Result<Box<dyn Engine>, Failure>;

const ENGINES: [(&str, OpenEngine); 4] = [
    ("redb", |folder| Ok(Box::new(Redb::open(folder, false)?))),
    ("redb, quick repair", |folder| {
        Ok(Box::new(Redb::open(folder, true)?))
    }),
    ("fjall", |folder| Ok(Box::new(Fjall::open(folder, false)?))),
    ("fjall, separate values", |folder| {
        Ok(Box::new(Fjall::open(folder, true)?))
    }),
];

/// The measurement of one engine with one shape.
struct Measurement {
    name: &'static str,
    open: OpenEngine,
    folder: tempfile::TempDir,
    engine: Option<Box<dyn Engine>>,
    next: u64,
    commits: Vec<Duration>,
}

impl Measurement {
    fn engine(&self) -> &dyn Engine {
        self.engine
            .as_deref()
            .expect("the engine is closed only at the end")
    }

    fn write(&mut self, values: &[&[u8]], commits: usize) -> Result<(), Failure> {
        for _ in 0..commits {
            let took = timed(|| self.engine().commit(self.next, values))?.0;
            self.commits.push(took);
            self.next += values.len() as u64;
        }
        Ok(())
    }

    fn drop_older_half(&self) -> Result<(), Failure> {
        let half = self.next / 2;
        for first in (0..half).step_by(DROPS_PER_TRANSACTION) {
            self.engine()
                .remove(first..half.min(first + DROPS_PER_TRANSACTION as u64))?;
        }
        Ok(())
    }

    /// Copies the files while they are open, and returns how long opening the copy takes.
    fn measure_recovery(&self) -> Result<Duration, Failure> {
        let copy = tempfile::tempdir()?;
        let status = std::process::Command::new("cp")
            .arg("-a")
            .arg(self.folder.path().join("."))
            .arg(copy.path())
            .status()?;
        assert!(status.success(), "the files could not be copied");
        let (took, engine) = timed(|| (self.open)(copy.path()))?;
        drop(engine);
        Ok(took)
    }

    fn report(mut self, records: usize, values: &[&[u8]], commits: usize) -> Result<(), Failure> {
        let written = self.commits.len() * records;
        let total: Duration = self.commits.iter().sum();
        self.commits.sort();
        let p99 = self.commits[self.commits.len() * 99 / 100];
        let (recovered, size) = (self.measure_recovery()?, disk_bytes(self.folder.path())?);
        let (read, _) = timed(|| self.engine().read_all())?;
        self.drop_older_half()?;
        let halved = disk_bytes(self.folder.path())?;
        self.write(values, commits * ROUNDS / 2)?;
        let refilled = disk_bytes(self.folder.path())?;
        self.engine = None;
        println!(
            "{:<20} {:>7} {:>11.0} {:>9.0} {:>8.2} {:>11.0} {:>6} {:>6} {:>6} {:>8.3}",
            self.name,
            records,
            per_second(written, total),
            per_second(written / records, total),
            p99.as_secs_f64() * 1e3,
            per_second(written, read),
            size >> 20,
            halved >> 20,
            refilled >> 20,
            recovered.as_secs_f64(),
        );
        Ok(())
    }
}

/// Runs an operation, and returns how long it took.
fn timed<T>(action: impl FnOnce() -> Result<T, Failure>) -> Result<(Duration, T), Failure> {
    let start_ns = SystemClock.monotonic_ns();
    let done = action()?;
    let took_ns = SystemClock.monotonic_ns() - start_ns;
    Ok((Duration::from_nanos(took_ns), done))
}

#[expect(clippy::cast_precision_loss, reason = "the output is for people")]
fn per_second(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// Returns how many bytes the files take on the disk.
fn disk_bytes(folder: &Path) -> Result<u64, Failure> {
    let output = std::process::Command::new("du")
        .arg("-sB1")
        .arg(folder)
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    Ok(text
        .split_whitespace()
        .next()
        .ok_or("du printed nothing")?
        .parse()?)
}

/// Returns records like trades: digits that do not repeat.
fn generate_payload(records: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let digit = |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        b'0' + u8::try_from((state >> 33) % 10).expect("a digit")
    };
    (0..records * RECORD_BYTES).map(digit).collect()
}

fn main() -> Result<(), Failure> {
    println!(
        "{:<20} {:>7} {:>11} {:>9} {:>8} {:>11} {:>6} {:>6} {:>6} {:>8}",
        "engine",
        "records",
        "records/s",
        "commits/s",
        "p99 ms",
        "read rec/s",
        "MiB",
        "halved",
        "again",
        "crash s"
    );
    for (records, commits) in SHAPES {
        let payload = generate_payload(records);
        let values: Vec<_> = payload.chunks(MAX_VALUE_BYTES).collect();
        let mut runs = Vec::new();
        for (name, open) in ENGINES {
            let folder = tempfile::tempdir()?;
            let engine = Some(open(folder.path())?);
            runs.push(Measurement {
                name,
                open,
                folder,
                engine,
                next: 0,
                commits: Vec::new(),
            });
        }
        for _ in 0..ROUNDS {
            for run in &mut runs {
                run.write(&values, commits)?;
            }
        }
        for run in runs {
            run.report(records, &values, commits)?;
        }
    }
    Ok(())
}
