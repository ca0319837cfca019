//! How connections of the live stream end.

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::world::World;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(world: &World) -> Socket {
    let url = format!(
        "{}/api/v1/stream",
        world.base_url().replacen("http", "ws", 1)
    );
    connect_async(url).await.unwrap().0
}

/// Receives until the server closes. Returns the code and the reason of its close frame.
async fn receive_close(socket: &mut Socket) -> (u16, String) {
    loop {
        match socket.next().await {
            Some(Ok(Message::Close(Some(frame)))) => {
                return (frame.code.into(), frame.reason.to_string());
            }
            Some(Ok(_)) => {}
            ended => panic!("no close frame: {ended:?}"),
        }
    }
}

/// Asserts that the connection ends as the closing handshake does, without a reset.
async fn assert_ended(socket: &mut Socket) {
    match socket.next().await {
        None | Some(Err(Error::ConnectionClosed)) => {}
        other => panic!("it has not ended: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_close_frame_of_a_client_is_answered() {
    let world = World::start().await;
    let mut socket = connect(&world).await;
    let frame = CloseFrame {
        code: CloseCode::Normal,
        reason: "done".into(),
    };
    socket.send(Message::Close(Some(frame))).await.unwrap();
    assert_eq!(receive_close(&mut socket).await, (1000, "done".to_owned()));
    assert_ended(&mut socket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_told_why_it_is_disconnected() {
    let world = World::start().await;
    let data = |kind, bytes: &[u8]| {
        let frame = Frame::message(bytes.to_vec(), OpCode::Data(kind), true);
        Message::Frame(frame)
    };
    let too_large = " ".repeat(64 * 1024 + 1);
    for (message, code, reason) in [
        (data(Data::Reserved(3), b"{}"), 1002, "RFC 6455"),
        (data(Data::Text, b"{\xff}"), 1007, "not UTF-8"),
        (Message::text(too_large), 1009, "at most 64 KiB"),
    ] {
        let mut socket = connect(&world).await;
        socket.send(message).await.unwrap();
        let (found, text) = receive_close(&mut socket).await;
        assert_eq!(found, code, "{text}");
        assert!(text.contains(reason), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_told_that_the_store_does_not_respond() {
    let world = World::start().await;
    world.wait_until_folded().await;
    world
        .execute_on_bars("ALTER TABLE bars RENAME TO hidden_bars")
        .await;
    let mut socket = connect(&world).await;
    let request = r#"{"op":"subscribe","channels":[{"channel":"bars:v:S:1m"}]}"#;
    socket.send(Message::text(request)).await.unwrap();
    let (code, reason) = receive_close(&mut socket).await;
    assert_eq!(code, 1013, "{reason}");
    assert_ended(&mut socket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_told_that_the_process_stops() {
    let world = World::start().await;
    let mut sockets = Vec::new();
    for _ in 0..20 {
        sockets.push(connect(&world).await);
    }
    world.stop();
    for socket in &mut sockets {
        let (code, reason) = receive_close(socket).await;
        assert_eq!(code, 1001, "{reason}");
        assert_ended(socket).await;
    }
}
