//! Runs the real processes against real servers, injects faults, and reconciles row by row.
//!
//! | file | what it does |
//! |---|---|
//! | `cluster.rs`, `stack.rs`, `role_process.rs`, `proxy.rs` | the cluster under test: servers, restarted processes, connections that can be cut |
//! | `trade_source.rs`, `feed.rs` | generated trades, late, repeated and amended, sent until acknowledged |
//! | `sent_trades.rs` | what was sent and acknowledged |
//! | `roaming_client.rs` | clients of the stream that move between pods |
//! | `faults.rs` | the faults, chosen by the seed |
//! | `oracle.rs` | a second, simple fold of the log |
//! | `reconcile.rs`, `report.rs` | the comparison of what was sent, logged, stored and shown |

mod cluster;
mod fault_kind;
mod faults;
mod feed;
mod journal;
mod kafka;
mod options;
mod oracle;
mod proxy;
mod random;
mod reconcile;
mod report;
mod rest;
mod roaming_client;
mod role_process;
mod run;
mod sent_trades;
mod stack;
mod trade_source;

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
