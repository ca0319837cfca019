//! Ids that leave memory.

use store::{IdSegmentRow, IdSetWrites, SegmentIds};

use super::*;

/// Returns the numbers that a transaction adds to the only set of ids.
fn written_numbers(transaction: &PartitionTransaction) -> Vec<u64> {
    let writes = transaction.id_sets.iter().map(|change| &change.writes);
    let chunks = writes.flat_map(|writes| match writes {
        IdSetWrites::Segments { written, .. } => written.as_slice(),
        IdSetWrites::Ranges { .. } => &[],
    });
    let numbers = chunks.flat_map(|chunk| match &chunk.ids {
        SegmentIds::Numbers(numbers) => numbers.as_slice(),
        SegmentIds::Digests(_) => &[],
    });
    numbers.copied().collect()
}

/// Commits what was applied, and adds its ids to `stored`.
fn commit(core: &mut FoldCore, stored: &mut Vec<u64>) {
    let transaction = core.flush(Position::default(), Position::default());
    stored.extend(written_numbers(&transaction));
    core.record_commit_and_evict_unused();
}

/// Answers the load requests. Returns how many segments were requested.
fn answer_loads(core: &mut FoldCore, stored: &[u64]) -> usize {
    let mut segments = 0;
    let load = |request: &LoadRequest| match request.clone() {
        LoadRequest::Bar(key) => LoadedData::Bar(key, None),
        LoadRequest::IdSet(request) => LoadedData::IdSet(request, IdSetRow::default()),
        LoadRequest::IdSegment(request) => {
            segments += 1;
            let mut ids = stored.to_vec();
            ids.sort_unstable();
            let ids = SegmentIds::Numbers(ids);
            LoadedData::IdSegment(
                request.key,
                IdSegmentRow {
                    ids,
                    chunk_count: 1,
                },
            )
        }
    };
    let loaded = core.load_requests().iter().map(load).collect();
    core.accept_loaded(loaded);
    segments
}

/// Returns the record at `offset` of a trade with this id.
fn record_with_id(offset: u64, id: u64) -> Record {
    let Record { value, .. } = trade_record(id, "v:A", START_NS, 5);
    encoded_record(offset, "v:A", value.to_vec())
}

#[test]
fn without_memory_for_ids_each_record_loads_and_commits_and_none_is_counted_twice() {
    let mut core = empty_core();
    core.set_id_memory_limit(0);
    let settings = VenueSettings {
        scheme: IdScheme::Unique,
        ..VenueSettings::default()
    };
    let mut value = Vec::new();
    TradesTopicRecord::Setting("v".parse().unwrap(), settings).encode(&mut value);
    let first = [encoded_record(0, "", value), record_with_id(1, 70)];
    let records = [
        record_with_id(2, 90),
        record_with_id(3, 70),
        record_with_id(4, 80),
        record_with_id(5, 80),
    ];
    let (mut stored, mut segments, mut commits) = (Vec::new(), 0, 0);
    apply_all(&mut core, &first);
    commit(&mut core, &mut stored);
    let mut rest = records.as_slice();
    loop {
        rest = &rest[core.apply(rest)..];
        if rest.is_empty() {
            break;
        }
        if core.waits_for_commit() {
            commits += 1;
            commit(&mut core, &mut stored);
            core.record_awaited_commit();
        } else {
            segments += answer_loads(&mut core, &stored);
        }
    }
    let counts = core.take_counts();
    assert_eq!((counts.trades, counts.duplicates), (3, 2));
    assert!(segments >= 3, "{segments} segments were loaded");
    assert!(commits >= 3, "{commits} commits were needed");
}

#[test]
fn with_memory_for_ids_nothing_is_loaded_again() {
    let mut core = empty_core();
    let settings = VenueSettings {
        scheme: IdScheme::Unique,
        ..VenueSettings::default()
    };
    let mut value = Vec::new();
    TradesTopicRecord::Setting("v".parse().unwrap(), settings).encode(&mut value);
    let mut stored = Vec::new();
    apply_all(
        &mut core,
        &[encoded_record(0, "", value), record_with_id(1, 70)],
    );
    commit(&mut core, &mut stored);
    assert_eq!(stored, [70]);
    assert!(core.id_memory_bytes() > 0);
    assert_eq!(
        core.apply(&[record_with_id(2, 70), record_with_id(3, 71)]),
        2
    );
    assert!(!core.waits_for_commit());
    let counts = core.take_counts();
    assert_eq!((counts.trades, counts.duplicates), (2, 1));
}
