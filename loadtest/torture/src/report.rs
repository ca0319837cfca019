//! The report of a run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context;
use clock::{Clock, SystemClock};

use crate::fault_kind::FaultKind;
use crate::faults::FaultPeriod;
use crate::options::Options;
use crate::reconcile::{MAX_SHOWN_DIFFERENCES, ReconcileOutcome};
use crate::sent_trades::RunTotals;

/// The first line of the file of runs.
const HEADER: &str = "started,seed,brokers,seconds,fault_count,faults,sent,acknowledged,repeats,\
                      edits,cancels,bars_compared,lost,doubled,differences,machine\n";

/// A run that has ended.
pub(crate) struct RunReport<'a> {
    pub(crate) options: &'a Options,
    pub(crate) seconds: u64,
    pub(crate) periods: Vec<FaultPeriod>,
    pub(crate) totals: RunTotals,
    pub(crate) sent: usize,
    pub(crate) acked: usize,
    pub(crate) outcome: &'a ReconcileOutcome,
    /// How often roles ended without being stopped or killed.
    pub(crate) role_ends: u64,
}

impl RunReport<'_> {
    fn count_faults_by_kind(&self) -> BTreeMap<FaultKind, u64> {
        let mut counts = BTreeMap::new();
        for episode in &self.periods {
            *counts.entry(episode.kind).or_default() += 1;
        }
        counts
    }

    /// Returns how many of the trades were sent during a kind of fault, or just before.
    fn count_sent_shortly_before_or_during(&self, kind: FaultKind, sent_ms: &[u64]) -> usize {
        const BEFORE_MS: u64 = 10_000;
        let is_during = |ms: &&u64| {
            let periods = self.periods.iter().filter(|one| one.kind == kind);
            let mut spans = periods.map(|one| one.from_ms.saturating_sub(BEFORE_MS)..=one.to_ms);
            spans.any(|span| span.contains(ms))
        };
        sent_ms.iter().filter(is_during).count()
    }

    /// Returns the report as text for standard output.
    pub(crate) fn to_text(&self) -> String {
        let mut out = String::new();
        let Self {
            totals, outcome, ..
        } = self;
        let _ = writeln!(
            out,
            "\n{:<12}{:>8}{:>8}{:>10}",
            "fault", "times", "lost", "doubled"
        );
        for (kind, times) in self.count_faults_by_kind() {
            let lost = self.count_sent_shortly_before_or_during(kind, &outcome.lost);
            let doubled = self.count_sent_shortly_before_or_during(kind, &outcome.doubled);
            let _ = writeln!(out, "{kind:<12}{times:>8}{lost:>8}{doubled:>10}");
        }
        let all = self.periods.len();
        let (lost, doubled) = (outcome.lost.len(), outcome.doubled.len());
        let _ = writeln!(out, "{:<12}{all:>8}{lost:>8}{doubled:>10}\n", "all");
        let _ = writeln!(
            out,
            "{} trades sent, {} acknowledged, {} late; {} sent twice, {} by other programs; {} \
             requests, {} tried again, {} trades refused; {} edits, {} cancels, {} of them before \
             their trade; {} records left out as duplicates, {} trades count; roles ended {} times \
             by themselves\n",
            self.sent,
            self.acked,
            totals.late,
            totals.repeats,
            totals.foreign,
            totals.requests,
            totals.retries,
            totals.refused,
            totals.edits,
            totals.cancels,
            totals.ahead,
            outcome.duplicates,
            outcome.trades,
            self.role_ends,
        );
        for comparison in &outcome.comparisons {
            let found = comparison.differences.len();
            let _ = writeln!(
                out,
                "{:<50}{:>9} rows {found:>6} differences",
                comparison.name, comparison.rows
            );
            for difference in comparison.differences.iter().take(MAX_SHOWN_DIFFERENCES) {
                let _ = writeln!(out, "    {difference}");
            }
        }
        out
    }

    /// Appends a line about the run to a CSV file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn append_csv_row(&self, path: &Path) -> anyhow::Result<()> {
        let is_new = !path.exists();
        let opened = OpenOptions::new().create(true).append(true).open(path);
        let mut file = opened.with_context(|| format!("cannot write {}", path.display()))?;
        if is_new {
            file.write_all(HEADER.as_bytes())?;
        }
        let Self {
            totals, outcome, ..
        } = self;
        let faults: Vec<_> = self
            .count_faults_by_kind()
            .into_iter()
            .map(|(kind, times)| format!("{kind}={times}"))
            .collect();
        let bars = outcome
            .comparisons
            .iter()
            .find(|comparison| comparison.name.starts_with("bars of"));
        let differences: usize = outcome
            .comparisons
            .iter()
            .map(|comparison| comparison.differences.len())
            .sum();
        let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        let minute = market::format_time(SystemClock.now_ns());
        let row = format!(
            "{},{},{},{},{},{},{},{},{},{},{},{},{},{},{differences},{cores} cores\n",
            minute.get(..16).unwrap_or(&minute),
            self.options.seed,
            self.options.brokers,
            self.seconds,
            self.periods.len(),
            faults.join(";"),
            self.sent,
            self.acked,
            totals.repeats,
            totals.edits,
            totals.cancels,
            bars.map_or(0, |comparison| comparison.rows),
            outcome.lost.len(),
            outcome.doubled.len(),
        );
        file.write_all(row.as_bytes())?;
        Ok(())
    }
}
