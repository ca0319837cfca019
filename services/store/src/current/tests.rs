use std::collections::HashSet;

use market::{
    DAY_NS, Decimal, EdgeTrade, HORIZON_NS, HOUR_NS, IdScheme, IdScope, SenderTradeId, Trade,
    TradeId,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

mod amendments;

const PLAIN: VenueSettings = VenueSettings {
    scheme: IdScheme::Unique,
    scope: IdScope::Symbol,
    ties: TieOrder::Id,
    lateness_ns: 0,
    idle_ns: 0,
    nonpositive_prices: false,
    old_times: true,
    retired: false,
};

const NEXT: Position = Position {
    epoch: 1,
    offset: 100,
};

fn settings_with(scheme: IdScheme, scope: IdScope) -> VenueSettings {
    VenueSettings {
        scheme,
        scope,
        ..PLAIN
    }
}

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
        amendment: None,
        position: Position { epoch: 1, offset },
        append_time_ns: 0,
    }
}

fn tick_of_sender(offset: u64, time_ns: i64, key: u8, index: u64) -> Tick {
    let mut tick = tick(offset, time_ns, None);
    tick.trade.sender = Some(SenderTradeId {
        key: [key; 16],
        index,
    });
    tick
}

fn range(first: u64, end: u64, verdict: TickVerdict) -> ExcludedRange {
    ExcludedRange {
        epoch: 1,
        first_offset: first,
        end_offset: end,
        verdict,
        append_time_ns: 0,
    }
}

fn offsets(ticks: &[Tick], excluded: &[ExcludedRange], settings: &VenueSettings) -> Vec<u64> {
    let trades = trades_current(ticks.to_vec(), excluded, NEXT, settings);
    trades.iter().map(|tick| tick.position.offset).collect()
}

#[test]
fn excluded_ticks_and_those_not_folded_yet_are_no_trades() {
    let ticks: Vec<_> = [3, 4, 5, 6, 99, 100]
        .map(|offset| tick(offset, 7, None))
        .into();
    let excluded = [
        range(0, 1, TickVerdict::Duplicate),
        range(4, 6, TickVerdict::Duplicate),
    ];
    assert_eq!(offsets(&ticks, &excluded, &PLAIN), [3, 6, 99]);
}

#[test]
fn the_first_delivery_counts_within_what_its_id_is_unique_in() {
    let mut ticks = [
        tick(0, 5, Some("1")),
        tick(1, 6, Some("1")),
        tick(2, HOUR_NS, Some("1")),
        tick(3, DAY_NS, Some("1")),
    ];
    ticks.reverse();
    let cases = [
        (
            settings_with(IdScheme::Unique, IdScope::Symbol),
            vec![0, 2, 3],
        ),
        (settings_with(IdScheme::Unique, IdScope::Day), vec![0, 2, 3]),
        (
            settings_with(IdScheme::Contiguous, IdScope::Day),
            vec![0, 3],
        ),
        (
            settings_with(IdScheme::Contiguous, IdScope::Symbol),
            vec![0],
        ),
        (settings_with(IdScheme::Contiguous, IdScope::File), vec![0]),
    ];
    for (settings, expected) in cases {
        assert_eq!(offsets(&ticks, &[], &settings), expected, "{settings:?}");
    }
}

#[test]
fn scopes_and_senders_tell_trades_apart() {
    let mut ticks = [tick(0, 5, Some("1")), tick(1, 5, Some("1"))];
    ticks[1].trade.scope = Some("NYSE".into());
    assert_eq!(offsets(&ticks, &[], &PLAIN), [0]);
    let by_exchange = settings_with(IdScheme::Unique, IdScope::Exchange);
    assert_eq!(offsets(&ticks, &[], &by_exchange), [0, 1]);

    let none = settings_with(IdScheme::None, IdScope::Symbol);
    let ticks = [
        tick(0, 5, None),
        tick(1, 5, None),
        tick_of_sender(2, 5, 7, 0),
        tick_of_sender(3, 5, 7, 1),
        tick_of_sender(4, 5, 7, 0),
        tick_of_sender(5, 5, 8, 0),
        tick_of_sender(6, HOUR_NS, 7, 0),
    ];
    for settings in [PLAIN, none] {
        assert_eq!(offsets(&ticks, &[], &settings), [0, 1, 2, 3, 5, 6]);
    }
}

#[test]
fn a_day_that_was_forgotten_may_repeat_its_ids() {
    let by_day = settings_with(IdScheme::Contiguous, IdScope::Day);
    let mut ticks = [tick(0, 5, Some("1")), tick(1, HOUR_NS, Some("1"))];
    ticks[1].append_time_ns = HORIZON_NS;
    assert_eq!(offsets(&ticks, &[], &by_day), [0]);
    ticks[1].append_time_ns += 1;
    assert_eq!(offsets(&ticks, &[], &by_day), [0, 1]);
    let by_symbol = settings_with(IdScheme::Contiguous, IdScope::Symbol);
    assert_eq!(offsets(&ticks, &[], &by_symbol), [0]);
}

