//! The cluster form, measured on real servers.
//!
//! Each part has a [`sandbox::Sandbox`] of its own: topics and databases that no other process
//! uses. What is measured by CPU time runs in a process of its own: the roles as they are, and
//! [`child_work`] for the rest.

mod arguments;
mod child_process;
mod child_task;
mod child_work;
mod cluster_bench;
mod help;
mod kafka;
mod lag;
mod latency;
mod machine;
mod part;
mod plain;
mod process_stats;
mod produce;
mod progress;
mod restart;
mod role;
mod sandbox;
mod servers;
mod stores;
mod trades;
mod wait;

use std::process::ExitCode;

pub(super) use arguments::ClusterBenchArgs;
pub(super) use help::HELP;

use self::arguments::ClusterBenchSettings;
use self::cluster_bench::ClusterBench;
use self::part::ClusterBenchPart;
use super::table::FigureTable;

/// Measures the selected parts and prints the figures; in a child process, runs its task.
pub(super) fn measure_selected_parts(
    settings: ClusterBenchSettings,
    latency_rate: u64,
) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    if let Some(task) = settings.worker {
        child_work::run_task_and_print_report(task, &settings, &runtime)?;
        return Ok(ExitCode::SUCCESS);
    }
    machine::print_machine_description();
    wait::end_waits_on_interrupt(&runtime);
    let mut bench = ClusterBench {
        settings,
        runtime,
        latency_rate,
        table: FigureTable::default(),
    };
    for part in bench.settings.parts.clone() {
        println!("{}", part.description());
        let measured = match part {
            ClusterBenchPart::Kafka => kafka::measure_folding(&mut bench),
            ClusterBenchPart::Producer => produce::measure_appending(&mut bench),
            ClusterBenchPart::Stores => stores::measure_stores(&mut bench),
            ClusterBenchPart::Lag => lag::measure_catching_up(&mut bench),
            ClusterBenchPart::Restart => restart::measure_restart_and_takeover(&mut bench),
            ClusterBenchPart::Latency => latency::measure_cluster_latency(&mut bench),
        };
        if let Err(error) = measured {
            // The figures of the parts before are still of use.
            bench.table.print();
            return Err(error.context(format!("the part {part:?}")));
        }
    }
    bench.table.print();
    Ok(ExitCode::SUCCESS)
}
