//! The records of one call, by partition.

use std::borrow::Cow;

use bytes::Bytes;
use eventlog::{NewRecord, PartitionId};
use market::{Instrument, RejectReason, Trade};
use schemas::TradesTopicRecord;

use crate::routes::InstrumentRoute;

/// The approximate size of a trade's record.
const RECORD_BYTES: usize = 48;

/// The records of one partition, encoded one after the other.
pub(crate) struct PartitionRecords {
    /// The partition.
    pub(crate) partition: PartitionId,
    bytes: Bytes,
    records: Vec<RecordExtent>,
}

/// One record in the buffer of its partition.
struct RecordExtent {
    route_index: u32,
    /// The end of its bytes; they begin at the end of the record before.
    end: usize,
}

/// A trade that the fold would reject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RejectedTrade {
    /// Its index in the call.
    pub index: usize,
    /// Why it is rejected.
    pub reason: RejectReason,
    /// Its event time, in UTC nanoseconds.
    pub time_ns: i64,
}

impl RejectedTrade {
    /// Returns a text for users: what is wrong, and what would be right.
    #[must_use]
    pub fn explanation(&self) -> Cow<'static, str> {
        self.reason.explanation_with_unit(self.time_ns)
    }
}

/// The trades of one call: the rejected ones, and the records of each partition.
pub(crate) struct PartitionedTrades {
    /// The rejected trades, ascending by index.
    pub(crate) rejected: Vec<RejectedTrade>,
    /// The records of each partition that has any.
    pub(crate) partitions: Vec<PartitionRecords>,
    /// The number of trades that were not rejected.
    pub(crate) accepted: usize,
}

/// The records of a partition while they are being encoded.
#[derive(Default)]
struct PartitionRecordsBuilder {
    bytes: Vec<u8>,
    records: Vec<RecordExtent>,
}

/// Checks and encodes trades. `route_indexes` holds the index of each trade's route; `now_ns` is
/// the current time.
pub(crate) fn validate_and_partition_trades(
    trades: &[(Instrument, Trade)],
    route_indexes: &[u32],
    routes: &[InstrumentRoute],
    partitions: PartitionId,
    now_ns: i64,
) -> PartitionedTrades {
    let mut rejected = Vec::new();
    let mut buffers: Vec<PartitionRecordsBuilder> = Vec::new();
    buffers.resize_with(partitions as usize, PartitionRecordsBuilder::default);
    for (index, ((_, trade), route_index)) in trades.iter().zip(route_indexes).enumerate() {
        let route = &routes[*route_index as usize];
        if let Err(reason) = route.validate(trade, now_ns) {
            rejected.push(RejectedTrade {
                index,
                reason,
                time_ns: trade.time_ns,
            });
            continue;
        }
        let buffer = &mut buffers[route.partition as usize];
        buffer.reserve_before_first_record(trades.len() / partitions as usize);
        TradesTopicRecord::encode_trade(trade, &mut buffer.bytes);
        buffer.records.push(RecordExtent {
            route_index: *route_index,
            end: buffer.bytes.len(),
        });
    }
    PartitionedTrades {
        accepted: trades.len() - rejected.len(),
        rejected,
        partitions: (0..)
            .zip(buffers)
            .filter(|(_, buffer)| !buffer.records.is_empty())
            .map(|(partition, buffer)| buffer.into_records(partition))
            .collect(),
    }
}

impl PartitionRecordsBuilder {
    /// Reserves space for an equal share of the trades before the first record.
    fn reserve_before_first_record(&mut self, records: usize) {
        if self.records.is_empty() {
            self.bytes.reserve(RECORD_BYTES * (records + 1));
            self.records.reserve(records + 1);
        }
    }

    fn into_records(self, partition: PartitionId) -> PartitionRecords {
        PartitionRecords {
            partition,
            bytes: Bytes::from(self.bytes),
            records: self.records,
        }
    }
}

impl PartitionRecords {
    /// Returns the records to append. Keys and values share the buffer, so nothing is copied for a
    /// retry.
    pub(crate) fn to_new_records(&self, routes: &[InstrumentRoute]) -> Vec<NewRecord> {
        let mut start = 0;
        let new_record = |extent: &RecordExtent| {
            let value = self.bytes.slice(start..extent.end);
            start = extent.end;
            NewRecord {
                key: routes[extent.route_index as usize].key.clone(),
                value,
            }
        };
        self.records.iter().map(new_record).collect()
    }
}
