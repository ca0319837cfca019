//! Subscriptions that end in another way than by a request.

use client::{StreamEncoding, StreamSocket};
use schemas::api::StreamMessage;
use serde_json::{Value, json};

use crate::world::{World, trade_json};

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
        match socket.next_message_unless_ping_or_pong().await {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_with_the_next_generation_of_a_retired_venue() {
    let world = World::start().await;
    let post = |price: &'static str| {
        let trade = trade_json(1, "2013-10-08T13:30:00Z", price);
        let world = &world;
        async move { world.post("application/json", trade).await }
    };
    post("1").await;
    let (mut socket, first) = subscribe(&world).await;
    let Some(StreamMessage::Snapshot {
        generation, bars, ..
    }) = first
    else {
        panic!("{first:?}");
    };
    assert_eq!((generation, bars[0].close.as_str()), (1, "1"));
    let headers = [("Content-Type", "application/json")];
    let path = "/api/v1/venues/v/retire";
    let body = br#"{"generation":1}"#.to_vec();
    assert_eq!(world.send("POST", path, &headers, body).await.status, 200);
    post("2").await;
    let next = loop {
        match socket
            .next_message_unless_ping_or_pong::<StreamMessage<Value>>()
            .await
        {
            Ok(Some(StreamMessage::Snapshot {
                channel,
                generation: 2,
                recovered,
                seq,
                epoch,
                bars,
                ..
            })) => break (channel, recovered, seq, epoch, bars),
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
    };
    let (channel, recovered, seq, epoch, bars) = next;
    assert_eq!((channel.as_str(), recovered), (CHANNEL, Some(false)));
    assert_eq!(bars.last().unwrap().close, "2");
    world.wait_for_subscriptions(1).await;
    // A client resumes with the generation that it holds, and with no other.
    for (generation, expected) in [(2, true), (1, false)] {
        let request = json!({"op": "subscribe", "channels": [
            {"channel": CHANNEL, "epoch": epoch, "seq": seq, "generation": generation}]});
        socket.send_request(&request).await.unwrap();
        let recovered = loop {
            match socket
                .next_message_unless_ping_or_pong::<StreamMessage<Value>>()
                .await
            {
                Ok(Some(StreamMessage::Snapshot { recovered, .. })) => break recovered,
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(recovered, Some(expected), "{generation}");
    }
    let request = json!({"op": "unsubscribe", "channels": [CHANNEL]});
    socket.send_request(&request).await.unwrap();
    world.wait_for_subscriptions(0).await;
}
