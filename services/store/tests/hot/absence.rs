//! Redis that is not there, hangs, or is something else.

use std::time::Duration;

use candlewick_store::{HotStore, RedisConfig, RedisHotStore, StoreError};
use deadpool_redis::redis::Client;

use crate::fixtures::{open, price, run, soon, symbol, url};

fn at(url: String) -> RedisHotStore {
    RedisHotStore::open(&RedisConfig {
        url,
        ..RedisConfig::default()
    })
    .unwrap()
}

/// Fails soon, and offering goes on.
async fn is_survived(store: &RedisHotStore) -> String {
    let instrument = symbol();
    for number in 0..1_000 {
        store.queue_prices(vec![price(&instrument, (1, number), "1")]);
    }
    let asked = tokio::time::timeout(Duration::from_secs(1), store.newest_price(&instrument));
    let error = asked.await.expect("it answers soon").unwrap_err();
    assert!(error.is_transient(), "{error}");
    error.to_string()
}

#[tokio::test]
async fn a_server_that_is_away_is_survived() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let urls = [
        format!("redis://127.0.0.1:{port}"),
        format!("rediss://127.0.0.1:{port}"),
        format!("redis+sentinel://127.0.0.1:{port}/main"),
        format!("redis+cluster://127.0.0.1:{port}"),
    ];
    // At first it accepts and says nothing, then it refuses.
    for url in &urls {
        is_survived(&at(url.clone())).await;
    }
    drop(listener);
    for url in &urls {
        let error = is_survived(&at(url.clone())).await;
        assert!(error.contains(url), "{error}");
    }
}

#[tokio::test]
async fn tls_to_a_server_without_is_refused() {
    let plain = url("CANDLEWICK_REDIS");
    let store = at(plain.replace("redis://", "rediss://"));
    is_survived(&store).await;
}

#[tokio::test]
async fn a_price_is_gone_after_a_while_and_other_values_are_corrupt() {
    let store = open("CANDLEWICK_REDIS");
    let known = price(&symbol(), (1, 1), "5");
    store.queue_prices(vec![known.clone()]);
    soon(&store, &known).await;
    let client = Client::open(url("CANDLEWICK_REDIS")).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let key = format!("price:{}", known.instrument);
    let left: i64 = run(&mut redis, &["PTTL", &key]).await;
    assert!((1..=5_000).contains(&left), "{left}");
    run::<()>(&mut redis, &["SET", &key, "5"]).await;
    let error = store.newest_price(&known.instrument).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    // Once it has expired, prices are stored again.
    let newer = price(&known.instrument, (1, 2), "6");
    run::<()>(&mut redis, &["PEXPIRE", &key, "1"]).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    store.queue_prices(vec![newer.clone()]);
    soon(&store, &newer).await;
}

#[tokio::test]
async fn scripts_that_were_forgotten_are_sent_again() {
    let client = Client::open(url("CANDLEWICK_REDIS")).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let store = open("CANDLEWICK_REDIS");
    for number in 0..3 {
        run::<()>(&mut redis, &["SCRIPT", "FLUSH"]).await;
        let known = price(&symbol(), (1, number), "5");
        store.queue_prices(vec![known.clone()]);
        soon(&store, &known).await;
    }
}

#[tokio::test]
async fn no_password_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "swordfish\n").unwrap();
    // The server has no password, so it refuses one.
    let config = RedisConfig {
        url: url("CANDLEWICK_REDIS"),
        password_file: Some(file),
        timeout: Duration::from_secs(2),
        ..RedisConfig::default()
    };
    let store = RedisHotStore::open(&config).unwrap();
    let error = store.newest_price(&symbol()).await.unwrap_err();
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
        let error = RedisHotStore::open(&config).err().unwrap();
        assert!(
            !format!("{error} {error:?}").contains("swordfish"),
            "{error}"
        );
    }
    let missing = RedisConfig {
        password_file: Some(folder.path().join("missing")),
        ..RedisConfig::default()
    };
    let error = RedisHotStore::open(&missing).err().unwrap();
    assert!(error.to_string().contains("missing"), "{error}");
}
