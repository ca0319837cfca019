//! Setting up the tables, topics and roles of a cluster.

use std::path::Path;
use std::sync::Arc;

use client::RestClient;

use crate::proxy::Proxy;
use crate::rest::client_of_port;
use crate::role_process::{RestartingProcess, RoleKind, command_without_configuration};
use crate::stack::{ROLE_PORTS, ServerStack, run_command};

/// Returns a client of each API pod.
pub(super) fn api_clients(roles: &[Arc<RestartingProcess>]) -> Vec<RestClient> {
    let pods = roles.iter().filter(|role| role.kind == RoleKind::Api);
    pods.map(|role| client_of_port(role.port)).collect()
}

/// Returns the options with the addresses of the stores of bars and ticks.
pub(super) fn bar_and_tick_store_arguments(timescaledb: &str, clickhouse: &str) -> Vec<String> {
    let options = [
        ["--timescaledb-url", timescaledb],
        ["--clickhouse-url", clickhouse],
    ];
    options.concat().into_iter().map(str::to_owned).collect()
}

/// Creates the tables of both stores.
pub(super) async fn create_tables(binary: &Path, stack: &ServerStack) -> anyhow::Result<()> {
    let mut command = command_without_configuration(binary);
    command.arg("migrate").args(bar_and_tick_store_arguments(
        stack.timescaledb()?,
        stack.clickhouse()?,
    ));
    run_command(&mut command).await.map(drop)
}

/// Creates the topics that do not exist, and sets the settings of the others right.
pub(super) async fn apply_topics(
    binary: &Path,
    stack: &ServerStack,
    partitions: u32,
    brokers: u32,
) -> anyhow::Result<()> {
    let mut command = command_without_configuration(binary);
    command.args(["topics", "apply", "--brokers", stack.kafka()?]);
    command.args(["--partitions", &partitions.to_string()]);
    command.args(["--replication", &brokers.to_string()]);
    run_command(&mut command).await.map(drop)
}

/// Returns two processes of each role. One of the two is a static member of its group.
pub(super) fn configure_role_processes(
    stack: &ServerStack,
    proxies: &[Proxy],
) -> anyhow::Result<Vec<Arc<RestartingProcess>>> {
    let [bars, ticks, hot] = [
        proxies[0].address_through_proxy(stack.timescaledb()?),
        proxies[1].address_through_proxy(stack.clickhouse()?),
        proxies[2].address_through_proxy(stack.redis()?),
    ];
    let mut shared = bar_and_tick_store_arguments(&bars, &ticks);
    shared.extend(["--brokers", stack.kafka()?].map(str::to_owned));
    // Outages last seconds here, not minutes.
    shared.extend(["--breaker-open-for", "2s", "--breaker-timeout", "4s"].map(str::to_owned));
    shared.extend(["--log", "info"].map(str::to_owned));
    let mut roles = Vec::new();
    let kinds = [RoleKind::Api, RoleKind::Aggregator, RoleKind::Archiver];
    for (first, kind) in (ROLE_PORTS..).step_by(2).zip(kinds) {
        for number in [1, 2] {
            let mut arguments = shared.clone();
            if kind == RoleKind::Aggregator {
                arguments.extend(["--redis-url".to_owned(), hot.clone()]);
            }
            if kind != RoleKind::Api && number == 1 {
                arguments.extend(["--instance", "first"].map(str::to_owned));
            }
            let port = stack.port(first + number - 1);
            roles.push(RestartingProcess::new(kind, number, port, &arguments));
        }
    }
    Ok(roles)
}
