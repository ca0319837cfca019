//! Edits and cancels.

use market::{Amendment, AmendmentKind, Side};

use super::*;

/// An edit to a price, or a cancel, of the trade that `of` is.
fn amend(offset: u64, of: &Tick, kind: AmendmentKind, price: i64) -> Tick {
    let mut amending = of.clone();
    amending.position.offset = offset;
    amending.trade.price = Decimal::new(price, 0).unwrap();
    amending.trade.quantity = Some(Decimal::new(price, 1).unwrap());
    amending.trade.side = Some(Side::Sell);
    amending.amendment = Some(Amendment {
        id: TradeId::Number(offset),
        kind,
        target_position: None,
    });
    amending
}

fn edit(offset: u64, of: &Tick, price: i64) -> Tick {
    amend(offset, of, AmendmentKind::Edit, price)
}

fn cancel(offset: u64, of: &Tick) -> Tick {
    amend(offset, of, AmendmentKind::Cancel, 0)
}

/// The one that names its trade by its position in the log.
fn naming_position(mut amending: Tick, place: Position) -> Tick {
    amending.amendment.as_mut().unwrap().target_position = Some(place);
    amending
}

/// Offset and price of each trade.
fn trades(ticks: &[Tick], excluded: &[ExcludedRange], settings: &VenueSettings) -> Vec<(u64, i64)> {
    let trades = trades_current(ticks.to_vec(), excluded, NEXT, settings);
    let trade = |tick: &Tick| {
        assert_eq!(tick.amendment, None);
        (tick.position.offset, tick.trade.price.mantissa())
    };
    trades.iter().map(trade).collect()
}

fn original() -> Tick {
    tick(10, 5, Some("7"))
}

#[test]
fn an_edit_gives_its_values_and_nothing_else() {
    let original = original();
    let edited = trades_current(
        vec![original.clone(), edit(20, &original, 3)],
        &[],
        NEXT,
        &PLAIN,
    );
    let mut expected = original;
    expected.trade.price = Decimal::new(3, 0).unwrap();
    expected.trade.quantity = Some(Decimal::new(3, 1).unwrap());
    expected.trade.side = Some(Side::Sell);
    assert_eq!(edited, [expected]);
}

#[test]
fn the_latest_edit_counts_whatever_the_order_given() {
    let original = original();
    let other = tick(11, 5, Some("8"));
    let ticks = [
        edit(30, &original, 4),
        other.clone(),
        edit(20, &original, 3),
        original.clone(),
        edit(25, &other, 9),
    ];
    for turn in 0..ticks.len() {
        let mut turned = ticks.to_vec();
        turned.rotate_left(turn);
        assert_eq!(trades(&turned, &[], &PLAIN), [(10, 4), (11, 9)]);
    }
}

#[test]
fn a_cancel_is_final_in_any_order() {
    let original = original();
    for (cancelled, edited) in [(20, 30), (30, 20), (1, 20), (20, 1), (1, 2)] {
        let ticks = [
            original.clone(),
            tick(11, 5, Some("8")),
            cancel(cancelled, &original),
            edit(edited, &original, 3),
        ];
        assert_eq!(
            trades(&ticks, &[], &PLAIN),
            [(11, 1)],
            "{cancelled} {edited}"
        );
    }
    // An edit that came before its trade waits for it.
    let ticks = [edit(1, &original, 3), original];
    assert_eq!(trades(&ticks, &[], &PLAIN), [(10, 3)]);
}

#[test]
fn another_event_time_or_scope_names_another_trade() {
    let by_exchange = settings_with(IdScheme::Unique, IdScope::Exchange);
    let original = original();
    let mut later = cancel(20, &original);
    later.trade.time_ns += 1;
    let mut elsewhere = cancel(21, &original);
    elsewhere.trade.scope = Some("NYSE".into());
    let mut of_other_id = cancel(22, &original);
    of_other_id.trade.id = Some(TradeId::Number(70));
    let ticks = [original, later, elsewhere, of_other_id];
    assert_eq!(trades(&ticks, &[], &by_exchange), [(10, 1)]);
    // Where the scope is the symbol alone, the exchange means nothing.
    assert_eq!(trades(&ticks, &[], &PLAIN), []);
}

