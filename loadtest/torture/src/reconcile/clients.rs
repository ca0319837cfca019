//! Checks that clients show what REST of every pod returns.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clock::{Clock, SystemClock};
use schemas::api::BarJson;

use super::outcome::ComparisonResult;
use crate::cluster::TortureCluster;
use crate::roaming_client::{RoamingClient, read_bars};

/// The last updates are still on their way, and idle bars are still being closed.
const TIMEOUT: Duration = Duration::from_secs(60);
const RETRY_DELAY: Duration = Duration::from_millis(300);

/// Compares the bars that clients show with those of REST; the second result is of the rules of the
/// stream, which the clients have checked.
pub(super) async fn compare_shown_bars_and_stream_rules(
    cluster: &TortureCluster,
    clients: &[Arc<RoamingClient>],
) -> Vec<ComparisonResult> {
    let mut comparison = ComparisonResult::new("bars that clients show, against REST of each pod");
    let mut rules = ComparisonResult::new("rules of the stream");
    for client in clients {
        rules.rows += 1;
        rules.differences.extend(client.violations());
        for name in client.channel_names() {
            for pod in cluster.api_clients() {
                let begin_ns = SystemClock.monotonic_ns();
                loop {
                    let read = read_bars(&pod, &name, 1).await;
                    let read = read.map_err(|error| format!("{error:#}"));
                    let found =
                        read.and_then(|read| count_bars_if_equal(&client.shown_bars(&name), &read));
                    let difference = match found {
                        Ok(rows) => {
                            comparison.rows += rows;
                            break;
                        }
                        Err(difference) => difference,
                    };
                    let waited = Duration::from_nanos(SystemClock.monotonic_ns() - begin_ns);
                    if waited > TIMEOUT {
                        let pod = pod.base_url();
                        let text = format!("{} {name} at {pod}: {difference}", client.name);
                        comparison.differences.push(text);
                        break;
                    }
                    SystemClock.sleep(RETRY_DELAY).await;
                }
            }
        }
    }
    vec![comparison, rules]
}

/// Returns the number of equal bars.
///
/// # Errors
/// The first difference.
fn count_bars_if_equal(shown: &[BarJson], read: &[BarJson]) -> Result<u64, String> {
    let by_start = |bars: &[BarJson]| -> BTreeMap<String, BarJson> {
        let named = bars.iter().map(|bar| (bar.start.clone(), bar.clone()));
        named.collect()
    };
    let (shown, read) = (by_start(shown), by_start(read));
    for (start, bar) in &read {
        match shown.get(start) {
            None => return Err(format!("{start} is not shown; REST has {bar:?}")),
            Some(held) if held != bar => {
                return Err(format!("{start} is shown as {held:?}; REST has {bar:?}"));
            }
            Some(_) => {}
        }
    }
    match shown.keys().find(|start| !read.contains_key(*start)) {
        Some(start) => Err(format!("{start} is shown, and REST has no such bar")),
        None => Ok(read.len() as u64),
    }
}
