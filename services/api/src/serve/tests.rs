use std::io;
use std::net::SocketAddr;

use axum::extract::WebSocketUpgrade;
use axum::response::Response;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use super::*;

async fn respond_slowly() -> &'static str {
    SystemClock.sleep(Duration::from_millis(500)).await;
    "done"
}

async fn echo_messages(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async |mut socket| {
        while let Some(Ok(message)) = socket.recv().await {
            if socket.send(message).await.is_err() {
                return;
            }
        }
    })
}

async fn start_server() -> (SocketAddr, CancellationToken, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let router = Router::new()
        .route("/", get(async || "hello"))
        .route("/slow", get(respond_slowly))
        .route("/socket", get(echo_messages));
    let served = tokio::spawn(serve(listener, router, stop.clone()));
    (address, stop, served)
}

async fn connect_and_send(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// Reads until the text contains `end`.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.contains(end) {
        let mut buffer = [0; 256];
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "it ended early: {text}");
        text += &String::from_utf8_lossy(&buffer[..count]);
    }
    text
}

fn elapsed(begin_ns: u64) -> Duration {
    Duration::from_nanos(SystemClock.monotonic_ns() - begin_ns)
}

#[tokio::test]
async fn an_unfinished_header_times_out_while_others_are_served() {
    let (address, _stop, _served) = start_server().await;
    let begin_ns = SystemClock.monotonic_ns();
    let mut half = connect_and_send(address, "GET / HTTP/1.1\r\nHost: x\r\n").await;
    let mut whole = connect_and_send(address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    read_until(&mut whole, "hello").await;
    let mut rest = Vec::new();
    let read: io::Result<_> = half.read_to_end(&mut rest).await;
    assert!(read.is_err() || !rest.starts_with(b"HTTP/1.1 200"));
    let waited = elapsed(begin_ns);
    let limit = HEADER_TIMEOUT + Duration::from_secs(5);
    assert!((HEADER_TIMEOUT..limit).contains(&waited), "{waited:?}");
}

#[tokio::test]
async fn an_unfinished_header_does_not_prevent_stopping_and_requests_finish() {
    let (address, stop, served) = start_server().await;
    let _half = connect_and_send(address, "GET / HTTP/1.1\r\nHost: x\r\n").await;
    let mut idle = connect_and_send(address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    read_until(&mut idle, "hello").await;
    let mut slow = connect_and_send(address, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    SystemClock.sleep(Duration::from_millis(100)).await;
    let begin_ns = SystemClock.monotonic_ns();
    stop.cancel();
    read_until(&mut slow, "done").await;
    served.await.unwrap();
    let waited = elapsed(begin_ns);
    let limit = DRAIN_TIMEOUT + Duration::from_secs(2);
    assert!((DRAIN_TIMEOUT..limit).contains(&waited), "{waited:?}");
    assert!(TcpStream::connect(address).await.is_err());
}

async fn connect_web_socket(address: SocketAddr) -> TcpStream {
    let mut socket = connect_and_send(
        address,
        "GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
    .await;
    let response = read_until(&mut socket, "\r\n\r\n").await;
    assert!(response.starts_with("HTTP/1.1 101"), "{response}");
    socket
}

/// Sends a masked text frame of two bytes, and asserts that it comes back without a mask.
async fn assert_echo(socket: &mut TcpStream) {
    let frame = [0x81, 0x82, 0, 0, 0, 0, b'h', b'i'];
    socket.write_all(&frame).await.unwrap();
    let mut echo = [0; 4];
    socket.read_exact(&mut echo).await.unwrap();
    assert_eq!(echo, [0x81, 0x02, b'h', b'i']);
}

#[tokio::test]
async fn without_unfinished_requests_and_sockets_it_stops_at_once() {
    let (address, stop, served) = start_server().await;
    let mut socket = connect_web_socket(address).await;
    assert_echo(&mut socket).await;
    let begin_ns = SystemClock.monotonic_ns();
    stop.cancel();
    drop(socket);
    served.await.unwrap();
    assert!(elapsed(begin_ns) < DRAIN_TIMEOUT);
}

#[tokio::test]
async fn upgraded_connections_have_time_to_close() {
    let (address, stop, mut served) = start_server().await;
    let mut socket = connect_web_socket(address).await;
    let begin_ns = SystemClock.monotonic_ns();
    stop.cancel();
    let early = timeout(&SystemClock, DRAIN_TIMEOUT / 2, &mut served).await;
    assert!(early.is_err(), "it has not waited");
    assert_echo(&mut socket).await;
    served.await.unwrap();
    let waited = elapsed(begin_ns);
    let limit = DRAIN_TIMEOUT + Duration::from_secs(2);
    assert!((DRAIN_TIMEOUT..limit).contains(&waited), "{waited:?}");
}

#[tokio::test]
async fn without_a_permit_a_connection_waits_until_another_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let permits = Arc::new(Semaphore::new(1));
    let _clients = [
        connect_and_send(address, "").await,
        connect_and_send(address, "").await,
    ];
    let first = accept_connection(&listener, &permits).await;
    let second = timeout(
        &SystemClock,
        Duration::from_millis(50),
        accept_connection(&listener, &permits),
    );
    assert!(second.await.is_err());
    drop(first);
    accept_connection(&listener, &permits).await;
}
