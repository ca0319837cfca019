//! Settings of a venue that several pods change at once, and pods that are restarted between.

use std::time::Duration;

use client::RestClient;
use clock::{Clock, SystemClock};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::fault::Fault;
use crate::cluster::TortureCluster;
use crate::rest::send_blocking_request;
use crate::role_process::RoleKind;
use crate::trade_source::VENUES;

/// The greatest lateness and idle time: those that the venues begin with, so that windows close as
/// soon as the end of a run expects it.
const MAX_LATENESS_MS: u64 = 20_000;
const MAX_IDLE_MS: u64 = 5_000;
const RETRY_DELAY: Duration = Duration::from_millis(250);

impl Fault {
    /// Changes settings through every pod at once, each only a part of them, and kills a pod or an
    /// aggregator between the changes.
    pub(super) async fn change_settings(&mut self, cluster: &TortureCluster) -> anyhow::Result<()> {
        let pods = cluster.api_clients();
        for _ in 0..self.random.between(2, 4) {
            let venue = self.random.choose(&VENUES).venue;
            let changes: Vec<_> = pods
                .iter()
                .map(|pod| put_until_accepted(pod, venue, self.draw_change()))
                .collect();
            join_all(changes).await;
            let kind = *self.random.choose(&[RoleKind::Api, RoleKind::Aggregator]);
            let roles: Vec<_> = cluster.processes_of_kind(kind).collect();
            let role = *self.random.choose(&roles);
            cluster.journal.write_event(&format!(
                "settings of {venue} changed; {} is killed",
                role.name
            ));
            role.kill()?;
        }
        Ok(())
    }

    /// Returns some settings that change no bar's values, only when its windows close.
    fn draw_change(&mut self) -> Value {
        let random = &mut self.random;
        match random.below(4) {
            0 => json!({"lateness_ms": random.between(1_000, MAX_LATENESS_MS)}),
            1 => json!({"idle_ms": random.between(1_000, MAX_IDLE_MS)}),
            2 => json!({
                "lateness_ms": random.between(1_000, MAX_LATENESS_MS),
                "idle_ms": random.between(1_000, MAX_IDLE_MS),
            }),
            _ => json!({"nonpositive_prices": random.one_in(2)}),
        }
    }
}

/// Puts settings at one pod until it has accepted them.
async fn put_until_accepted(pod: &RestClient, venue: &str, change: Value) {
    let path = format!("/api/v1/venues/{venue}/settings");
    let change = change.to_string();
    loop {
        let (path, change) = (path.clone(), change.clone());
        let response = send_blocking_request(pod, move |rest| rest.put_json(&path, &change));
        if response.await.is_ok_and(|response| response.status == 200) {
            return;
        }
        SystemClock.sleep(RETRY_DELAY).await;
    }
}
