//! Accepting connections.

mod limited_stream;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use clock::{Clock, SystemClock, timeout};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::limited_stream::PermitHoldingStream;

/// The greatest number of open connections, upgraded ones included; others wait to be accepted.
const MAX_CONNECTIONS: usize = 10_000;

/// How long a client may take to send a whole header, and how long it may be silent before a
/// request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long requests may still take once the process stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);

/// How long to wait if a connection cannot be accepted, as without free file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Serves requests until `shutdown`, then gives unfinished ones three seconds. Upgraded connections
/// have this time too: the live stream closes its own, and the clients answer.
pub async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            // Finished connections free their permits at once.
            Some(_) = connections.join_next() => {}
            stream = accept_connection(&listener, &permits) => {
                connections.spawn(serve_connection(stream, router.clone(), shutdown.clone()));
            }
        }
    }
    // Before the wait, so that no connection is accepted during it.
    drop(listener);
    let finished = async {
        while connections.join_next().await.is_some() {}
        // Every connection has one, and an upgraded one keeps it.
        let all_permits = u32::try_from(MAX_CONNECTIONS).expect("it is below 2^32");
        let _ = permits.acquire_many(all_permits).await;
    };
    if timeout(&SystemClock, DRAIN_TIMEOUT, finished)
        .await
        .is_err()
    {
        let connections_left = MAX_CONNECTIONS - permits.available_permits();
        tracing::warn!(
            connections_left,
            "connections did not end in time and are closed"
        );
        connections.shutdown().await;
    }
}

/// Accepts the next connection once a permit is free.
async fn accept_connection(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> PermitHoldingStream<TcpStream> {
    let permit = Arc::clone(permits).acquire_owned().await;
    let permit = permit.expect("the semaphore is never closed");
    loop {
        let error = match listener.accept().await {
            Ok((stream, _)) => {
                // A small message must not wait for the acknowledgement of the message before.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "Nagle's algorithm cannot be switched off");
                }
                return PermitHoldingStream::new(stream, permit);
            }
            Err(error) => error,
        };
        let client_left = matches!(
            error.kind(),
            ErrorKind::ConnectionRefused
                | ErrorKind::ConnectionAborted
                | ErrorKind::ConnectionReset
        );
        if !client_left {
            tracing::warn!(%error, "connections cannot be accepted; trying again in a second");
            SystemClock.sleep(ACCEPT_RETRY_DELAY).await;
        }
    }
}

/// Serves the requests of a connection until it ends.
async fn serve_connection(
    stream: PermitHoldingStream<TcpStream>,
    router: Router,
    shutdown: CancellationToken,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "connection failed");
    }
}

#[cfg(test)]
mod tests;
