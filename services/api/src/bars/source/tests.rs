use market::{Bar, Decimal, Position, Trade, Window};
use store::{BarStore, PartitionProgress, SqliteBarStore, StoredBar, Transaction};
use tempfile::TempDir;

use super::*;

const MINUTE_NS: i64 = market::MINUTE_NS;

/// The bar of a minute as of an offset, which is also its price.
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
        bar: Bar::of(&trade, through, 0),
        closed: false,
        revision: 0,
        through,
    }
}

/// A store that holds minutes 0 to 4 as of offset 10.
async fn stored(folder: &TempDir, instrument: &Instrument) -> SqliteBarStore {
    let store = SqliteBarStore::open(folder.path().join("bars"))
        .await
        .unwrap();
    store.load(0, 1).await.unwrap();
    let bars = (0..5).map(|minute| StoredBar {
        instrument: instrument.clone(),
        row: row(minute, 10),
    });
    let transaction = Transaction {
        expected: Position {
            epoch: 1,
            offset: 0,
        },
        progress: PartitionProgress {
            partition: 0,
            epoch: 1,
            next_offset: 11,
            updates: Position::default(),
            append_time_ns: 0,
        },
        bars: bars.collect(),
        symbols: Vec::new(),
        venues: Vec::new(),
        ids: Vec::new(),
        rejected: Vec::new(),
        dirty: Vec::new(),
        ahead: Vec::new(),
    };
    store.commit(&transaction).await.unwrap();
    store
}

#[tokio::test]
async fn of_each_window_the_newer_state_counts() {
    let folder = TempDir::new().unwrap();
    let instrument: Instrument = "v:S".parse().unwrap();
    let store = stored(&folder, &instrument).await;
    // The hub is behind in minute 3, ahead in 4, and alone knows 5 and 6.
    let source = BarSource {
        bars: &store,
        instrument: &instrument,
        live: vec![row(3, 5), row(4, 20), row(5, 21), row(6, 22)],
    };
    let cases = [
        (
            (0, 9),
            9,
            Keep::Oldest,
            "0@10 1@10 2@10 3@10 4@20 5@21 6@22",
        ),
        ((0, 9), 3, Keep::Oldest, "0@10 1@10 2@10"),
        ((3, 9), 3, Keep::Oldest, "3@10 4@20 5@21"),
        ((0, 9), 3, Keep::Newest, "4@20 5@21 6@22"),
        ((0, 6), 3, Keep::Newest, "3@10 4@20 5@21"),
        ((5, 6), 3, Keep::Newest, "5@21"),
        ((7, 9), 3, Keep::Oldest, ""),
    ];
    for ((from, to), limit, keep, expected) in cases {
        let (start_ns, end_ns) = (from * MINUTE_NS, to * MINUTE_NS);
        let rows = source.range(Interval::M1, start_ns, end_ns, limit, keep);
        let shown: Vec<_> = rows
            .await
            .unwrap()
            .iter()
            .map(|row| format!("{}@{}", row.window.start_ns / MINUTE_NS, row.through.offset))
            .collect();
        assert_eq!(
            shown.join(" "),
            expected,
            "{from} to {to}, {limit}, {keep:?}"
        );
    }
}

#[tokio::test]
async fn windows_that_cancels_have_emptied_are_passed_over() {
    let folder = TempDir::new().unwrap();
    let instrument: Instrument = "v:S".parse().unwrap();
    let store = stored(&folder, &instrument).await;
    let emptied = |minute| {
        let mut row = row(minute, 30);
        row.bar.trades = 0;
        row
    };
    let source = BarSource {
        bars: &store,
        instrument: &instrument,
        live: vec![emptied(0), emptied(3), emptied(4)],
    };
    let first = source.first_from(0).await.unwrap().unwrap();
    assert_eq!(first.window.start_ns, MINUTE_NS);
    let last = source.last_before(9 * MINUTE_NS).await.unwrap().unwrap();
    assert_eq!(last.window.start_ns, 2 * MINUTE_NS);
    assert!(source.first_from(3 * MINUTE_NS).await.unwrap().is_none());
}
