//! The machine that the figures were measured on.

use std::fs::read_to_string;

/// Prints the machine's processor, memory and load average.
pub(super) fn print_machine_description() {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let processor = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let memory = read_to_string("/proc/meminfo").unwrap_or_default();
    let load = read_to_string("/proc/loadavg").unwrap_or_default();
    let model = value_of_line(&processor, "model name").unwrap_or("unknown");
    let total_kib = value_of_line(&memory, "MemTotal").and_then(|text| text.split(' ').next());
    let total_kib: u64 = total_kib.and_then(|text| text.parse().ok()).unwrap_or(0);
    let load: Vec<_> = load.split_whitespace().take(3).collect();
    println!(
        "machine: {cores} cores, {model}, {} MiB of memory; load average {}",
        total_kib / 1_024,
        load.join(" ")
    );
    if cfg!(debug_assertions) {
        println!("THIS IS A DEBUG BUILD: its figures mean nothing, build with --release");
    }
}

/// Returns the value of the line `name: value`.
fn value_of_line<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(known, _)| known.trim() == name);
    found.map(|(_, value)| value.trim())
}
