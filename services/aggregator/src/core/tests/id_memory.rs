//! Ids that leave memory.

use std::collections::BTreeMap;

use store::{IdSetKey, IdSetWrites, SegmentIds, StoredIdSegment};

use super::*;

/// The stored numbers of each set of ids, which has one segment.
type StoredIds = BTreeMap<IdSetKey, Vec<u64>>;

/// Commits what was applied, and adds its ids to `stored`.
fn commit(core: &mut FoldCore, stored: &mut StoredIds) {
    let transaction = core.flush(Position::default(), Position::default());
    for change in transaction.id_sets {
        let IdSetWrites::Segments { written, .. } = change.writes else {
            continue;
        };
        for chunk in written {
            if let SegmentIds::Numbers(numbers) = chunk.ids {
                stored
                    .entry(change.key.clone())
                    .or_default()
                    .extend(numbers);
            }
        }
    }
    core.record_commit_and_evict_unused();
}

/// Answers the load requests. Returns how many segments were requested.
fn answer_loads(core: &mut FoldCore, stored: &StoredIds) -> usize {
    let mut segments = 0;
    let load = |request: &LoadRequest| match request.clone() {
        LoadRequest::Bar(key) => LoadedData::Bar(key, None),
        LoadRequest::IdSet(request) => LoadedData::IdSet(request, StoredIdSet::default()),
        LoadRequest::IdSegment(request) => {
            segments += 1;
            let mut ids = stored[&request.key.set].clone();
            ids.sort_unstable();
            let ids = SegmentIds::Numbers(ids);
            LoadedData::IdSegment(
                request.key,
                StoredIdSegment {
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
fn record_with_id(offset: u64, key: &str, id: u64) -> Record {
    let Record { value, .. } = trade_record(id, key, START_NS, 5);
    encoded_record(offset, key, value.to_vec())
}

#[test]
fn without_memory_for_ids_segments_are_loaded_after_commits_and_none_is_counted_twice() {
    let mut core = empty_core();
    core.set_id_memory_limit(0);
    let settings = VenueSettings {
        scheme: IdScheme::Unique,
        ..VenueSettings::default()
    };
    let mut value = Vec::new();
    TradesTopicRecord::Setting("v".parse().unwrap(), SettingsChange::of_all(&settings))
        .encode(&mut value);
    let (mut stored, mut segments, mut commits) = (StoredIds::new(), 0, 0);
    let first = [
        encoded_record(0, "", value),
        record_with_id(1, "v:A", 70),
        record_with_id(2, "v:B", 70),
        record_with_id(3, "v:C", 70),
    ];
    apply_all(&mut core, &first);
    commit(&mut core, &mut stored);
    let batches = [
        vec![record_with_id(4, "v:A", 90)],
        vec![
            record_with_id(5, "v:B", 90),
            record_with_id(6, "v:A", 70),
            record_with_id(7, "v:C", 90),
            record_with_id(8, "v:C", 90),
        ],
    ];
    for records in &batches {
        let mut rest = records.as_slice();
        loop {
            rest = &rest[core.apply(rest)..];
            if rest.is_empty() {
                break;
            }
            if core.waits_for_commit() {
                assert!(core.load_requests().is_empty());
                commits += 1;
                commit(&mut core, &mut stored);
                core.record_awaited_commit();
            } else {
                segments += answer_loads(&mut core, &stored);
            }
        }
    }
    let counts = core.take_counts();
    assert_eq!((counts.trades, counts.duplicates), (6, 2));
    // The segments of B and C come while that of A waits for a commit, after which all leave. The
    // first batch waits for nothing, and needs no commit.
    assert_eq!((segments, commits), (5, 1));
    assert_eq!(counts.evicted_id_segments, 6);
}

#[test]
fn with_memory_for_ids_nothing_is_loaded_again() {
    let mut core = empty_core();
    let settings = VenueSettings {
        scheme: IdScheme::Unique,
        ..VenueSettings::default()
    };
    let mut value = Vec::new();
    TradesTopicRecord::Setting("v".parse().unwrap(), SettingsChange::of_all(&settings))
        .encode(&mut value);
    let mut stored = StoredIds::new();
    apply_all(
        &mut core,
        &[encoded_record(0, "", value), record_with_id(1, "v:A", 70)],
    );
    commit(&mut core, &mut stored);
    assert_eq!(stored.into_values().collect::<Vec<_>>(), [[70]]);
    assert!(core.id_memory_bytes() > 0);
    assert_eq!(
        core.apply(&[record_with_id(2, "v:A", 70), record_with_id(3, "v:A", 71)]),
        2
    );
    assert!(!core.waits_for_commit());
    let counts = core.take_counts();
    assert_eq!((counts.trades, counts.duplicates), (2, 1));
}
