//! Requesting what later trades will need, while an earlier record waits.

use eventlog::Record;
use hashbrown::HashSet;
use schemas::TradesTopicRecord;

use super::keyed_item::ResolvedRecordKey;
use super::loading::LoadRequest;
use super::partition_symbols::PartitionSymbols;

/// How many records are examined.
const MAX_RECORDS: usize = 4_096;
/// No requests are added once there are this many.
const MAX_REQUESTS: usize = 1_024;
/// The greatest number of bytes of segments of ids that are requested.
const MAX_SEGMENT_BYTES: u64 = 4 << 20;

/// Adds to `requests` what the trades and refolds among `records` will need, as far as it is known
/// before they are applied, and segments of ids of at most `max_segment_bytes`. A store answers
/// many requests in one call nearly as fast as one, and after a start every symbol has one.
pub(crate) fn add_prefetch_requests(
    symbols: &mut PartitionSymbols,
    requests: &mut Vec<LoadRequest>,
    records: &[Record],
    commit_number: u64,
    max_segment_bytes: u64,
) {
    let mut known: HashSet<LoadRequest> = requests.iter().cloned().collect();
    let mut segment_bytes = 0;
    for record in records.iter().take(MAX_RECORDS) {
        if requests.len() >= MAX_REQUESTS {
            return;
        }
        for request in load_requests_for_record(symbols, record, commit_number) {
            if !known.insert(request.clone()) {
                continue;
            }
            if let LoadRequest::IdSegment(segment) = &request {
                segment_bytes += segment.stored_bytes;
                if segment_bytes > max_segment_bytes.min(MAX_SEGMENT_BYTES) {
                    return;
                }
            }
            requests.push(request);
        }
    }
}

/// Returns what a record needs, if it is a refold or a trade that is allowed.
fn load_requests_for_record(
    symbols: &mut PartitionSymbols,
    record: &Record,
    commit_number: u64,
) -> Vec<LoadRequest> {
    let trade = match TradesTopicRecord::decode(&record.value) {
        Ok(TradesTopicRecord::Trade(trade)) => trade,
        Ok(TradesTopicRecord::Refold(refold)) => {
            return symbols.load_requests_for_refold(&record.key, &refold, commit_number);
        }
        _ => return Vec::new(),
    };
    if market::validate_trade_of_any_venue(&trade, record.append_time_ns).is_err() {
        return Vec::new();
    }
    let index = match symbols.resolve_record_key(&record.key) {
        ResolvedRecordKey::Symbol(index) => index,
        ResolvedRecordKey::New(instrument, venue)
            if symbols
                .settings_of_venue(venue)
                .validate_trade(&trade)
                .is_ok() =>
        {
            symbols.add(instrument, venue)
        }
        _ => return Vec::new(),
    };
    symbols.load_requests_for_trade(index, &trade)
}
