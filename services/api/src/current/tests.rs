use market::{Decimal, Edge, Trade};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use store::Verdict;

use super::*;

const PLAIN: VenueSettings = VenueSettings {
    scheme: IdScheme::Unique,
    scope: IdScope::Symbol,
    lateness_ns: 0,
    idle_ns: 0,
    nonpositive_prices: false,
};

fn tick(offset: u64, time_ns: i64, id: Option<&str>) -> Tick {
    Tick {
        trade: Trade {
            time_ns,
            price: Decimal::new(1, 0).unwrap(),
            quantity: None,
            side: None,
            id: id.map(|id| TradeId::parse(id).unwrap()),
            scope: None,
            sender: None,
        },
        position: Position { epoch: 1, offset },
        append_time_ns: 0,
    }
}

fn range(first: u64, end: u64) -> RejectedRange {
    RejectedRange {
        epoch: 1,
        first,
        end,
        verdict: Verdict::Duplicate,
        append_time_ns: 0,
    }
}

fn offsets(ticks: &[Tick], rejected: &[RejectedRange], settings: &VenueSettings) -> Vec<u64> {
    let next = Position {
        epoch: 1,
        offset: 100,
    };
    let trades = current_trades(ticks, rejected, next, settings);
    trades.iter().map(|tick| tick.position.offset).collect()
}

#[test]
fn rejected_ticks_and_those_not_folded_yet_are_no_trades() {
    let ticks: Vec<_> = [3, 4, 5, 6, 99, 100]
        .map(|offset| tick(offset, 7, None))
        .into();
    assert_eq!(
        offsets(&ticks, &[range(0, 1), range(4, 6)], &PLAIN),
        [3, 6, 99]
    );
}

#[test]
fn the_first_delivery_counts_within_what_its_id_is_unique_in() {
    let ticks = [
        tick(0, 5, Some("1")),
        tick(1, 6, Some("1")),
        tick(2, HOUR_NS, Some("1")),
        tick(3, DAY_NS, Some("1")),
    ];
    assert_eq!(offsets(&ticks, &[], &PLAIN), [0, 2, 3]);
    let by_day = VenueSettings {
        scheme: IdScheme::Contiguous,
        scope: IdScope::Day,
        ..PLAIN
    };
    assert_eq!(offsets(&ticks, &[], &by_day), [0, 3]);
    let by_symbol = VenueSettings {
        scheme: IdScheme::Contiguous,
        ..PLAIN
    };
    assert_eq!(offsets(&ticks, &[], &by_symbol), [0]);
}

#[test]
fn scopes_and_senders_tell_trades_apart() {
    let mut ticks = [tick(0, 5, Some("1")), tick(1, 5, Some("1"))];
    ticks[1].trade.scope = Some("NYSE".into());
    assert_eq!(offsets(&ticks, &[], &PLAIN), [0]);
    let by_exchange = VenueSettings {
        scope: IdScope::Exchange,
        ..PLAIN
    };
    assert_eq!(offsets(&ticks, &[], &by_exchange), [0, 1]);

    let mut sent = [0, 1, 2].map(|offset| tick(offset, 5, None));
    for (place, tick) in sent.iter_mut().enumerate().skip(1) {
        let index = place as u64 / 3;
        tick.trade.sender = Some(Sender {
            key: [7; 16],
            index,
        });
    }
    assert_eq!(offsets(&sent, &[], &PLAIN), [0, 1]);
}

prop_compose! {
    fn any_tick()(
        offset in 0_u64..40,
        epoch in 1_u64..3,
        time_ns in 0_i64..4,
        id in option::of("[0-9a]{1,2}"),
        scope in option::of("[ab]"),
    ) -> Tick {
        let mut tick = tick(offset, time_ns, id.as_deref());
        tick.trade.scope = scope.map(Into::into);
        tick.position.epoch = epoch;
        tick
    }
}

proptest! {
    #[test]
    fn the_order_is_that_of_edges(ticks in vec(any_tick(), 2)) {
        let edge = |tick: &Tick| Edge::of(&tick.trade, tick.position);
        prop_assert_eq!(
            order(&ticks[0], &ticks[1]),
            edge(&ticks[0]).order(&edge(&ticks[1]))
        );
    }

    #[test]
    fn what_is_in_a_range_is_found(
        position in (1_u64..3, 0_u64..30),
        edges in vec((1_usize..3, 1_u64..5, 1_u64..5), 0..6),
    ) {
        let mut rejected = Vec::new();
        let mut ends = [0; 4];
        for (epoch, gap, length) in edges {
            let first = ends[epoch] + gap;
            ends[epoch] = first + length;
            rejected.push(RejectedRange { epoch: epoch as u64, ..range(first, first + length) });
        }
        rejected.sort_by_key(|range| (range.epoch, range.first));
        let position = Position { epoch: position.0, offset: position.1 };
        let expected = rejected.iter().any(|range| {
            range.epoch == position.epoch
                && (range.first..range.end).contains(&position.offset)
        });
        prop_assert_eq!(is_rejected(position, &rejected), expected);
    }
}
