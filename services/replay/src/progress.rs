//! The progress display and status messages of a run, on standard error.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use host::format_count;
use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a line is written if standard error is not a terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
const TEMPLATE: &str =
    "{bar:30} {percent:>3}%  {bytes:>11} of {total_bytes:<11} {msg}  {eta:>4} left";

/// Prints messages without damaging the progress bar.
#[derive(Debug)]
pub(crate) struct StatusPrinter {
    bar: ProgressBar,
    is_unavailable: AtomicBool,
}

impl StatusPrinter {
    /// Prints a line.
    pub(crate) fn print(&self, text: &str) {
        self.bar.suspend(|| eprintln!("replay: {text}"));
    }

    /// Reports that the server does not answer or is busy, once until it is available again.
    pub(crate) fn report_unavailable(&self, server: &str, reason: &str, give_up: Duration) {
        if !self.is_unavailable.swap(true, Ordering::Relaxed) {
            let limit = HumanDuration(give_up);
            self.print(&format!(
                "{server} is not available ({reason}); retrying for up to {limit}"
            ));
        }
    }

    /// Reports that the server is available, if it was reported unavailable before.
    pub(crate) fn report_available(&self, server: &str) {
        let is_unavailable = self.is_unavailable.load(Ordering::Relaxed);
        if is_unavailable && self.is_unavailable.swap(false, Ordering::Relaxed) {
            self.print(&format!("{server} is available again"));
        }
    }
}

/// Shows how far a run is: a bar on a terminal, otherwise a line every few seconds.
#[derive(Debug)]
pub(crate) struct ProgressDisplay {
    bar: ProgressBar,
    begin: Duration,
    /// When the next line is due; `None` if no lines are written.
    next_line: Option<Duration>,
}

impl ProgressDisplay {
    /// Creates the display of a run that begins `now`, over files of `total_bytes`, and the
    /// printer of its messages.
    pub(crate) fn new(total_bytes: u64, is_quiet: bool, now: Duration) -> (Self, StatusPrinter) {
        let is_terminal = io::stderr().is_terminal();
        let target = match is_terminal && !is_quiet {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(total_bytes), target);
        let style = ProgressStyle::with_template(TEMPLATE).expect("the template is well formed");
        bar.set_style(style.progress_chars("━╸─"));
        let messages = StatusPrinter {
            bar: bar.clone(),
            is_unavailable: AtomicBool::new(false),
        };
        let display = Self {
            bar,
            begin: now,
            next_line: (!is_terminal && !is_quiet).then(|| now + LINE_INTERVAL),
        };
        (display, messages)
    }

    /// Shows how many bytes were read and how many trades were sent.
    pub(crate) fn show(&mut self, bytes_read: u64, trades: u64, now: Duration) {
        let rate = trades_per_second(trades, now.saturating_sub(self.begin));
        let message = format!(
            "{:>13} trades {:>9}/s",
            format_count(trades),
            format_count(rate),
        );
        if self.next_line.is_some_and(|due| now >= due) {
            self.next_line = Some(now + LINE_INTERVAL);
            let total = self.bar.length().unwrap_or(0);
            let percent = (bytes_read * 100).checked_div(total).unwrap_or(100);
            let read = HumanBytes(bytes_read).to_string();
            let total = HumanBytes(total).to_string();
            eprintln!("replay: {percent:>3}%  {read:>11} of {total:<11} {message}");
        }
        self.bar.set_position(bytes_read);
        self.bar.set_message(message);
    }
}

/// Removes the bar, so that the next output begins on a line of its own.
impl Drop for ProgressDisplay {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Returns the number of trades a second, rounded down.
pub(crate) fn trades_per_second(trades: u64, duration: Duration) -> u64 {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    trades.saturating_mul(1_000).checked_div(ms).unwrap_or(0)
}
