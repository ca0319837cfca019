//! The part latency: trade to delta through the whole cluster.

use super::cluster_bench::ClusterBench;
use super::role::RoleProcess;
use super::trades::VENUE;
use crate::latency::measure_latency;
use crate::table::format_as_milliseconds;

/// The number of connections that post trades: a POST waits for the brokers.
const SENDERS: usize = 4;

/// Measures the latency through an API, an aggregator and an archiver.
pub(super) fn measure_cluster_latency(bench: &mut ClusterBench) -> anyhow::Result<()> {
    bench.measure_in_sandbox("latency", |bench, sandbox| {
        let aggregator = RoleProcess::start(sandbox, "aggregator", None)?;
        let archiver = RoleProcess::start(sandbox, "archiver", None)?;
        let api = RoleProcess::start(sandbox, "api", None)?;
        bench.runtime.block_on(async {
            tokio::try_join!(
                aggregator.wait_until_ready(),
                archiver.wait_until_ready(),
                api.wait_until_ready()
            )
        })?;
        let url = api.url().unwrap_or_default();
        let latency = measure_latency(url, VENUE, bench.latency_rate, SENDERS)?;
        let table = &mut bench.table;
        let rate = latency.thousands_per_second;
        table.add_and_print_figure(
            &format!("trade to delta through the cluster, {rate:.1} k trades/s, p50 p99"),
            &format!(
                "{} {}",
                format_as_milliseconds(latency.p50_us),
                format_as_milliseconds(latency.p99_us)
            ),
        );
        table.add_and_print_figure("  trades measured", &latency.trades.to_string());
        for (name, role) in [
            ("aggregator", &aggregator),
            ("archiver", &archiver),
            ("api", &api),
        ] {
            role.check_alive()?;
            let what = format!("  memory of the {name} at the most");
            table.add_and_print_figure(&what, &role.peak_memory_text()?);
        }
        Ok(())
    })
}
