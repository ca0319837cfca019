//! A proxy of a server, which can cut, delay or withhold what passes through it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clock::{Clock, SystemClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the proxy does with connections and their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProxyMode {
    /// Forwards at once.
    Open,
    /// Ends existing and new connections at once.
    Cut,
    /// Forwards after a delay.
    Slow(Duration),
    /// Keeps connections open and forwards nothing.
    Mute,
}

/// Forwards connections to a server.
#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    mode: watch::Sender<ProxyMode>,
}

impl Proxy {
    /// Listens on a port of this machine, for a server at `host:port`.
    pub(crate) async fn start(port: u16, server: String) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))
            .await
            .with_context(|| format!("port {port} is in use"))?;
        let (mode, seen) = watch::channel(ProxyMode::Open);
        let server: Arc<str> = server.into();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (server, seen) = (Arc::clone(&server), seen.clone());
                if *seen.borrow() == ProxyMode::Cut {
                    continue;
                }
                tokio::spawn(forward_connection(near, server, seen));
            }
        });
        Ok(Self { port, mode })
    }

    pub(crate) fn set_mode(&self, mode: ProxyMode) {
        self.mode.send_replace(mode);
    }

    /// Returns the address with the proxy's host and port in place of the server's.
    pub(crate) fn address_through_proxy(&self, url: &str) -> String {
        url.replace(&host_and_port(url), &format!("127.0.0.1:{}", self.port))
    }
}

/// Returns the `host:port` of an address.
pub(crate) fn host_and_port(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?']).next().unwrap_or(rest);
    host.rsplit('@').next().unwrap_or(host).to_owned()
}

async fn forward_connection(near: TcpStream, server: Arc<str>, seen: watch::Receiver<ProxyMode>) {
    let Ok(far) = TcpStream::connect(&*server).await else {
        return;
    };
    // Small packets are sent at once, as without a proxy.
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    let mut cut = seen.clone();
    tokio::select! {
        _ = cut.wait_for(|mode| *mode == ProxyMode::Cut) => {}
        () = forward_bytes(near_in, far_out, seen.clone()) => {}
        () = forward_bytes(far_in, near_out, seen) => {}
    }
}

async fn forward_bytes(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut seen: watch::Receiver<ProxyMode>,
) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let Ok(size @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        let now = *seen.borrow();
        match now {
            ProxyMode::Slow(delay) => SystemClock.sleep(delay).await,
            ProxyMode::Mute => {
                if seen.wait_for(|now| *now != ProxyMode::Mute).await.is_err() {
                    return;
                }
            }
            ProxyMode::Open | ProxyMode::Cut => {}
        }
        if to.write_all(&buffer[..size]).await.is_err() {
            return;
        }
    }
}
