//! A setting of `trades` that loses or reorders data, changed by hand and set right again.

use std::time::Duration;

use anyhow::bail;
use clock::{Clock, SystemClock};

use super::fault::Fault;
use crate::cluster::TortureCluster;
use crate::rest::{client_of_port, send_blocking_request};

const WRONG_SETTINGS: [(&str, &str); 2] = [
    ("message.timestamp.type", "CreateTime"),
    ("cleanup.policy", "compact"),
];
/// The roles look every 5 seconds, and the others of them may be away.
const NOTICED_TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(250);

impl Fault {
    /// Changes a setting, waits until a role names it, and sets it right.
    ///
    /// # Errors
    /// If no role names it.
    pub(super) async fn change_topic_setting(
        &mut self,
        cluster: &TortureCluster,
    ) -> anyhow::Result<()> {
        let (name, value) = *self.random.choose(&WRONG_SETTINGS);
        let topic = schemas::TRADES;
        while let Err(error) = cluster.kafka.change_topic_setting(topic, name, value).await {
            let text = format!("{name} is not changed: {error:#}");
            cluster.journal.write_event(&text);
            SystemClock.sleep(POLL_INTERVAL).await;
        }
        let setting = format!("{name}={value}");
        let noticed = wait_until_readiness_names(cluster, &setting).await;
        SystemClock.sleep(self.lasts).await;
        while let Err(error) = cluster.apply_topics().await {
            let text = format!("{name} is not set right: {error:#}");
            cluster.journal.write_event(&text);
            SystemClock.sleep(POLL_INTERVAL).await;
        }
        noticed
    }
}

/// Waits until the readiness of a role names `drift`, such as a wrong setting of a topic.
pub(super) async fn wait_until_readiness_names(
    cluster: &TortureCluster,
    drift: &str,
) -> anyhow::Result<()> {
    let begin_ns = SystemClock.monotonic_ns();
    loop {
        for role in &cluster.roles {
            let rest = client_of_port(role.port);
            let response = send_blocking_request(&rest, |rest| rest.get("/readyz")).await;
            if response.is_ok_and(|response| response.text().contains(drift)) {
                let text = format!("{} names {drift}", role.name);
                cluster.journal.write_event(&text);
                return Ok(());
            }
        }
        let waited = Duration::from_nanos(SystemClock.monotonic_ns() - begin_ns);
        if waited > NOTICED_TIMEOUT {
            bail!("no role names {drift} after {waited:?}");
        }
        SystemClock.sleep(POLL_INTERVAL).await;
    }
}
