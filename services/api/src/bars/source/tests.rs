use market::{Bar, Decimal, Position, SECOND_NS, Trade, VenueSettings, Window};
use store::{
    BarStore, PartitionProgress, PartitionTransaction, SqliteBarStore, StoredBar, SymbolRow,
    VenueRow,
};
use tempfile::TempDir;

use super::*;

const MINUTE_NS: i64 = market::MINUTE_NS;

/// Returns the bar of a minute whose `through` and price are `offset`.
fn row(minute: i64, offset: u64) -> BarRow {
    let trade = Trade {
        time_ns: minute * MINUTE_NS,
        price: Decimal::new(i64::try_from(offset).unwrap(), 0).unwrap(),
        quantity: None,
        side: None,
        id: None,
        scope: None,
        sender: None,
    };
    let through = Position { epoch: 1, offset };
    BarRow {
        window: Window {
            interval: Interval::M1,
            start_ns: minute * MINUTE_NS,
        },
        bar: Bar::from_trade(&trade, through, 0),
        closed: false,
        revision: 0,
        provable: true,
        through,
    }
}

/// Returns a store that holds minutes 0 to 4, each at offset 10.
async fn store_with_five_minutes(folder: &TempDir, instrument: &Instrument) -> SqliteBarStore {
    let store = SqliteBarStore::open(folder.path().join("bars"))
        .await
        .unwrap();
    store.load_or_create_partition(0, 1).await.unwrap();
    let bars = (0..5).map(|minute| StoredBar {
        instrument: instrument.clone(),
        row: row(minute, 10),
    });
    let transaction = PartitionTransaction {
        expected: Position {
            epoch: 1,
            offset: 0,
        },
        progress: PartitionProgress {
            partition: 0,
            epoch: 1,
            next_offset: 11,
            updates_position: Position::default(),
            append_time_ns: 0,
        },
        bars: bars.collect(),
        symbols: Vec::new(),
        venues: Vec::new(),
        id_sets: Vec::new(),
        excluded_ranges: Vec::new(),
        excluded_amendments: Vec::new(),
        dirty_minutes: Vec::new(),
        pending_amendments: Vec::new(),
    };
    store.commit(&transaction).await.unwrap();
    store
}

#[tokio::test]
async fn of_each_window_the_newer_state_counts() {
    let folder = TempDir::new().unwrap();
    let instrument: Instrument = "v:S".parse().unwrap();
    let store = store_with_five_minutes(&folder, &instrument).await;
    // In minute 3 the hub's state is older, in minute 4 newer; minutes 5 and 6 are only in the hub.
    let source = LiveAndStoredBars {
        bars: &store,
        instrument: &instrument,
        partitions: 1,
        live_bars: vec![row(3, 5), row(4, 20), row(5, 21), row(6, 22)],
    };
    let cases = [
        (
            (0, 9),
            9,
            KeepOldestOrNewest::Oldest,
            "0@10 1@10 2@10 3@10 4@20 5@21 6@22",
        ),
        ((0, 9), 3, KeepOldestOrNewest::Oldest, "0@10 1@10 2@10"),
        ((3, 9), 3, KeepOldestOrNewest::Oldest, "3@10 4@20 5@21"),
        ((0, 9), 3, KeepOldestOrNewest::Newest, "4@20 5@21 6@22"),
        ((0, 6), 3, KeepOldestOrNewest::Newest, "3@10 4@20 5@21"),
        ((5, 6), 3, KeepOldestOrNewest::Newest, "5@21"),
        ((7, 9), 3, KeepOldestOrNewest::Oldest, ""),
    ];
    for ((from, to), limit, kept, expected) in cases {
        let (start_ns, end_ns) = (from * MINUTE_NS, to * MINUTE_NS);
        let rows = source.bars_between(Interval::M1, start_ns, end_ns, limit, kept);
        let shown: Vec<_> = rows
            .await
            .unwrap()
            .iter()
            .map(|row| format!("{}@{}", row.window.start_ns / MINUTE_NS, row.through.offset))
            .collect();
        assert_eq!(
            shown.join(" "),
            expected,
            "{from} to {to}, {limit}, {kept:?}"
        );
    }
}

#[tokio::test]
async fn windows_that_cancels_have_emptied_are_skipped() {
    let folder = TempDir::new().unwrap();
    let instrument: Instrument = "v:S".parse().unwrap();
    let store = store_with_five_minutes(&folder, &instrument).await;
    let emptied = |minute| {
        let mut row = row(minute, 30);
        row.bar.trades = 0;
        row
    };
    let source = LiveAndStoredBars {
        bars: &store,
        instrument: &instrument,
        partitions: 1,
        live_bars: vec![emptied(0), emptied(3), emptied(4)],
    };
    let first = source
        .first_traded_minute_at_or_after(0)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(first.window.start_ns, MINUTE_NS);
    let last = source
        .last_traded_minute_before(9 * MINUTE_NS)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(last.window.start_ns, 2 * MINUTE_NS);
    assert!(
        source
            .first_traded_minute_at_or_after(3 * MINUTE_NS)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn windows_without_trades_close_as_time_passes_in_the_log() {
    let folder = TempDir::new().unwrap();
    let instrument: Instrument = "v:S".parse().unwrap();
    let store = store_with_five_minutes(&folder, &instrument).await;
    let settings = VenueSettings {
        lateness_ns: SECOND_NS,
        idle_ns: 5 * SECOND_NS,
        ..VenueSettings::default()
    };
    let last_append_ns = 1_000 * SECOND_NS;
    // The newest trade came five seconds into a minute.
    let watermark_ns = 4 * MINUTE_NS + 5 * SECOND_NS;
    let mut position = Position {
        epoch: 1,
        offset: 11,
    };
    for (silence_s, closed_ns) in [
        (0, watermark_ns - SECOND_NS),
        (4, watermark_ns - SECOND_NS),
        (5, watermark_ns + 4 * SECOND_NS),
        (180, watermark_ns + 179 * SECOND_NS),
    ] {
        let progress = PartitionProgress {
            partition: 0,
            epoch: 1,
            next_offset: position.offset + 1,
            updates_position: Position::default(),
            append_time_ns: last_append_ns + silence_s * SECOND_NS,
        };
        let mut transaction = PartitionTransaction::empty(position, progress);
        position = progress.next_position();
        transaction.venues = vec![VenueRow {
            venue: "v".parse().unwrap(),
            settings,
            declared_at: position,
        }];
        transaction.symbols = vec![SymbolRow {
            instrument: instrument.clone(),
            watermark_ns,
            last_append_ns,
            closed_until_ns: watermark_ns - SECOND_NS,
            newest_minute_ns: 4 * MINUTE_NS,
        }];
        store.commit(&transaction).await.unwrap();
        let source = LiveAndStoredBars {
            bars: &store,
            instrument: &instrument,
            partitions: 1,
            live_bars: Vec::new(),
        };
        assert_eq!(source.closed_until_ns().await.unwrap(), closed_ns);
    }
}
