//! The cluster form, measured on real servers.
//!
//! Each part has a [`Site`] of its own: topics and databases that nobody else uses. Whatever is
//! measured by CPU time is a process: the roles as they are, and [`worker`] for the rest.

mod arguments;
mod ends;
mod help;
mod kafka;
mod lag;
mod latency;
mod machine;
mod part;
mod plain;
mod proc;
mod produce;
mod restart;
mod role;
mod servers;
mod site;
mod stores;
mod trades;
mod wait;
mod worker;

use std::process::ExitCode;

pub(super) use arguments::ClusterBenchArgs;
pub(super) use help::HELP;

use self::arguments::Settings;
use self::part::{Bench, Part};
use super::table::Table;

/// Measures the parts that were chosen, and prints; or does the work of a child process.
pub(super) fn run(settings: Settings, rate: u64) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    if let Some(work) = settings.worker {
        worker::run(work, &settings, &runtime)?;
        return Ok(ExitCode::SUCCESS);
    }
    machine::describe();
    wait::stop_on_interrupt(&runtime);
    let mut bench = Bench {
        settings,
        runtime,
        rate,
        table: Table::default(),
    };
    for part in bench.settings.parts.clone() {
        println!("{}", part.how());
        let measured = match part {
            Part::Kafka => kafka::measure(&mut bench),
            Part::Producer => produce::measure(&mut bench),
            Part::Stores => stores::measure(&mut bench),
            Part::Lag => lag::measure(&mut bench),
            Part::Restart => restart::measure(&mut bench),
            Part::Latency => latency::measure(&mut bench),
        };
        if let Err(error) = measured {
            // What was measured before is worth having.
            bench.table.print();
            return Err(error.context(format!("the part {part:?}")));
        }
    }
    bench.table.print();
    Ok(ExitCode::SUCCESS)
}
