//! A seeded simulation of a whole cluster, which drives the real workers, archivers and hubs.
//!
//! The log, the stores and the clock are simulated; everything between them is what runs in
//! production. A scheduler polls one task at a time, chosen by the seed, so a crash is a task
//! dropped at any point where it waits. Both invariants of the design are checked: the state
//! after every commit, delivery for every message and at the end.
//!
//! `CANDLEWICK_SIM_SEEDS` says how many seeds are run (2,000 unless told), and
//! `CANDLEWICK_SIM_SEED` runs one alone, which is how a failure is replayed.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "all of this is a test"
)]

mod chaos;
mod check;
mod clock;
mod log;
mod mutants;
mod oracle;
mod pod;
mod random;
mod settle;
mod sim_client;
mod store;
mod ticks;
mod totals;
mod trades;
mod world;

use std::panic::catch_unwind;
use std::sync::atomic::{AtomicU64, Ordering};

use totals::Totals;
use world::{Mutant, run_seed};

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is not a number: {text}")),
    )
}

#[test]
fn every_seed_keeps_both_invariants() {
    if let Some(seed) = setting("CANDLEWICK_SIM_SEED") {
        let totals = run_seed(seed, None).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
        println!("seed {seed}: {totals}");
        return;
    }
    let seeds = setting("CANDLEWICK_SIM_SEEDS").unwrap_or(2_000);
    let next = AtomicU64::new(0);
    let totals = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(|| work(&next, seeds))).collect();
        let mut totals = Totals::default();
        for thread in threads {
            match thread
                .join()
                .expect("a worker thread reports failures as values")
            {
                Ok(part) => totals.add(&part),
                Err((seed, wrong)) => panic!(
                    "seed {seed}: {wrong}\nreplay it with CANDLEWICK_SIM_SEED={seed} cargo test -p candlewick-simulation"
                ),
            }
        }
        totals
    });
    println!("{seeds} seeds: {totals}");
    totals.assert_something_happened(seeds);
}

fn work(next: &AtomicU64, seeds: u64) -> Result<Totals, (u64, String)> {
    let mut totals = Totals::default();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= seeds {
            return Ok(totals);
        }
        match outcome(seed, None) {
            Ok(part) => totals.add(&part),
            Err(wrong) => {
                next.store(seeds, Ordering::Relaxed);
                return Err((seed, wrong));
            }
        }
    }
}

/// A panic of the code under test is a failure of the seed like any other.
fn outcome(seed: u64, mutant: Option<Mutant>) -> Result<Totals, String> {
    catch_unwind(|| run_seed(seed, mutant)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("panicked: {}", text.unwrap_or_default()))
    })
}
