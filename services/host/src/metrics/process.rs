//! The metrics that every Prometheus client has of its own process, by their common names:
//! <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>.
//!
//! They are written here because the counters of the crate `metrics` are whole numbers.

use std::fmt::Write;
use std::fs;

/// Ticks a second in `/proc`: `USER_HZ`, which is 100 on every architecture that we build for
/// (`man 5 proc`).
const TICKS_PER_SECOND: f64 = 100.0;

/// A sample of the resources that the process uses.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ProcessSample {
    cpu_seconds: f64,
    start_time_seconds: f64,
    resident_memory_bytes: u64,
    virtual_memory_bytes: u64,
    open_descriptors: usize,
    /// The limit of open descriptors, or `None` if there is none.
    max_descriptors: Option<u64>,
}

impl ProcessSample {
    /// Reads `/proc`. Returns `None` on a system that does not have it.
    pub(super) fn read() -> Option<Self> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let limits = fs::read_to_string("/proc/self/limits").ok()?;
        let times = CpuAndStartTicks::parse(&fs::read_to_string("/proc/self/stat").ok()?)?;
        let boot = parse_boot_time_seconds(&fs::read_to_string("/proc/stat").ok()?)?;
        Some(Self {
            cpu_seconds: times.cpu_ticks / TICKS_PER_SECOND,
            start_time_seconds: boot + times.start_ticks / TICKS_PER_SECOND,
            resident_memory_bytes: parse_status_bytes(&status, "VmRSS:")?,
            virtual_memory_bytes: parse_status_bytes(&status, "VmSize:")?,
            open_descriptors: fs::read_dir("/proc/self/fd").ok()?.count(),
            max_descriptors: parse_descriptor_limit(&limits),
        })
    }

    /// Returns the sample in the Prometheus text format.
    pub(super) fn to_prometheus_text(&self) -> String {
        let mut text = String::new();
        let mut metric = |name: &str, kind: &str, help: &str, value: String| {
            write!(
                text,
                "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"
            )
            .expect("a String takes any text");
        };
        let cpu = self.cpu_seconds.to_string();
        metric(
            "process_cpu_seconds_total",
            "counter",
            "User and system CPU time spent.",
            cpu,
        );
        let start = self.start_time_seconds.to_string();
        metric(
            "process_start_time_seconds",
            "gauge",
            "Start time, in Unix seconds.",
            start,
        );
        let resident = self.resident_memory_bytes.to_string();
        metric(
            "process_resident_memory_bytes",
            "gauge",
            "Resident memory.",
            resident,
        );
        let virtual_memory = self.virtual_memory_bytes.to_string();
        metric(
            "process_virtual_memory_bytes",
            "gauge",
            "Virtual memory.",
            virtual_memory,
        );
        let open = self.open_descriptors.to_string();
        metric("process_open_fds", "gauge", "Open file descriptors.", open);
        if let Some(max) = self.max_descriptors {
            metric(
                "process_max_fds",
                "gauge",
                "Most file descriptors allowed.",
                max.to_string(),
            );
        }
        text
    }
}

/// The times in `/proc/self/stat`, in ticks; the start is counted from the boot of the machine.
#[derive(Debug, PartialEq)]
struct CpuAndStartTicks {
    cpu_ticks: f64,
    start_ticks: f64,
}

impl CpuAndStartTicks {
    /// Parses the text of the file. The second field, a name in parentheses, may hold any
    /// characters, so fields are counted from its end.
    fn parse(stat: &str) -> Option<Self> {
        let (_, rest) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let ticks = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        Some(Self {
            cpu_ticks: ticks(14)? + ticks(15)?,
            start_ticks: ticks(22)?,
        })
    }
}

/// Returns when the machine booted, in Unix seconds.
fn parse_boot_time_seconds(stat: &str) -> Option<f64> {
    stat.lines()
        .find_map(|line| line.strip_prefix("btime "))?
        .trim()
        .parse()
        .ok()
}

/// Returns the size in a line such as `VmRSS:      1234 kB`.
fn parse_status_bytes(status: &str, label: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(label))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Returns the limit of open descriptors, or `None` if there is none.
fn parse_descriptor_limit(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parentheses_in_the_name_do_not_shift_the_fields() {
        let stat = "7 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 4 0 9000 1";
        assert_eq!(
            CpuAndStartTicks::parse(stat),
            Some(CpuAndStartTicks {
                cpu_ticks: 300.0,
                start_ticks: 9000.0
            })
        );
        assert_eq!(CpuAndStartTicks::parse("7 (short) S 1"), None);
    }

    #[test]
    fn lines_of_proc_are_parsed() {
        assert_eq!(
            parse_status_bytes("VmPeak: 9 kB\nVmRSS:\t   12 kB\n", "VmRSS:"),
            Some(12_288)
        );
        assert_eq!(
            parse_boot_time_seconds("cpu 1\nbtime 1700000000\n"),
            Some(1_700_000_000.0)
        );
        let limits = "Max open files            1024                 4096                 files";
        assert_eq!(parse_descriptor_limit(limits), Some(1024));
        assert_eq!(
            parse_descriptor_limit("Max open files unlimited unlimited files"),
            None
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_memory_descriptors_and_a_start_time() {
        let sample = ProcessSample::read().unwrap();
        assert!(sample.resident_memory_bytes > 100_000 && sample.open_descriptors >= 3);
        assert!(sample.start_time_seconds > 1_700_000_000.0);
        assert!(
            sample
                .to_prometheus_text()
                .contains("# TYPE process_cpu_seconds_total counter\n")
        );
    }
}
