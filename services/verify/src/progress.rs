//! The progress display and messages of a run, on standard error.

use std::io::{self, IsTerminal};
use std::time::Duration;

use host::format_count;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const WAITING: &str = "{spinner} {msg}";
const CHECKING: &str =
    "{bar:24} {percent:>3}%  {human_pos} of {human_len} ticks  {eta} left  {msg}";

/// Shows how far a run is: a bar and messages on a terminal, otherwise only messages.
#[derive(Debug)]
pub(crate) struct ProgressDisplay {
    bar: ProgressBar,
    is_quiet: bool,
}

impl ProgressDisplay {
    /// Creates the display. If it `is_quiet`, it shows no bar and does not report waiting.
    pub(crate) fn new(is_quiet: bool) -> Self {
        let target = match io::stderr().is_terminal() && !is_quiet {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(parse_progress_style(WAITING));
        Self { bar, is_quiet }
    }

    /// Prints a line.
    pub(crate) fn print_message(&self, text: &str) {
        self.bar.suspend(|| eprintln!("verify: {text}"));
    }

    /// Shows that the run waits for the archiver. Without a terminal this is printed once.
    pub(crate) fn show_waiting(&self, behind: u64, waited: Duration) {
        let text = format!("the archiver is {} records behind", format_count(behind));
        if self.bar.is_hidden() && !self.is_quiet && waited.is_zero() {
            self.print_message(&format!("{text}; waiting for it"));
        }
        self.bar.set_message(text);
        self.bar.tick();
    }

    /// Shows that checking begins, of `tick_count` ticks.
    pub(crate) fn start_checking(&self, tick_count: u64) {
        self.bar.set_length(tick_count);
        self.bar
            .set_style(parse_progress_style(CHECKING).progress_chars("━╸─"));
        self.bar.reset_elapsed();
        self.bar.reset_eta();
    }

    /// Shows which symbol is being checked.
    pub(crate) fn show_symbol(&self, symbol: &str) {
        self.bar.set_message(symbol.to_owned());
    }

    /// Adds ticks that were checked.
    pub(crate) fn add_checked_ticks(&self, count: u64) {
        self.bar.inc(count);
    }
}

/// Removes the bar, so that the next output begins on a line of its own.
impl Drop for ProgressDisplay {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn parse_progress_style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are well formed")
}
