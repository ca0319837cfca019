//! Readers of REST and of the stream that stop reading for a while.

use std::net::Ipv4Addr;
use std::time::Duration;

use clock::{Clock, SystemClock};
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::fault::Fault;
use crate::cluster::TortureCluster;
use crate::role_process::RoleKind;
use crate::trade_source::VENUES;

/// The connections to each pod, and the requests of each, whose answers together are more than the
/// buffers between the two hold.
const CONNECTIONS: usize = 2;
const REQUESTS: usize = 40;
const RECEIVE_BUFFER_BYTES: u32 = 16 << 10;
/// How long the reader waits for the rest. A pod may have closed the connection.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

impl Fault {
    /// Stops some clients of the stream, and readers of large answers, for a while.
    pub(super) async fn stall_readers(&mut self, cluster: &TortureCluster) -> anyhow::Result<()> {
        let clients = cluster.stream_clients.get().map_or(&[][..], Vec::as_slice);
        let mut stalled = Vec::new();
        for client in clients {
            if self.random.one_in(2) {
                client.set_stalled(true);
                stalled.push(client);
            }
        }
        let mut readers = Vec::new();
        for pod in cluster.processes_of_kind(RoleKind::Api) {
            for _ in 0..CONNECTIONS {
                let venue = self.random.choose(&VENUES).venue;
                let path = format!("/api/v1/trades/{venue}/S1?limit=2000");
                readers.push(stall_reader(pod.port, path, self.lasts));
            }
        }
        let received: Vec<u64> = join_all(readers).await;
        for client in &stalled {
            client.set_stalled(false);
        }
        cluster.journal.write_event(&format!(
            "{} clients of the stream stalled; readers of answers received {received:?} bytes",
            stalled.len()
        ));
        Ok(())
    }
}

async fn connect(port: u16) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    socket.connect((Ipv4Addr::LOCALHOST, port).into()).await
}

/// Sends requests over one connection, reads nothing for a while, and then everything. Returns the
/// number of bytes received; 0 if the pod is away.
async fn stall_reader(port: u16, path: String, lasts: Duration) -> u64 {
    let begin = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n");
    let Ok(stream) = connect(port).await else {
        SystemClock.sleep(lasts).await;
        return 0;
    };
    let (mut reader, mut writer) = stream.into_split();
    // The pod stops reading requests when it cannot send answers.
    let requests = format!("{begin}\r\n").repeat(REQUESTS) + &begin + "Connection: close\r\n\r\n";
    let sent = clock::timeout(&SystemClock, lasts, async {
        let sent = writer.write_all(requests.as_bytes()).await;
        SystemClock.sleep(lasts).await;
        sent
    });
    let _ = sent.await;
    let mut received = 0;
    let mut buffer = vec![0; 64 << 10];
    let _ = clock::timeout(&SystemClock, READ_TIMEOUT, async {
        while let Ok(size @ 1..) = reader.read(&mut buffer).await {
            received += size as u64;
        }
    })
    .await;
    received
}
