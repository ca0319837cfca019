//! What a run tells while it runs, on standard error.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

const WAITING: &str = "{spinner} {msg}";
const CHECKING: &str =
    "{bar:24} {percent:>3}%  {human_pos} of {human_len} ticks  {eta} left  {msg}";

/// How far a run is: a bar on a terminal, else nothing but messages.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    is_quiet: bool,
}

impl Progress {
    pub(super) fn new(is_quiet: bool) -> Self {
        let target = match io::stderr().is_terminal() && !is_quiet {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(style(WAITING));
        Self { bar, is_quiet }
    }

    /// Writes a line.
    pub(super) fn say(&self, text: &str) {
        self.bar.suspend(|| eprintln!("verify: {text}"));
    }

    /// The archiver is waited for: said once where there is no terminal.
    pub(super) fn wait(&self, behind: u64, waited: Duration) {
        let text = format!("the archiver is {} records behind", HumanCount(behind));
        if self.bar.is_hidden() && !self.is_quiet && waited.is_zero() {
            self.say(&format!("{text}; waiting for it"));
        }
        self.bar.set_message(text);
        self.bar.tick();
    }

    /// The comparing begins, of so many ticks.
    pub(super) fn begin(&self, ticks: u64) {
        self.bar.set_length(ticks);
        self.bar.set_style(style(CHECKING).progress_chars("━╸─"));
        self.bar.reset_elapsed();
        self.bar.reset_eta();
    }

    /// This symbol is compared next.
    pub(super) fn turn_to(&self, symbol: &str) {
        self.bar.set_message(symbol.to_owned());
    }

    /// So many more ticks are done.
    pub(super) fn advance(&self, ticks: u64) {
        self.bar.inc(ticks);
    }
}

/// Takes the bar away, so that what follows begins on a line of its own.
impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are well formed")
}
