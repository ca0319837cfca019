//! A way to a server that can be cut, slow or mute.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clock::{Clock, SystemClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of what is sent through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passage {
    /// It arrives.
    Open,
    /// Connections end, and new ones too, at once.
    Cut,
    /// Every piece arrives so much later.
    Slow(Duration),
    /// Nothing arrives, and connections stay.
    Mute,
}

/// Forwards connections to a server.
#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    passage: watch::Sender<Passage>,
}

impl Proxy {
    /// Listens on a port of this machine, for a server at `host:port`.
    pub(crate) async fn start(port: u16, server: String) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))
            .await
            .with_context(|| format!("port {port} cannot be had"))?;
        let (passage, seen) = watch::channel(Passage::Open);
        let server: Arc<str> = server.into();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (server, seen) = (Arc::clone(&server), seen.clone());
                if *seen.borrow() == Passage::Cut {
                    continue;
                }
                tokio::spawn(connection(near, server, seen));
            }
        });
        Ok(Self { port, passage })
    }

    pub(crate) fn set(&self, passage: Passage) {
        self.passage.send_replace(passage);
    }

    /// An address with this way in place of the server's.
    pub(crate) fn instead(&self, url: &str) -> String {
        url.replace(&host_of(url), &format!("127.0.0.1:{}", self.port))
    }
}

/// The `host:port` of an address.
pub(crate) fn host_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?']).next().unwrap_or(rest);
    host.rsplit('@').next().unwrap_or(host).to_owned()
}

async fn connection(near: TcpStream, server: Arc<str>, seen: watch::Receiver<Passage>) {
    let Ok(far) = TcpStream::connect(&*server).await else {
        return;
    };
    // Small pieces go at once, as they would without us.
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    let mut cut = seen.clone();
    tokio::select! {
        _ = cut.wait_for(|passage| *passage == Passage::Cut) => {}
        () = forward(near_in, far_out, seen.clone()) => {}
        () = forward(far_in, near_out, seen) => {}
    }
}

async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut seen: watch::Receiver<Passage>,
) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let Ok(size @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        let now = *seen.borrow();
        match now {
            Passage::Slow(delay) => SystemClock.sleep(delay).await,
            Passage::Mute => {
                if seen.wait_for(|now| *now != Passage::Mute).await.is_err() {
                    return;
                }
            }
            Passage::Open | Passage::Cut => {}
        }
        if to.write_all(&buffer[..size]).await.is_err() {
            return;
        }
    }
}
