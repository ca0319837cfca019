//! Runs the real processes against the real servers, breaks everything, and reconciles row by row.
//!
//! | file | what it does |
//! |---|---|
//! | `stack.rs`, `roles.rs`, `proxy.rs` | servers, processes that are kept running, connections that can be cut |
//! | `exchange.rs`, `feed.rs` | trades with all that goes wrong with them, sent until acknowledged |
//! | `ledger.rs` | what was sent and acknowledged |
//! | `client.rs` | clients of the stream that move between pods |
//! | `faults.rs` | what is broken, chosen by the seed |
//! | `oracle.rs` | what the log says, folded once more, as plainly as it can be |
//! | `reconcile.rs`, `report.rs` | what was sent, logged, stored and shown, compared |

mod exchange;
mod faults;
mod feed;
mod journal;
mod kafka;
mod ledger;
mod options;
mod oracle;
mod proxy;
mod random;
mod reconcile;
mod report;
mod rest;
mod roaming_client;
mod roles;
mod run;
mod stack;
mod world;

use std::process::ExitCode;

use clap::Parser;

use crate::options::Options;

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run::run(&options))
}
