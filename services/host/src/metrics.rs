//! The metrics of the process in the Prometheus text format. The API serves the text.

use std::time::Duration;

use metrics::{describe_gauge, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

use self::process::ProcessSample;
use crate::error::StartupError;
use clock::Clock;

mod process;

/// How often histograms absorb the samples that were recorded since.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(5);

/// The buckets of times: from half a millisecond, a fast commit, to an hour, a very late trade.
const SECONDS_BUCKETS: [f64; 18] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0, 300.0, 3600.0,
];

/// The buckets of sizes: powers of four from 64 bytes to 64 MiB.
const BYTES_BUCKETS: [f64; 11] = [
    64.0,
    256.0,
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

/// The buckets of every other histogram, which counts something.
const COUNT_BUCKETS: [f64; 11] = [
    1.0, 2.0, 5.0, 10.0, 50.0, 100.0, 500.0, 1000.0, 5000.0, 10_000.0, 100_000.0,
];

/// The version of the binary, for `candlewick_build_info`.
#[derive(Clone, Copy, Debug)]
pub struct BuildInfo {
    /// The version of the binary.
    pub version: &'static str,
    /// The commit that it was built from; "unknown" outside a release.
    pub commit: &'static str,
}

/// Reads the metrics of this process. Clones read the same ones.
#[derive(Clone)]
pub struct MetricsHandle {
    recorder: PrometheusHandle,
}

impl MetricsHandle {
    /// Makes the macros of the `metrics` crate record here. It can be called once in a process.
    ///
    /// The buckets of a histogram follow from its name: one that ends in `_seconds` measures times,
    /// in `_bytes` sizes, any other counts.
    ///
    /// # Errors
    /// If metrics are already set up.
    pub fn install(build: BuildInfo) -> Result<Self, StartupError> {
        let recorder = PrometheusBuilder::new()
            .set_buckets(&COUNT_BUCKETS)?
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS_BUCKETS)?
            .set_buckets_for_metric(Matcher::Suffix("_bytes".to_owned()), &BYTES_BUCKETS)?
            .install_recorder()?;
        describe_gauge!("candlewick_build_info", "What was built; always 1.");
        let labels = [("version", build.version), ("commit", build.commit)];
        gauge!("candlewick_build_info", &labels).set(1.0);
        Ok(Self { recorder })
    }

    /// Returns all metrics as text, including the current memory, descriptors, CPU time and start
    /// time of the process.
    /// The metrics of the process are read from `/proc/self` and are absent on a system without
    /// it.
    pub fn render(&self) -> String {
        let mut text = self.recorder.render();
        if let Some(sample) = ProcessSample::read() {
            text.push_str(&sample.to_prometheus_text());
        }
        text
    }

    /// Periodically bounds the memory that histograms use between scrapes, until `stop` is
    /// cancelled.
    pub async fn run_maintenance<C: Clock>(self, clock: C, stop: CancellationToken) {
        loop {
            let sleep = clock.sleep(MAINTENANCE_INTERVAL);
            if stop.run_until_cancelled(sleep).await.is_none() {
                return;
            }
            self.recorder.run_upkeep();
        }
    }
}

#[cfg(test)]
mod tests {
    use metrics::{counter, histogram};

    use super::*;
    use clock::SystemClock;

    #[tokio::test(start_paused = true)]
    async fn recorded_metrics_are_rendered_and_maintenance_stops_on_request() {
        let build = BuildInfo {
            version: "1.2.3",
            commit: "abc",
        };
        let handle = MetricsHandle::install(build).unwrap();
        assert!(matches!(
            MetricsHandle::install(build),
            Err(StartupError::Metrics(_))
        ));
        counter!("test_records_total").increment(3);
        histogram!("test_lag_seconds").record(0.003);
        histogram!("test_block_bytes").record(100.0);
        histogram!("test_batch_records").record(7.0);
        let text = handle.render();
        for line in [
            "test_records_total 3",
            "test_lag_seconds_bucket{le=\"0.0025\"} 0",
            "test_lag_seconds_bucket{le=\"0.005\"} 1",
            "test_block_bytes_bucket{le=\"256\"} 1",
            "test_batch_records_bucket{le=\"10\"} 1",
        ] {
            assert!(
                text.lines().any(|other| other == line),
                "{line} not in\n{text}"
            );
        }
        assert!(text.contains("version=\"1.2.3\"") && text.contains("commit=\"abc\""));
        assert!(text.contains("candlewick_build_info{"));

        let stop = CancellationToken::new();
        let maintenance = tokio::spawn(handle.run_maintenance(SystemClock, stop.clone()));
        SystemClock.sleep(MAINTENANCE_INTERVAL * 3).await;
        assert!(!maintenance.is_finished());
        stop.cancel();
        maintenance.await.unwrap();
    }
}
