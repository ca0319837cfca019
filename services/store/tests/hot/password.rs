//! A Redis that asks for a user and a password.

use std::path::Path;
use std::time::Duration;

use candlewick_store::{HotStore, RedisConfig, RedisHotStore};
use deadpool_redis::redis::Client;

use crate::fixtures::{price, run, soon, symbol, url};

fn store(user: &str, password_file: &Path) -> RedisHotStore {
    RedisHotStore::open(&RedisConfig {
        url: url("CANDLEWICK_REDIS"),
        user: Some(user.to_owned()),
        password_file: Some(password_file.to_owned()),
        timeout: Duration::from_secs(2),
        ..RedisConfig::default()
    })
    .unwrap()
}

#[tokio::test]
async fn a_user_and_the_password_of_a_file_are_let_in() {
    let folder = tempfile::tempdir().unwrap();
    let (right, wrong) = (folder.path().join("right"), folder.path().join("wrong"));
    std::fs::write(&right, "goldfish\n").unwrap();
    std::fs::write(&wrong, "swordfish\n").unwrap();
    // A user of the server's own, beside the one that everybody else is.
    let user = format!("test-{}", std::process::id());
    let client = Client::open(url("CANDLEWICK_REDIS")).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let user_is = ["ACL", "SETUSER", &user, "on", ">goldfish", "~*", "+@all"];
    run::<()>(&mut redis, &user_is).await;

    let newest = price(&symbol(), (1, 1), "5");
    let let_in = store(&user, &right);
    let_in.queue_prices(vec![newest.clone()]);
    soon(&let_in, &newest).await;

    let refused = store(&user, &wrong).newest_price(&newest.instrument).await;
    let error = refused.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(
        error.is_transient() && text.contains("Password authentication failed"),
        "{text}"
    );
    assert!(!text.contains("swordfish"), "{text}");
    run::<()>(&mut redis, &["ACL", "DELUSER", &user]).await;
}
