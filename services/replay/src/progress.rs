//! What a run tells while it runs, on standard error.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{
    HumanBytes, HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle,
};

/// How often a line is written where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
const TEMPLATE: &str =
    "{bar:30} {percent:>3}%  {bytes:>11} of {total_bytes:<11} {msg}  {eta:>4} left";

/// Messages, which do not tear the progress bar.
#[derive(Debug)]
pub(crate) struct Notices {
    bar: ProgressBar,
    is_away: AtomicBool,
}

impl Notices {
    /// Writes a line.
    pub(crate) fn say(&self, text: &str) {
        self.bar.suspend(|| eprintln!("replay: {text}"));
    }

    /// The server does not answer, or is busy: said once, until it is there again.
    pub(crate) fn is_away(&self, server: &str, reason: &str, give_up: Duration) {
        if !self.is_away.swap(true, Ordering::Relaxed) {
            let patience = HumanDuration(give_up);
            self.say(&format!(
                "{server} is not available ({reason}); trying again for up to {patience}"
            ));
        }
    }

    /// The server has answered.
    pub(crate) fn is_back(&self, server: &str) {
        let is_away = self.is_away.load(Ordering::Relaxed);
        if is_away && self.is_away.swap(false, Ordering::Relaxed) {
            self.say(&format!("{server} is available again"));
        }
    }
}

/// How far a run is: a bar on a terminal, else a line now and then.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    begin: Duration,
    /// When the next line is due, where lines are written.
    next_line: Option<Duration>,
}

impl Progress {
    /// A run that begins `now`, over files of so many bytes, and where its messages go.
    pub(crate) fn new(total_bytes: u64, is_quiet: bool, now: Duration) -> (Self, Notices) {
        let is_terminal = io::stderr().is_terminal();
        let target = match is_terminal && !is_quiet {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(total_bytes), target);
        let style = ProgressStyle::with_template(TEMPLATE).expect("the template is well formed");
        bar.set_style(style.progress_chars("━╸─"));
        let notices = Notices {
            bar: bar.clone(),
            is_away: AtomicBool::new(false),
        };
        let progress = Self {
            bar,
            begin: now,
            next_line: (!is_terminal && !is_quiet).then(|| now + LINE_INTERVAL),
        };
        (progress, notices)
    }

    /// Shows how far the run is.
    pub(crate) fn show(&mut self, bytes: u64, trades: u64, now: Duration) {
        let rate = rate(trades, now.saturating_sub(self.begin));
        let message = format!(
            "{:>13} trades {:>9}/s",
            HumanCount(trades).to_string(),
            HumanCount(rate).to_string(),
        );
        if self.next_line.is_some_and(|due| now >= due) {
            self.next_line = Some(now + LINE_INTERVAL);
            let total = self.bar.length().unwrap_or(0);
            let percent = (bytes * 100).checked_div(total).unwrap_or(100);
            let (bytes, total) = (HumanBytes(bytes).to_string(), HumanBytes(total).to_string());
            eprintln!("replay: {percent:>3}%  {bytes:>11} of {total:<11} {message}");
        }
        self.bar.set_position(bytes);
        self.bar.set_message(message);
    }
}

/// Takes the bar away, so that what follows begins on a line of its own.
impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Trades a second.
pub(crate) fn rate(trades: u64, time: Duration) -> u64 {
    let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    trades.saturating_mul(1_000).checked_div(ms).unwrap_or(0)
}