#[test]
fn missed_and_unmatched_duplicates_are_reported() {
    let mut current =
        TickClassifier::new(settings_with(IdScheme::Contiguous, IdScope::Symbol), NEXT);
    let duplicate = Some(TickVerdict::Duplicate);
    let steps = [
        (
            tick(9, 5, Some("1")),
            duplicate,
            TickInclusion::Excluded(TickVerdict::Duplicate),
        ),
        (
            tick(8, 5, Some("2")),
            duplicate,
            TickInclusion::Excluded(TickVerdict::Duplicate),
        ),
        (tick(3, HOUR_NS, Some("1")), None, TickInclusion::Counted),
        (
            tick(4, HOUR_NS, Some("1")),
            None,
            TickInclusion::MissedDuplicate,
        ),
        (
            tick(100, HOUR_NS, Some("1")),
            None,
            TickInclusion::Undecided,
        ),
    ];
    for (tick, verdict, expected) in steps {
        assert_eq!(current.classify(&tick, verdict), expected, "{tick:?}");
    }
    assert_eq!(current.forget_before_and_take_unmatched(i64::MAX - 1), []);
    let unmatched = current.forget_before_and_take_unmatched(i64::MAX);
    let expected = UnmatchedDuplicate {
        position: tick(8, 5, None).position,
        time_ns: 5,
    };
    assert_eq!(unmatched, [expected]);
}

#[test]
fn hours_are_forgotten_once_they_are_over() {
    let mut current = TickClassifier::new(PLAIN, NEXT);
    let text = |offset, time_ns| tick(offset, time_ns, Some("a"));
    assert_eq!(current.classify(&text(0, 5), None), TickInclusion::Counted);
    assert_eq!(
        current.classify(&text(1, HOUR_NS), None),
        TickInclusion::Counted
    );
    let status = current.classify(
        &tick_of_sender(2, HOUR_NS, 1, 1),
        Some(TickVerdict::Duplicate),
    );
    assert_eq!(status, TickInclusion::Excluded(TickVerdict::Duplicate));
    assert_eq!(current.forget_before_and_take_unmatched(HOUR_NS), []);
    assert_eq!(current.classify(&text(3, 5), None), TickInclusion::Counted);
    assert_eq!(
        current.classify(&text(4, HOUR_NS), None),
        TickInclusion::MissedDuplicate
    );
    assert_eq!(
        current.forget_before_and_take_unmatched(2 * HOUR_NS).len(),
        1
    );
    assert!(current.others.is_empty() && current.last_used.is_none());
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
        let edge = |tick: &Tick| EdgeTrade::from_trade(&tick.trade, tick.position);
        for ties in TieOrder::ALL.iter().copied() {
            prop_assert_eq!(
                cmp_trade_order(&ticks[0], &ticks[1], ties),
                edge(&ticks[0]).cmp_trade_order(&edge(&ticks[1]), ties)
            );
        }
    }

    #[test]
    fn the_order_in_which_ticks_are_given_changes_nothing(
        mut given in vec(any_tick(), 0..30).prop_shuffle(),
    ) {
        let mut positions = HashSet::new();
        given.retain(|tick| positions.insert(tick.position));
        let mut ordered = given.clone();
        ordered.sort_by_key(|tick| tick.position);
        let next = Position { epoch: 3, offset: 0 };
        for settings in [PLAIN, settings_with(IdScheme::Unique, IdScope::Exchange)] {
            prop_assert_eq!(
                trades_current(given.clone(), &[], next, &settings),
                trades_current(ordered.clone(), &[], next, &settings)
            );
        }
    }

    #[test]
    fn the_verdict_of_a_position_in_a_range_is_found(
        position in (1_u64..3, 0_u64..30),
        edges in vec((1_usize..3, 1_u64..5, 1_u64..5), 0..6),
    ) {
        let mut excluded = Vec::new();
        let mut ends = [0; 4];
        for (epoch, gap, length) in edges {
            let first = ends[epoch] + gap;
            ends[epoch] = first + length;
            excluded.push(ExcludedRange {
                epoch: epoch as u64,
                ..range(first, first + length, TickVerdict::Duplicate)
            });
        }
        excluded.sort_by_key(|range| (range.epoch, range.first_offset));
        let position = Position { epoch: position.0, offset: position.1 };
        let holds = excluded.iter().any(|range| {
            range.epoch == position.epoch
                && (range.first_offset..range.end_offset).contains(&position.offset)
        });
        prop_assert_eq!(find_verdict(position, &excluded).is_some(), holds);
    }
}