#[test]
fn a_trade_without_an_id_is_named_by_its_position() {
    let none = settings_with(IdScheme::None, IdScope::Symbol);
    let nameless = [tick(10, 5, None), tick(11, 5, None), tick(12, 5, None)];
    let [first, second, third] = &nameless;
    let mut wrong_time = naming_position(cancel(22, third), third.position);
    wrong_time.trade.time_ns += 1;
    let ticks = [
        first.clone(),
        second.clone(),
        third.clone(),
        naming_position(edit(20, first, 3), first.position),
        naming_position(cancel(21, second), second.position),
        wrong_time,
        // It names nothing at all.
        cancel(23, third),
    ];
    for settings in [none, PLAIN] {
        assert_eq!(trades(&ticks, &[], &settings), [(10, 3), (12, 1)]);
    }
    // A place reaches a trade that has an id as well, and the later of both edits counts.
    let original = original();
    for (by_id, at_place, expected) in [(30, 20, 3), (20, 30, 4)] {
        let ticks = [
            original.clone(),
            edit(by_id, &original, 3),
            naming_position(edit(at_place, &original, 4), original.position),
        ];
        assert_eq!(trades(&ticks, &[], &PLAIN), [(10, expected)]);
    }
}

#[test]
fn a_sender_names_its_trades_by_key_and_index() {
    let none = settings_with(IdScheme::None, IdScope::Symbol);
    let ticks = [
        tick_of_sender(10, 5, 7, 0),
        tick_of_sender(11, 5, 7, 1),
        tick_of_sender(12, 5, 8, 0),
    ];
    let mut all = ticks.to_vec();
    all.push(edit(20, &ticks[0], 3));
    all.push(cancel(21, &ticks[1]));
    assert_eq!(trades(&all, &[], &none), [(10, 3), (12, 1)]);
}

#[test]
fn an_amendment_that_was_excluded_or_is_not_folded_yet_does_nothing() {
    let original = original();
    let ticks = [
        original.clone(),
        edit(20, &original, 3),
        cancel(30, &original),
    ];
    // Delivered twice, the fold has left the second out.
    let left_out = [range(30, 31, TickVerdict::Duplicate)];
    assert_eq!(trades(&ticks, &left_out, &PLAIN), [(10, 3)]);
    let both = [range(20, 31, TickVerdict::Duplicate)];
    assert_eq!(trades(&ticks, &both, &PLAIN), [(10, 1)]);
    let not_yet = [
        original.clone(),
        edit(20, &original, 3),
        cancel(100, &original),
    ];
    assert_eq!(trades(&not_yet, &[], &PLAIN), [(10, 3)]);
}

#[test]
fn an_amendment_marks_no_id_as_seen() {
    let original = original();
    let repeated = tick(30, 5, Some("7"));
    let mut current = TickClassifier::new(PLAIN, NEXT);
    for (tick, verdict, expected) in [
        (edit(1, &original, 3), None, TickInclusion::Counted),
        (original.clone(), None, TickInclusion::Counted),
        (cancel(20, &original), None, TickInclusion::Counted),
        (
            cancel(21, &original),
            Some(TickVerdict::Duplicate),
            TickInclusion::Excluded(TickVerdict::Duplicate),
        ),
        (repeated, None, TickInclusion::MissedDuplicate),
        (cancel(100, &original), None, TickInclusion::Undecided),
    ] {
        assert_eq!(current.classify(&tick, verdict), expected, "{tick:?}");
    }
    // A second delivery of an amendment is no lost trade.
    assert_eq!(current.forget_before_and_take_unmatched(i64::MAX), []);
}

proptest! {
    /// What a store of many pieces tells is what all at once does.
    #[test]
    fn the_order_in_which_amendments_are_inserted_changes_nothing(
        amendments in vec((20_u64..90, 0_usize..3, any::<bool>(), 1_i64..9), 0..12).prop_shuffle(),
    ) {
        let originals = [original(), tick(11, 5, Some("8")), tick(12, HOUR_NS, Some("7"))];
        let mut taken = HashSet::new();
        let given: Vec<_> = amendments
            .into_iter()
            .filter(|(offset, ..)| taken.insert(*offset))
            .map(|(offset, of, cancels, price)| {
                let kind = if cancels { AmendmentKind::Cancel } else { AmendmentKind::Edit };
                (of, amend(offset, &originals[of], kind, price))
            })
            .collect();
        let mut expected = Vec::new();
        for (place, original) in originals.iter().enumerate() {
            let mine = || given.iter().filter(|(of, _)| *of == place).map(|(_, tick)| tick);
            let kind = |tick: &Tick| tick.amendment.as_ref().unwrap().kind;
            if mine().any(|tick| kind(tick) == AmendmentKind::Cancel) {
                continue;
            }
            let edit = mine().max_by_key(|tick| tick.position);
            let price = edit.map_or(1, |tick| tick.trade.price.mantissa());
            expected.push((original.position.offset, price));
        }
        let mut all: Vec<_> = given.into_iter().map(|(_, tick)| tick).collect();
        all.extend(originals);
        prop_assert_eq!(trades(&all, &[], &PLAIN), expected);
    }
}
