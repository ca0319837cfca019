//! A seeded simulation of a whole cluster, which drives the real workers, archivers and hubs.
//!
//! The log, the stores and the clock are simulated; everything between them is what runs in
//! production. A scheduler polls one task at a time, chosen by the seed, so a crash is a task
//! dropped at any point where it waits. Both invariants of the design are checked: the state
//! after every commit, delivery for every message and at the end.
//!
//! `CANDLEWICK_SIM_SEEDS` is the number of seeds to run (2,000 by default). `CANDLEWICK_SIM_SEED`
//! runs one seed alone, to replay a failure.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "all of this is a test"
)]

mod bar_store;
mod check;
mod clock;
mod cluster;
mod faults;
mod idle;
mod log;
mod mutant;
mod mutants;
mod oracle;
mod pod;
mod random;
mod refused_close;
mod retention;
mod settle;
mod sim_client;
mod simulated;
mod tasks;
mod tick_store;
mod totals;
mod trade_producer;

use std::panic::catch_unwind;
use std::sync::atomic::{AtomicU64, Ordering};

use cluster::run_seed;
use mutant::Mutant;
use totals::Totals;

fn env_number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is not a number: {text}")),
    )
}

#[test]
fn every_seed_keeps_both_invariants() {
    if let Some(seed) = env_number("CANDLEWICK_SIM_SEED") {
        let totals = run_seed(seed, None).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
        println!("seed {seed}: {totals}");
        return;
    }
    let seeds = env_number("CANDLEWICK_SIM_SEEDS").unwrap_or(2_000);
    let next = AtomicU64::new(0);
    let totals = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| run_seeds(&next, seeds)))
            .collect();
        let mut totals = Totals::default();
        for thread in threads {
            match thread
                .join()
                .expect("a worker thread reports failures as values")
            {
                Ok(part) => totals.add_totals(&part),
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

fn run_seeds(next: &AtomicU64, seeds: u64) -> Result<Totals, (u64, String)> {
    let mut totals = Totals::default();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= seeds {
            return Ok(totals);
        }
        match run_seed_caught(seed, None) {
            Ok(part) => totals.add_totals(&part),
            Err(wrong) => {
                next.store(seeds, Ordering::Relaxed);
                return Err((seed, wrong));
            }
        }
    }
}

/// Runs a seed, and reports a panic of the code under test as an error.
fn run_seed_caught(seed: u64, mutant: Option<Mutant>) -> Result<Totals, String> {
    catch_unwind(|| run_seed(seed, mutant)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("panicked: {}", text.unwrap_or_default()))
    })
}
