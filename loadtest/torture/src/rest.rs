//! Requests over REST from asynchronous code.

use std::time::Duration;

use client::{RestClient, RestError};

/// Longer than a pod needs for a response, shorter than a pod stays frozen.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(6);

/// Returns a client of the process at a port of this machine.
pub(crate) fn client_of_port(port: u16) -> RestClient {
    let url = format!("http://127.0.0.1:{port}");
    RestClient::with_timeout(&url, REQUEST_TIMEOUT).expect("the URL has a scheme and a host")
}

/// Runs a request on a thread that may block.
///
/// # Errors
/// As `send`.
pub(crate) async fn send_blocking_request<T: Send + 'static>(
    rest: &RestClient,
    send: impl FnOnce(&RestClient) -> Result<T, RestError> + Send + 'static,
) -> anyhow::Result<T> {
    let rest = rest.clone();
    Ok(tokio::task::spawn_blocking(move || send(&rest)).await??)
}
