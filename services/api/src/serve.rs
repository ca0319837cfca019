//! Listening.

mod counted;

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

use self::counted::Counted;

/// How many connections there are at once, upgraded ones included; others wait to be accepted.
const CONNECTIONS: usize = 10_000;

/// How long a connection may be without a whole header: before its first request, within the
/// header, and between two requests.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long requests under way may take once the process stops.
const GRACE: Duration = Duration::from_secs(3);

/// How long is waited where the system has no more descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Serves until `shutdown`, then gives the requests under way three seconds to finish. Upgraded
/// connections are not waited for: the live stream drains its own.
pub async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            // Those that are done make room at once.
            Some(_) = connections.join_next() => {}
            stream = accept(&listener, &room) => {
                connections.spawn(answer(stream, router.clone(), shutdown.clone()));
            }
        }
    }
    // Before the wait: nobody is to come in between.
    drop(listener);
    let finished = async { while connections.join_next().await.is_some() {} };
    if timeout(&SystemClock, GRACE, finished).await.is_err() {
        let left = connections.len();
        tracing::warn!(left, "connections were cut: they did not end in time");
        connections.shutdown().await;
    }
}

/// The next connection, once there is room for it.
async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> Counted<TcpStream> {
    let permit = Arc::clone(room).acquire_owned().await;
    let permit = permit.expect("the room is never closed");
    loop {
        let error = match listener.accept().await {
            Ok((stream, _)) => {
                // A delta must not wait for the acknowledgement of the one before.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "Nagle's algorithm stays on");
                }
                return Counted::new(stream, permit);
            }
            Err(error) => error,
        };
        let is_gone = matches!(
            error.kind(),
            ErrorKind::ConnectionRefused
                | ErrorKind::ConnectionAborted
                | ErrorKind::ConnectionReset
        );
        if !is_gone {
            tracing::warn!(%error, "connections cannot be accepted; trying again in a second");
            SystemClock.sleep(ACCEPT_PAUSE).await;
        }
    }
}

/// Answers the requests of a connection until it ends.
async fn answer(stream: Counted<TcpStream>, router: Router, shutdown: CancellationToken) {
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
