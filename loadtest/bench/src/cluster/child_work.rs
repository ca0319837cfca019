//! What a child process does.

use clock::{Clock, SystemClock};
use tokio::runtime::Runtime;

use super::arguments::ClusterBenchSettings;
use super::child_process::ChildReport;
use super::child_task::ChildTask;
use super::process_stats::{cpu_seconds, peak_memory_kib};
use super::wait::seconds_since;
use super::{plain, produce};

/// Runs a task in this process and prints the report.
pub(super) fn run_task_and_print_report(
    task: ChildTask,
    settings: &ClusterBenchSettings,
    runtime: &Runtime,
) -> anyhow::Result<()> {
    let (start_ns, trades) = match task {
        ChildTask::Plain => {
            let start_ns = SystemClock.monotonic_ns();
            (start_ns, plain::fold_topic_and_count_trades(settings)?)
        }
        ChildTask::Produce => runtime.block_on(async {
            let producer = produce::GeneratedTradeAppender::from_settings(settings).await?;
            let start_ns = SystemClock.monotonic_ns();
            let sent = producer.append_trades(settings.trades, settings.span_seconds);
            anyhow::Ok((start_ns, sent.await?))
        })?,
    };
    let me = std::process::id();
    let report = ChildReport {
        trades,
        seconds: seconds_since(start_ns),
        cpu_seconds: cpu_seconds(me)?,
        peak_kib: peak_memory_kib(me)?,
    };
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}
