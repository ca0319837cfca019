//! PartitionProgress, symbols, venues, rejected ranges, and the one transaction.

use candlewick_store::{
    BarKey, BarReader, BarStore, CommitOutcome, ExcludedRange, OffsetRun, PartitionProgress,
    SymbolQuery, TickVerdict, VenueRow,
};
use market::{IdScheme, IdScope, Interval, Position, RejectReason, TieOrder, VenueSettings};

use crate::fixtures::{bar, commit_step, instrument, step, symbol};

pub(crate) async fn a_partition_begins_at_its_epoch(store: &impl BarStore) {
    assert_eq!(store.all_partition_progress().await.unwrap(), []);
    // Before the partition is loaded, no transaction of it can be committed.
    assert_eq!(
        store.commit(&step(3, 0, 1)).await.unwrap(),
        CommitOutcome::Conflict
    );
    let begun = |partition, epoch| PartitionProgress {
        partition,
        epoch,
        next_offset: 0,
        updates_position: Position::default(),
        append_time_ns: 0,
    };
    let state = store.load_or_create_partition(3, u64::MAX).await.unwrap();
    assert_eq!(state.progress, begun(3, u64::MAX));
    assert_eq!((state.symbols.len(), state.venues.len()), (0, 0));
    store.load_or_create_partition(1, 7).await.unwrap();
    // The stored epoch counts, not the requested one.
    assert_eq!(
        store.load_or_create_partition(1, 9).await.unwrap().progress,
        begun(1, 7)
    );
    let all = store.all_partition_progress().await.unwrap();
    assert_eq!(all, [begun(1, 7), begun(3, u64::MAX)]);
}

pub(crate) async fn a_transaction_is_committed_once(store: &impl BarStore) {
    store.load_or_create_partition(0, 1).await.unwrap();
    let mut transaction = step(0, 0, 10);
    transaction.symbols = vec![symbol("binance:BTCUSDT", i64::MIN), symbol("kraken:XBT", 5)];
    assert_eq!(
        store.commit(&transaction).await.unwrap(),
        CommitOutcome::Committed
    );
    assert_eq!(
        store.commit(&transaction).await.unwrap(),
        CommitOutcome::Conflict
    );
    let state = store.load_or_create_partition(0, 1).await.unwrap();
    assert_eq!(state.progress, transaction.progress);
    assert_eq!(state.symbols, transaction.symbols);
    // To a new epoch, and to the greatest position of all.
    let mut switch = step(0, 10, 0);
    switch.progress.epoch = 2;
    assert_eq!(
        store.commit(&switch).await.unwrap(),
        CommitOutcome::Committed
    );
    let mut last = step(0, 0, 0);
    last.expected = Position {
        epoch: 2,
        offset: 0,
    };
    last.progress = PartitionProgress {
        partition: 0,
        epoch: u64::MAX,
        next_offset: u64::MAX,
        updates_position: Position {
            epoch: u64::MAX,
            offset: u64::MAX - 1,
        },
        append_time_ns: i64::MAX,
    };
    assert_eq!(store.commit(&last).await.unwrap(), CommitOutcome::Committed);
    assert_eq!(
        store.all_partition_progress().await.unwrap(),
        [last.progress]
    );
}

pub(crate) async fn checking_a_commit_writes_nothing(store: &impl BarStore) {
    let state = store.load_or_create_partition(0, 1).await.unwrap();
    let mut transaction = step(0, 0, 10);
    transaction.bars = vec![bar(
        &instrument("binance:BTCUSDT"),
        Interval::M1,
        0,
        1,
        false,
    )];
    for _ in 0..2 {
        let outcome = store.dry_run_commit(&transaction).await.unwrap();
        assert_eq!(outcome, CommitOutcome::Committed);
        let again = store.load_or_create_partition(0, 1).await.unwrap();
        assert_eq!(again.progress, state.progress);
        assert_eq!(again.open_bars, []);
    }
    let outcome = store.dry_run_commit(&step(0, 5, 10)).await.unwrap();
    assert_eq!(outcome, CommitOutcome::Conflict);
    let outcome = store.commit(&transaction).await.unwrap();
    assert_eq!(outcome, CommitOutcome::Committed);
}

