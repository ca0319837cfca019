//! The part latency: trade to delta through the whole cluster.

use super::part::Bench;
use super::role::Role;
use super::trades::VENUE;
use crate::latency::{Latency, measure_at};
use crate::table::milliseconds;

/// Over how many connections trades are posted: a POST waits for the brokers.
const SENDERS: usize = 4;

/// Measures it through an API, an aggregator and an archiver.
pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    bench.at_site("latency", |bench, site| {
        let aggregator = Role::start(site, "aggregator", None)?;
        let archiver = Role::start(site, "archiver", None)?;
        let api = Role::start(site, "api", None)?;
        bench.runtime.block_on(async {
            tokio::try_join!(aggregator.ready(), archiver.ready(), api.ready())
        })?;
        let url = api.url().unwrap_or_default();
        let Latency {
            p50,
            p99,
            trades,
            thousands,
        } = measure_at(url, VENUE, bench.rate, SENDERS)?;
        let table = &mut bench.table;
        table.figure(
            &format!("trade to delta through the cluster, {thousands:.1} k trades/s, p50 p99"),
            &format!("{} {}", milliseconds(p50), milliseconds(p99)),
        );
        table.figure("  trades measured", &trades.to_string());
        for (name, role) in [
            ("aggregator", &aggregator),
            ("archiver", &archiver),
            ("api", &api),
        ] {
            role.check_alive()?;
            let what = format!("  memory of the {name} at the most");
            table.figure(&what, &role.peak()?);
        }
        Ok(())
    })
}
