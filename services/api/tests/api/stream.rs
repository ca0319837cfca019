//! Subscriptions that end in another way than by a request.

use client::{StreamEncoding, StreamSocket};
use schemas::api::StreamMessage;
use serde_json::{Value, json};

use crate::world::World;

const CHANNEL: &str = "bars:v:A/B:1m";

/// Subscribes to [`CHANNEL`], and returns the connection and its first message, or `None` if the
/// server closes the connection first.
async fn subscribe(world: &World) -> (StreamSocket, Option<StreamMessage<Value>>) {
    let mut socket = StreamSocket::connect(&world.base_url(), StreamEncoding::Json)
        .await
        .unwrap();
    let request = json!({"op": "subscribe", "channels": [{"channel": CHANNEL}]});
    socket.send_request(&request).await.unwrap();
    loop {
        match socket.next_frame_message().await {
            Ok(Some(message)) => return (socket, Some(message)),
            Ok(None) => {}
            Err(_) => return (socket, None),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_fails_or_is_disconnected_leaves_nothing_behind() {
    let world = World::start().await;
    world.wait_until_folded().await;
    world
        .execute_on_bars("ALTER TABLE bars RENAME TO hidden_bars")
        .await;
    for _ in 0..3 {
        let (socket, message) = subscribe(&world).await;
        assert!(message.is_none(), "the store cannot be read");
        drop(socket);
    }
    world.wait_for_subscriptions(0).await;
    world
        .execute_on_bars("ALTER TABLE hidden_bars RENAME TO bars")
        .await;
    let (socket, message) = subscribe(&world).await;
    assert!(matches!(message, Some(StreamMessage::Snapshot { .. })));
    world.wait_for_subscriptions(1).await;
    drop(socket);
    world.wait_for_subscriptions(0).await;
}
