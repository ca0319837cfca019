use std::sync::Arc;

use market::{Bar, BarRow, Decimal, Interval, Position, Trade};
use schemas::api::{PositionJson, StreamMessage};
use store::EpochEnds;

use super::{ChangesUnknown, Hub, HubLimits, StreamEncoding, Subscription};

const LIMITS: HubLimits = HubLimits {
    closed_bars: 10,
    idle_checks: 2,
};

fn row(start_ns: i64, epoch: u64, offset: u64) -> BarRow {
    let trade = Trade {
        time_ns: start_ns,
        price: Decimal::new(5, 0).unwrap(),
        quantity: None,
        side: None,
        id: None,
        scope: None,
        sender: None,
    };
    let through = Position { epoch, offset };
    BarRow {
        window: Interval::M1.window_containing(start_ns),
        bar: Bar::from_trade(&trade, through, 0),
        closed: false,
        revision: 0,
        provable: true,
        through,
    }
}

#[test]
fn states_beyond_the_end_of_an_epoch_are_dropped_and_the_next_snapshot_names_the_end() {
    let hub = Hub::new(1, 1, LIMITS);
    let name: super::ChannelName = "bars:demo:A:1m".parse().unwrap();
    let apply = |offset, row| hub.apply_update(0, offset, &name.instrument, vec![row]);
    let changed_channels = Arc::default();
    hub.clear_partition_and_restart_at(0, 0);
    hub.set_epoch_ends(0, 1, &EpochEnds::default());
    hub.mark_partition_ready(0);
    hub.subscribe(&name, 0, &changed_channels);
    apply(0, row(0, 1, 4));
    apply(1, row(market::MINUTE_NS, 1, 6));
    let held = || hub.held_bars(&name.instrument, name.interval);
    let mut subscription = Subscription::new(name.clone(), 0);
    let snapshot = |subscription: &mut Subscription, rows| {
        let message = hub.snapshot_message(subscription, rows, None, StreamEncoding::Json);
        serde_json::from_slice::<StreamMessage>(&message.bytes).unwrap()
    };
    snapshot(&mut subscription, held());
    let held_before = held();
    assert_eq!(held_before.len(), 2);

    let end = Position {
        epoch: 1,
        offset: 5,
    };
    changed_channels.take_changed();
    hub.set_epoch_ends(0, 2, &EpochEnds::new(vec![end]));
    assert_eq!(hub.epoch_of_known_ends(0), Some(2));
    assert_eq!(held(), [row(0, 1, 4)]);
    assert!(hub.is_beyond_epoch_end(0, end));
    assert!(!changed_channels.take_changed().is_empty());
    let next = hub.next_message(&mut subscription, StreamEncoding::Json);
    assert_eq!(next, Err(ChangesUnknown));
    // The caller has read the held bars before the hub knew the end.
    let stored = row(market::MINUTE_NS, 1, 3);
    let rows = held_before.into_iter().chain([stored.clone()]).collect();
    let StreamMessage::Snapshot {
        epoch_ends, bars, ..
    } = snapshot(&mut subscription, rows)
    else {
        panic!("a snapshot is expected");
    };
    assert_eq!(epoch_ends, [PositionJson::from(end)]);
    let through: Vec<_> = bars.iter().filter_map(|bar| bar.through).collect();
    assert_eq!(
        through,
        [row(0, 1, 4).through, stored.through].map(PositionJson::from)
    );

    // A restart before the subscriber has read the snapshot does not make up for it.
    let mut unaware = Subscription::new(name.clone(), 0);
    unaware.record_snapshot(1, &[]);
    hub.clear_partition_and_restart_at(0, 2);
    let next = hub.next_message(&mut unaware, StreamEncoding::Json);
    assert_eq!(next, Err(ChangesUnknown));
    apply(2, row(0, 1, 4));

    // An announcement that comes later, and one of the new epoch.
    apply(3, row(0, 1, 7));
    assert_eq!(held(), [row(0, 1, 4)]);
    apply(4, row(0, 2, 0));
    assert_eq!(held(), [row(0, 2, 0)]);
}
