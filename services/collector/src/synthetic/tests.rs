use std::collections::HashMap;

use market::{DAY_NS, Decimal, MINUTE_NS, SECOND_NS, Symbol, Trade};
use proptest::prelude::*;

use super::{FeedSettingsError, FeedTrades, SyntheticFeed};

const START_NS: i64 = 1_700_000_000 * SECOND_NS;

fn symbols(names: &[&str]) -> Vec<Symbol> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn started_feed(seed: u64, rate: u32) -> SyntheticFeed {
    let names = ["EURUSD", "BTCUSDT", "ETHUSDT", "AAPL", "SPY", "X"];
    let mut feed = SyntheticFeed::new(seed, &symbols(&names), rate).unwrap();
    feed.start_run(START_NS);
    feed
}

fn group_by_symbol(trades: &FeedTrades) -> HashMap<&str, Vec<&Trade>> {
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for (instrument, trade) in trades {
        found.entry(instrument.symbol()).or_default().push(trade);
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_number_of_calls_changes_nothing(seed: u64, pauses_ms in proptest::collection::vec(1_i64..900, 1..20)) {
        let mut paused = started_feed(seed, 20);
        let mut now_ns = START_NS;
        let mut trades = FeedTrades::new();
        for pause_ms in &pauses_ms {
            now_ns += pause_ms * 1_000_000;
            trades.extend(paused.generate_trades_until(now_ns));
        }
        let mut steady = started_feed(seed, 20);
        let expected: FeedTrades = (START_NS / 1_000_000..=now_ns / 1_000_000)
            .flat_map(|now_ms| steady.generate_trades_until(now_ms * 1_000_000))
            .collect();
        let (found, expected) = (group_by_symbol(&trades), group_by_symbol(&expected));
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn every_trade_is_valid_and_ids_count_up(seed: u64) {
        let mut feed = started_feed(seed, 50);
        let trades: FeedTrades = (1..200)
            .flat_map(|tenths| feed.generate_trades_until(START_NS + tenths * SECOND_NS / 10))
            .collect();
        for (_, trade) in &trades {
            prop_assert_eq!(market::validate_trade_of_any_venue(trade, trade.time_ns), Ok(()));
            prop_assert_eq!(SyntheticFeed::venue_settings().validate_trade(trade), Ok(()));
        }
        for (symbol, trades) in group_by_symbol(&trades) {
            let ids: Vec<_> = trades.iter().filter_map(|trade| trade.id.as_ref()?.as_number()).collect();
            prop_assert_eq!(ids, (1..=trades.len() as u64).collect::<Vec<_>>());
            prop_assert!(trades.is_sorted_by_key(|trade| trade.time_ns));
            prop_assert!(trades.len() > 800 && trades.len() < 1_200, "{} of {}", trades.len(), symbol);
            prop_assert_eq!(trades.iter().all(|trade| trade.quantity.is_none()), symbol == "EURUSD");
            prop_assert_eq!(trades.iter().all(|trade| trade.side.is_some()), symbol.ends_with("USDT"));
        }
    }
}

#[test]
fn other_symbols_do_not_change_the_walk_of_a_symbol() {
    let mut alone = SyntheticFeed::new(7, &symbols(&["SPY"]), 10).unwrap();
    alone.start_run(START_NS);
    let expected = alone.generate_trades_until(START_NS + SECOND_NS);
    let all = started_feed(7, 10).generate_trades_until(START_NS + SECOND_NS);
    assert_eq!(
        group_by_symbol(&all)["SPY"],
        group_by_symbol(&expected)["SPY"]
    );
}

#[test]
fn a_price_stays_around_the_first_one() {
    let mut feed = SyntheticFeed::new(3, &symbols(&["BTCUSDT"]), 100).unwrap();
    feed.start_run(START_NS);
    let range = Decimal::new(50_000, 0).unwrap()..Decimal::new(200_000, 0).unwrap();
    for seconds in 0..DAY_NS / SECOND_NS / 24 {
        for (_, trade) in feed.generate_trades_until(START_NS + seconds * SECOND_NS) {
            assert!(range.contains(&trade.price), "{}", trade.price);
        }
    }
}

#[test]
fn a_feed_far_behind_continues_from_now_with_the_next_id() {
    let mut feed = SyntheticFeed::new(1, &symbols(&["SPY"]), 10).unwrap();
    feed.start_run(START_NS);
    let before = feed.generate_trades_until(START_NS + SECOND_NS / 2);
    assert_eq!(feed.take_skipped_seconds(), 0);
    let now_ns = START_NS + 10 * MINUTE_NS;
    let after = feed.generate_trades_until(now_ns);
    assert!(
        after
            .iter()
            .all(|(_, trade)| trade.time_ns >= now_ns - SECOND_NS && trade.time_ns <= now_ns)
    );
    assert!(after.len() < 30, "{}", after.len());
    let last = before
        .last()
        .and_then(|(_, trade)| trade.id.as_ref()?.as_number());
    let first = after
        .first()
        .and_then(|(_, trade)| trade.id.as_ref()?.as_number());
    assert_eq!(first, last.map(|last| last + 1));
    assert!((597..=599).contains(&feed.take_skipped_seconds()));
    assert!(feed.next_time_ns() > now_ns);
}

#[test]
fn two_runs_share_no_ids() {
    let mut feed = started_feed(1, 4);
    let one = feed.generate_trades_until(START_NS + SECOND_NS / 2);
    feed.start_run(START_NS + SECOND_NS);
    let other = feed.generate_trades_until(START_NS + 2 * SECOND_NS);
    assert_eq!(one[0].1.id, other[0].1.id);
    assert_ne!(one[0].1.scope, other[0].1.scope);
    assert_eq!(one[0].1.scope.as_deref(), Some("run-2023-11-14T22:13:20Z"));
}

#[test]
fn a_feed_that_cannot_be_created_is_refused_with_the_reason() {
    let twice = SyntheticFeed::new(1, &symbols(&["A", "B", "A"]), 1).unwrap_err();
    assert_eq!(twice, FeedSettingsError::Repeated("A".parse().unwrap()));
    assert_eq!(
        SyntheticFeed::new(1, &[], 1).unwrap_err(),
        FeedSettingsError::NoSymbol
    );
    for rate in [0, 100_001] {
        let error = SyntheticFeed::new(1, &symbols(&["A"]), rate).unwrap_err();
        assert_eq!(error, FeedSettingsError::Rate(rate));
    }
}