pub(crate) async fn a_conflict_writes_nothing(store: &impl BarStore) {
    commit_step(store, step(0, 0, 5)).await;
    let btc = instrument("binance:BTCUSDT");
    let mut lost = step(0, 4, 6);
    lost.bars = vec![bar(&btc, Interval::M1, 0, 1, false)];
    lost.symbols = vec![symbol("binance:BTCUSDT", 1)];
    lost.excluded_ranges = vec![excluded_range(4, 5, TickVerdict::Duplicate)];
    assert_eq!(store.commit(&lost).await.unwrap(), CommitOutcome::Conflict);
    lost.expected = Position {
        epoch: 2,
        offset: 5,
    };
    assert_eq!(store.commit(&lost).await.unwrap(), CommitOutcome::Conflict);

    let state = store.load_or_create_partition(0, 1).await.unwrap();
    assert_eq!(state.progress, step(0, 0, 5).progress);
    assert_eq!((state.symbols.len(), state.open_bars.len()), (0, 0));
    assert_eq!(store.excluded_ranges(0, 1, 0, u64::MAX).await.unwrap(), []);
}

/// The outcome of each transaction is decided once, even if several workers try to commit it.
pub(crate) async fn one_of_two_workers_commits_each_transaction(store: &impl BarStore) {
    const STEPS: u64 = 50;
    store.load_or_create_partition(0, 1).await.unwrap();
    let work = || {
        let store = store.clone();
        tokio::spawn(async move {
            let mut done = 0;
            for from in 0..STEPS {
                let outcome = store.commit(&step(0, from, from + 1)).await.unwrap();
                done += u64::from(outcome == CommitOutcome::Committed);
                while store.all_partition_progress().await.unwrap()[0].next_offset <= from {
                    tokio::task::yield_now().await;
                }
            }
            done
        })
    };
    let (first, second) = (work(), work());
    assert_eq!(first.await.unwrap() + second.await.unwrap(), STEPS);
}

