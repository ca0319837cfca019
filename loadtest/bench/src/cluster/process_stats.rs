//! What `/proc` reports about a process.

use std::fs::read_to_string;

use anyhow::Context;

/// The unit of process times, per second: `USER_HZ`, which is 100 on every architecture that
/// this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Returns the user and system time of all threads of a process since its start, in seconds. See
/// [proc_pid_stat(5)](https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html).
pub(super) fn cpu_seconds(process: u32) -> anyhow::Result<f64> {
    let path = format!("/proc/{process}/stat");
    let stat = read_to_string(&path).with_context(|| path.clone())?;
    cpu_ticks_in(&stat)
        .map(|ticks| ticks / TICKS_PER_SECOND)
        .with_context(|| format!("{path} has another format"))
}

fn cpu_ticks_in(stat: &str) -> Option<f64> {
    // Field 2, the name, may contain blanks and brackets. After it come field 3, the state, and
    // fields 14 and 15, the times.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let (user, system) = (fields.next()?, fields.next()?);
    Some(user.parse::<f64>().ok()? + system.parse::<f64>().ok()?)
}

/// Returns the greatest resident memory that a process has had, in KiB.
pub(super) fn peak_memory_kib(process: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{process}/status");
    let status = read_to_string(&path).with_context(|| path.clone())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .with_context(|| format!("{path} does not have VmHWM"))
}

/// Returns whether a process exists and has not ended.
pub(super) fn is_alive(process: u32) -> bool {
    let stat = read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

#[cfg(test)]
mod tests {
    use super::{cpu_seconds, cpu_ticks_in, is_alive, peak_memory_kib};

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 9 8 7 6 250 30 2 1 20 0 3 0 99";
        assert_eq!(cpu_ticks_in(stat), Some(280.0));
        assert_eq!(cpu_ticks_in("7 (a"), None);
    }

    #[test]
    fn this_process_is_alive_and_has_memory() {
        let me = std::process::id();
        assert!(is_alive(me) && !is_alive(u32::MAX));
        assert!(peak_memory_kib(me).unwrap() > 100);
        assert!(cpu_seconds(me).unwrap() >= 0.0);
    }
}
