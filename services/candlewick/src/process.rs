//! What every process that serves needs before its role starts.

use std::net::SocketAddr;

use host::{BuildInfo, MetricsHandle};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// The version of the binary.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Starts recording metrics, those of the log included.
///
/// # Errors
/// If metrics are already recorded.
pub(crate) fn install_metrics() -> Result<MetricsHandle, host::StartupError> {
    let metrics = MetricsHandle::install(BuildInfo {
        version: VERSION,
        commit: option_env!("CANDLEWICK_COMMIT").unwrap_or("unknown"),
    })?;
    eventlog::TopicMetrics::describe_metrics();
    Ok(metrics)
}

/// Builds an asynchronous runtime with one thread for each core.
///
/// # Errors
/// If the operating system refuses a thread.
pub(crate) fn build_runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}

/// Listens on an address.
///
/// # Errors
/// If the address is in use or does not belong to this machine, with what to do about it.
pub(crate) async fn bind_listener(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                "; another process listens there: stop it, or choose another with --listen"
            }
            _ => "",
        };
        anyhow::anyhow!("cannot listen on {address}: {error}{hint}")
    })
}
