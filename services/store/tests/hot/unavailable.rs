//! Tests of Redis that is unavailable, does not respond, or has other contents.

use std::time::Duration;

use candlewick_store::{NewestPriceStore, RedisConfig, RedisNewestPriceStore, StoreError};
use deadpool_redis::redis::Client;

use crate::fixtures::{
    open_store, price, run_command, server_url, unique_instrument, wait_for_price,
};

fn open_store_at(url: String) -> RedisNewestPriceStore {
    RedisNewestPriceStore::open(&RedisConfig {
        url,
        ..RedisConfig::default()
    })
    .unwrap()
}

/// Asserts that reading fails soon and that queueing prices goes on. Returns the error.
async fn assert_fails_soon(store: &RedisNewestPriceStore) -> String {
    let instrument = unique_instrument();
    for number in 0..1_000 {
        store.queue_prices(vec![price(&instrument, (1, number), "1")]);
    }
    let read = tokio::time::timeout(Duration::from_secs(1), store.newest_price(&instrument));
    let error = read.await.expect("the call returns soon").unwrap_err();
    assert!(error.is_transient(), "{error}");
    error.to_string()
}

#[tokio::test]
async fn an_unavailable_server_causes_errors_and_no_delay() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let urls = [
        format!("redis://127.0.0.1:{port}"),
        format!("rediss://127.0.0.1:{port}"),
        format!("redis+sentinel://127.0.0.1:{port}/main"),
        format!("redis+cluster://127.0.0.1:{port}"),
    ];
    // At first the listener accepts connections and never responds, then connections are refused.
    for url in &urls {
        assert_fails_soon(&open_store_at(url.clone())).await;
    }
    drop(listener);
    for url in &urls {
        let error = assert_fails_soon(&open_store_at(url.clone())).await;
        assert!(error.contains(url), "{error}");
    }
}

#[tokio::test]
async fn tls_to_a_server_without_is_refused() {
    let plain = server_url("CANDLEWICK_REDIS");
    let store = open_store_at(plain.replace("redis://", "rediss://"));
    assert_fails_soon(&store).await;
}

#[tokio::test]
async fn a_price_expires_and_other_values_are_corrupt() {
    let store = open_store("CANDLEWICK_REDIS");
    let known = price(&unique_instrument(), (1, 1), "5");
    store.queue_prices(vec![known.clone()]);
    wait_for_price(&store, &known).await;
    let client = Client::open(server_url("CANDLEWICK_REDIS")).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let key = format!("price:{}", known.instrument);
    let left_ms: i64 = run_command(&mut redis, &["PTTL", &key]).await;
    assert!((1..=5_000).contains(&left_ms), "{left_ms}");
    run_command::<()>(&mut redis, &["SET", &key, "5"]).await;
    let error = store.newest_price(&known.instrument).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    // Once it has expired, prices are stored again.
    let newer = price(&known.instrument, (1, 2), "6");
    run_command::<()>(&mut redis, &["PEXPIRE", &key, "1"]).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    store.queue_prices(vec![newer.clone()]);
    wait_for_price(&store, &newer).await;
}

#[tokio::test]
async fn scripts_that_the_server_lost_are_loaded_again() {
    let client = Client::open(server_url("CANDLEWICK_REDIS")).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let store = open_store("CANDLEWICK_REDIS");
    for number in 0..3 {
        run_command::<()>(&mut redis, &["SCRIPT", "FLUSH"]).await;
        let known = price(&unique_instrument(), (1, number), "5");
        store.queue_prices(vec![known.clone()]);
        wait_for_price(&store, &known).await;
    }
}

#[tokio::test]
async fn no_password_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "swordfish\n").unwrap();
    // The server has no password, so it refuses one.
    let config = RedisConfig {
        url: server_url("CANDLEWICK_REDIS"),
        password_file: Some(file),
        timeout: Duration::from_secs(2),
        ..RedisConfig::default()
    };
    let store = RedisNewestPriceStore::open(&config).unwrap();
    let error = store.newest_price(&unique_instrument()).await.unwrap_err();
    let text = format!("{error} {error:?} {config:?}");
    assert!(
        error.is_transient() && !text.contains("swordfish"),
        "{text}"
    );
    for url in ["redis://:swordfish@a", "http://swordfish"] {
        let config = RedisConfig {
            url: url.to_owned(),
            ..RedisConfig::default()
        };
        let error = RedisNewestPriceStore::open(&config).err().unwrap();
        assert!(
            !format!("{error} {error:?}").contains("swordfish"),
            "{error}"
        );
    }
    let missing = RedisConfig {
        password_file: Some(folder.path().join("missing")),
        ..RedisConfig::default()
    };
    let error = RedisNewestPriceStore::open(&missing).err().unwrap();
    assert!(error.to_string().contains("missing"), "{error}");
}
