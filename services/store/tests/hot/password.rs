//! A test of Redis with a user and a password.

use std::path::Path;
use std::time::Duration;

use candlewick_store::{NewestPriceStore, RedisConfig, RedisNewestPriceStore};
use deadpool_redis::redis::Client;

use crate::fixtures::{price, run_command, server_url, unique_instrument, wait_for_price};

fn open_as(user: &str, password_file: &Path) -> RedisNewestPriceStore {
    RedisNewestPriceStore::open(&RedisConfig {
        url: server_url("CANDLEWICK_REDIS"),
        user: Some(user.to_owned()),
        password_file: Some(password_file.to_owned()),
        timeout: Duration::from_secs(2),
        ..RedisConfig::default()
    })
    .unwrap()
}

#[tokio::test]
async fn a_user_with_the_password_in_a_file_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let (right, wrong) = (folder.path().join("right"), folder.path().join("wrong"));
    std::fs::write(&right, "goldfish\n").unwrap();
    std::fs::write(&wrong, "swordfish\n").unwrap();
    // Other tests use the default user.
    let user = format!("test-{}", std::process::id());
    let client = Client::open(server_url("CANDLEWICK_REDIS")).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let set_user = ["ACL", "SETUSER", &user, "on", ">goldfish", "~*", "+@all"];
    run_command::<()>(&mut redis, &set_user).await;

    let newest = price(&unique_instrument(), (1, 1), "5");
    let accepted = open_as(&user, &right);
    accepted.queue_prices(vec![newest.clone()]);
    wait_for_price(&accepted, &newest).await;

    let refused = open_as(&user, &wrong)
        .newest_price(&newest.instrument)
        .await;
    let error = refused.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(
        error.is_transient() && text.contains("Password authentication failed"),
        "{text}"
    );
    assert!(!text.contains("swordfish"), "{text}");
    run_command::<()>(&mut redis, &["ACL", "DELUSER", &user]).await;
}