pub(crate) async fn partitions_commit_side_by_side(store: &impl BarStore) {
    const STEPS: u64 = 25;
    let workers: Vec<_> = (0..4_u32)
        .map(|partition| {
            let store = store.clone();
            let traded = instrument(&format!("venue:S{partition}"));
            tokio::spawn(async move {
                store.load_or_create_partition(partition, 1).await.unwrap();
                for from in 0..STEPS {
                    let mut transaction = step(partition, from, from + 1);
                    transaction.bars = vec![bar(&traded, Interval::M1, 0, from, false)];
                    assert_eq!(
                        store.commit(&transaction).await.unwrap(),
                        CommitOutcome::Committed
                    );
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    let expected: Vec<_> = (0..4).map(|at| step(at, 0, STEPS).progress).collect();
    assert_eq!(store.all_partition_progress().await.unwrap(), expected);
    for partition in 0..4 {
        let open = store
            .load_or_create_partition(partition, 1)
            .await
            .unwrap()
            .open_bars;
        assert_eq!(open.len(), 1);
        assert_eq!(open[0].row.through.offset, STEPS - 1);
    }
}

pub(crate) async fn a_snapshot_is_consistent(store: &impl BarStore) {
    let btc = instrument("binance:BTCUSDT");
    let key = BarKey {
        instrument: btc.clone(),
        window: bar(&btc, Interval::M1, 0, 0, false).row.window,
    };
    let mut first = step(0, 0, 1);
    first.bars = vec![bar(&btc, Interval::M1, 0, 1, false)];
    first.symbols = vec![symbol("binance:BTCUSDT", 1)];
    commit_step(store, first.clone()).await;
    let snapshot = store.snapshot().await.unwrap();

    let mut second = step(0, 1, 2);
    second.bars = vec![bar(&btc, Interval::M1, 0, 2, true)];
    second.symbols = vec![symbol("binance:BTCUSDT", 2), symbol("binance:ETHUSDT", 2)];
    commit_step(store, second.clone()).await;
    store.sync().await.unwrap();

    let read = snapshot.bars(std::slice::from_ref(&key)).await.unwrap();
    assert_eq!(read, [Some(first.bars[0].row.clone())]);
    assert_eq!(
        snapshot.all_partition_progress().await.unwrap(),
        [first.progress]
    );
    let all = SymbolQuery {
        venue: None,
        after: None,
        limit: 10,
    };
    assert_eq!(snapshot.symbols(&all).await.unwrap(), first.symbols);

    let read = store.bars(&[key]).await.unwrap();
    assert_eq!(read, [Some(second.bars[0].row.clone())]);
    let later = store.snapshot().await.unwrap();
    assert_eq!(
        later.all_partition_progress().await.unwrap(),
        [second.progress]
    );
}

pub(crate) async fn symbols_come_in_pages(store: &impl BarStore) {
    let texts = [
        "a:1", "ab:0", "b:A", "b:A-B", "b:A.B", "b:AB", "b:a", "ba:0",
    ];
    for (partition, texts) in [(0, &texts[..4]), (1, &texts[4..])] {
        let mut transaction = step(partition, 0, 1);
        transaction.symbols = texts.iter().map(|text| symbol(text, 1)).collect();
        commit_step(store, transaction).await;
    }
    for (venue, expected) in [
        (None, &texts[..]),
        (Some("b"), &texts[2..7]),
        (Some("c"), &[]),
    ] {
        let mut query = SymbolQuery {
            venue: venue.map(|venue| venue.parse().unwrap()),
            after: None,
            limit: 3,
        };
        let mut seen = Vec::new();
        loop {
            let page = store.symbols(&query).await.unwrap();
            assert!(page.len() <= 3);
            let Some(last) = page.last() else { break };
            query.after = Some(last.instrument.clone());
            seen.extend(page.into_iter().map(|row| row.instrument));
        }
        let seen: Vec<_> = seen.iter().map(market::Instrument::key).collect();
        assert_eq!(seen, expected);
    }
    let one = store.symbol(&instrument("b:A.B")).await.unwrap();
    assert_eq!(one, Some(symbol("b:A.B", 1)));
    assert_eq!(store.symbol(&instrument("b:A.")).await.unwrap(), None);
}

pub(crate) async fn a_venue_needs_every_partition(store: &impl BarStore) {
    let kraken: market::Venue = "kraken".parse().unwrap();
    let settings = |lateness_ns| VenueSettings {
        scheme: IdScheme::Contiguous,
        scope: IdScope::File,
        ties: TieOrder::Log,
        lateness_ns,
        idle_ns: i64::MAX,
        nonpositive_prices: true,
        old_times: true,
        retired: true,
    };
    let declared_at = |partition: u32| Position {
        epoch: u64::MAX - u64::from(partition),
        offset: u64::MAX,
    };
    for partition in (0..3).rev() {
        assert_eq!(
            store
                .venue_settings_if_in_every_partition(&kraken, 3)
                .await
                .unwrap(),
            None
        );
        let mut transaction = step(partition, 0, 1);
        for venue in ["kraken", "binance"] {
            transaction.venues.push(VenueRow {
                venue: venue.parse().unwrap(),
                settings: settings(partition.into()),
                declared_at: declared_at(partition),
            });
        }
        commit_step(store, transaction).await;
    }
    // Partitions differ while new settings are on their way.
    for partition in 0..3 {
        let row = store.venue_settings_in_partition(&kraken, partition).await;
        assert_eq!(row.unwrap().unwrap().settings, settings(partition.into()));
    }
    assert_eq!(
        store.venue_settings_in_partition(&kraken, 3).await.unwrap(),
        None
    );
    // Those of partition 0 are the venue's.
    assert_eq!(
        store
            .venue_settings_if_in_every_partition(&kraken, 3)
            .await
            .unwrap(),
        Some(VenueRow {
            venue: kraken.clone(),
            settings: settings(0),
            declared_at: declared_at(0),
        })
    );
    assert_eq!(
        store
            .venue_settings_if_in_every_partition(&kraken, 4)
            .await
            .unwrap(),
        None
    );
    let names: Vec<_> = store.venues().await.unwrap();
    let names: Vec<_> = names.iter().map(|row| row.venue.as_str()).collect();
    assert_eq!(names, ["binance", "kraken"]);
    let loaded = store.load_or_create_partition(2, 1).await.unwrap().venues;
    assert_eq!(loaded.len(), 2);
    assert_eq!(loaded[1].settings, settings(2));
    assert_eq!(loaded[1].declared_at, declared_at(2));
}

/// The ticks of a symbol lie among those of others, so a page of them is many runs of offsets. One
/// read finds the ranges that hold any of them, and none that lie between.
pub(crate) async fn excluded_ranges_in_runs_of_offsets(store: &impl BarStore) {
    const RUNS: u64 = 5_000;
    let verdict = TickVerdict::Rejected(RejectReason::BeyondHorizon);
    // Of every 100 offsets, 10 to 12, 50 and 90 are excluded.
    let ranges = (0..RUNS).flat_map(|number| {
        let at = number * 100;
        [
            excluded_range(at + 10, at + 13, TickVerdict::Duplicate),
            excluded_range(at + 50, at + 51, verdict),
            excluded_range(at + 90, at + 91, TickVerdict::Duplicate),
        ]
    });
    let mut transaction = step(0, 0, 1);
    transaction.excluded_ranges = ranges.collect();
    let amendment = excluded_range(u64::MAX - 9, u64::MAX - 8, verdict);
    transaction.excluded_amendments = vec![amendment];
    commit_step(store, transaction).await;
    let of_next_epoch = ExcludedRange {
        epoch: 2,
        ..excluded_range(20, 30, verdict)
    };
    let mut transaction = step(1, 0, 1);
    transaction.excluded_ranges = vec![of_next_epoch];
    commit_step(store, transaction).await;

    let run = |epoch, first, last| OffsetRun { epoch, first, last };
    let mut runs: Vec<_> = (0..RUNS)
        .flat_map(|number| {
            let at = number * 100;
            [
                run(1, at + 8, at + 10),
                run(1, at + 12, at + 12),
                run(1, at + 89, at + 89),
            ]
        })
        .collect();
    runs.extend([run(1, u64::MAX - 9, u64::MAX - 1), run(2, 20, 20)]);
    let found = store.excluded_ranges_in(0, &runs).await.unwrap();
    let expected = (0..RUNS)
        .map(|number| number * 100)
        .map(|at| excluded_range(at + 10, at + 13, TickVerdict::Duplicate));
    assert!(found.iter().copied().eq(expected.chain([amendment])));
    let found = store.excluded_ranges_in(1, &runs).await.unwrap();
    assert_eq!(found, [of_next_epoch]);
    assert_eq!(store.excluded_ranges_in(0, &[]).await.unwrap(), []);

    let count = async |partition, verdict, since_ns| {
        let counted = store.count_excluded_ticks_since(partition, verdict, since_ns);
        counted.await.unwrap()
    };
    assert_eq!(count(0, verdict, 1).await, RUNS + 1);
    assert_eq!(count(0, TickVerdict::Duplicate, i64::MIN).await, 4 * RUNS);
    assert_eq!(count(1, verdict, 1).await, 10);
    assert_eq!(count(0, verdict, 2).await, 0);
    let unstorable = TickVerdict::Rejected(RejectReason::Unstorable);
    assert_eq!(count(0, unstorable, 0).await, 0);
}

fn excluded_range(first: u64, end: u64, verdict: TickVerdict) -> ExcludedRange {
    ExcludedRange {
        epoch: 1,
        first_offset: first,
        end_offset: end,
        verdict,
        append_time_ns: 1,
    }
}

pub(crate) async fn excluded_ranges_that_overlap(store: &impl BarStore) {
    let verdict = TickVerdict::Rejected(RejectReason::BeyondHorizon);
    let ranges = [
        excluded_range(2, 5, TickVerdict::Duplicate),
        excluded_range(5, 6, verdict),
        excluded_range(10, 1 << 63, TickVerdict::Duplicate),
        excluded_range(u64::MAX - 1, u64::MAX, verdict),
    ];
    let mut transaction = step(0, 0, 1);
    transaction.excluded_ranges = ranges.to_vec();
    commit_step(store, transaction).await;
    let of_next_epoch = ExcludedRange {
        epoch: 2,
        ..ranges[0]
    };
    let mut transaction = step(1, 0, 1);
    transaction.excluded_ranges = vec![of_next_epoch];
    commit_step(store, transaction).await;

    for (first, end, expected) in [
        (0, u64::MAX, &ranges[..]),
        (0, 2, &[]),
        (0, 3, &ranges[..1]),
        (4, 6, &ranges[..2]),
        (5, 6, &ranges[1..2]),
        (6, 10, &[]),
        (1 << 40, (1 << 40) + 1, &ranges[2..3]),
        (1 << 63, u64::MAX - 1, &[]),
        ((1 << 63) - 1, u64::MAX, &ranges[2..]),
    ] {
        let read = store.excluded_ranges(0, 1, first, end).await.unwrap();
        assert_eq!(read, expected, "[{first}, {end})");
    }
    assert_eq!(store.excluded_ranges(0, 2, 0, u64::MAX).await.unwrap(), []);
    assert_eq!(
        store.excluded_ranges(1, 2, 0, 3).await.unwrap(),
        [of_next_epoch]
    );
}
