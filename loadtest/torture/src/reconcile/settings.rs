//! Checks that the stores and every pod have the settings that the log results in.

use std::time::Duration;

use clock::{Clock, SystemClock};
use market::{Venue, VenueSettings};
use schemas::api::VenueSettingsJson;
use serde_json::Value;
use store::BarReader;

use super::outcome::ComparisonResult;
use crate::cluster::TortureCluster;
use crate::oracle::Oracle;
use crate::rest::send_blocking_request;

/// Pods learn of the last changes within about a second.
const TIMEOUT: Duration = Duration::from_secs(20);
const RETRY_DELAY: Duration = Duration::from_millis(300);

pub(super) async fn compare_settings(
    cluster: &TortureCluster,
    oracle: &Oracle,
) -> anyhow::Result<ComparisonResult> {
    let mut comparison = ComparisonResult::new("settings, in the store and at each pod");
    for (name, settings) in &oracle.settings {
        let venue: Venue = name.parse()?;
        for partition in 0..cluster.kafka.partitions() {
            comparison.rows += 1;
            let row = cluster
                .bars
                .venue_settings_in_partition(&venue, partition)
                .await?;
            let stored = row.map(|row| row.settings);
            if stored != Some(*settings) {
                comparison.differences.push(format!(
                    "{name} in partition {partition} has {stored:?}, should be {settings:?}"
                ));
            }
        }
        for pod in cluster.api_clients() {
            comparison.rows += 1;
            let begin_ns = SystemClock.monotonic_ns();
            while let Err(difference) = compare_at_pod(&pod, &venue, settings).await {
                let waited = Duration::from_nanos(SystemClock.monotonic_ns() - begin_ns);
                if waited > TIMEOUT {
                    comparison.differences.push(difference);
                    break;
                }
                SystemClock.sleep(RETRY_DELAY).await;
            }
        }
    }
    Ok(comparison)
}

/// Compares the settings that a pod returns.
///
/// # Errors
/// The difference.
async fn compare_at_pod(
    pod: &client::RestClient,
    venue: &Venue,
    settings: &VenueSettings,
) -> Result<(), String> {
    let path = format!("/api/v1/venues/{venue}/settings");
    let response = send_blocking_request(pod, move |rest| rest.get(&path)).await;
    let response = response.map_err(|error| format!("{error:#}"))?;
    let found: Value = response.json().map_err(|error| error.to_string())?;
    let expected = serde_json::to_value(VenueSettingsJson::new(venue, settings))
        .map_err(|error| error.to_string())?;
    if found == expected {
        return Ok(());
    }
    let pod = pod.base_url();
    Err(format!(
        "{pod} has {found} of {venue}, should be {expected}"
    ))
}
