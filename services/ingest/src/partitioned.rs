//! The records of one call, by partition.

use bytes::Bytes;
use eventlog::{NewRecord, PartitionId};
use market::{Instrument, RejectReason, Trade};
use schemas::TradesRecord;

use crate::routes::Route;

/// Roughly what a trade takes in the log.
const RECORD_BYTES: usize = 48;

/// Records of one partition, encoded one after the other.
pub(crate) struct PartitionRecords {
    /// Which partition.
    pub(crate) partition: PartitionId,
    bytes: Bytes,
    records: Vec<Extent>,
}

/// One record: its route, and where it ends in the buffer.
struct Extent {
    route: u32,
    end: usize,
}

/// The trades of one call, sorted into what is refused and what each partition gets.
pub(crate) struct Partitioned {
    /// Indexes of refused trades, ascending, with the reason.
    pub(crate) rejected: Vec<(usize, RejectReason)>,
    /// The others, for each partition that gets any.
    pub(crate) partitions: Vec<PartitionRecords>,
    /// How many were not refused.
    pub(crate) accepted: usize,
}

/// A partition's buffer while it is being filled.
#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    records: Vec<Extent>,
}

/// Checks and encodes trades. `places` gives each trade's route; `now_ns` is the present.
pub(crate) fn partition(
    trades: &[(Instrument, Trade)],
    places: &[u32],
    routes: &[Route],
    partitions: PartitionId,
    now_ns: i64,
) -> Partitioned {
    let mut rejected = Vec::new();
    let mut buffers: Vec<Buffer> = Vec::new();
    buffers.resize_with(partitions as usize, Buffer::default);
    for (index, ((_, trade), place)) in trades.iter().zip(places).enumerate() {
        let route = &routes[*place as usize];
        let checked = market::validate_trade(trade, now_ns)
            .and_then(|()| route.settings.validate_trade(trade));
        if let Err(reject) = checked {
            rejected.push((index, reject));
            continue;
        }
        let buffer = &mut buffers[route.partition as usize];
        buffer.reserve(trades.len() / partitions as usize);
        TradesRecord::encode_trade(trade, &mut buffer.bytes);
        buffer.records.push(Extent {
            route: *place,
            end: buffer.bytes.len(),
        });
    }
    Partitioned {
        accepted: trades.len() - rejected.len(),
        rejected,
        partitions: (0..)
            .zip(buffers)
            .filter(|(_, buffer)| !buffer.records.is_empty())
            .map(|(partition, buffer)| buffer.freeze(partition))
            .collect(),
    }
}

impl Buffer {
    /// Makes room for a fair share of the trades, before the first.
    fn reserve(&mut self, records: usize) {
        if self.records.is_empty() {
            self.bytes.reserve(RECORD_BYTES * (records + 1));
            self.records.reserve(records + 1);
        }
    }

    fn freeze(self, partition: PartitionId) -> PartitionRecords {
        PartitionRecords {
            partition,
            bytes: Bytes::from(self.bytes),
            records: self.records,
        }
    }
}

impl PartitionRecords {
    /// The entries to append. Keys and values are slices: nothing is copied, so a retry may ask
    /// again.
    pub(crate) fn entries(&self, routes: &[Route]) -> Vec<NewRecord> {
        let mut start = 0;
        let entry = |extent: &Extent| {
            let value = self.bytes.slice(start..extent.end);
            start = extent.end;
            NewRecord {
                key: routes[extent.route as usize].key.clone(),
                value,
            }
        };
        self.records.iter().map(entry).collect()
    }
}
