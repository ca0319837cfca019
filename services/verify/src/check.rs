//! The walk: symbol by symbol, day by day, slice by slice.

use clock::Clock;
use market::{Interval, Position, VenueSettings};
use store::{
    AmendmentIndex, BarReader, CurrentTrades, StoreError, SymbolRow, Tick, TickStatus, TickStore,
    UnmatchedDuplicate, Verdict,
};

use super::arguments::Range;
use super::compare::{Ages, DayCheck};
use super::cut::Cut;
use super::fold::DayFold;
use super::progress::Progress;
use super::report::{Difference, Place, Report};
use super::stored::{DayBars, StoredBars};
use super::ticks::TickSlices;
use super::verdicts::Verdicts;

/// Compares bars with ticks, one symbol after the other.
pub(super) struct Checker<'a, R, T, C> {
    cut: &'a Cut<R, T>,
    range: Range,
    clock: &'a C,
    progress: &'a Progress,
    verdicts: Verdicts<'a, R>,
    fold: DayFold,
    report: Report,
}

/// The symbol that is being checked.
struct Subject<'a> {
    symbol: &'a SymbolRow,
    partition: u32,
    /// The first position of its partition that is not folded.
    next: Position,
    settings: VenueSettings,
    current: CurrentTrades,
    /// The starts of its minutes that are marked to be folded anew, ascending.
    dirty: Vec<i64>,
}

impl<'a, R: BarReader, T: TickStore, C: Clock> Checker<'a, R, T, C> {
    pub(super) fn new(
        cut: &'a Cut<R, T>,
        range: Range,
        clock: &'a C,
        progress: &'a Progress,
    ) -> Self {
        Self {
            cut,
            range,
            clock,
            progress,
            verdicts: Verdicts::new(&cut.bars),
            fold: DayFold::new(),
            report: Report::default(),
        }
    }

    pub(super) fn into_report(self) -> Report {
        self.report
    }

    /// Compares every bar of a symbol with its ticks.
    pub(super) async fn check(
        &mut self,
        symbol: &SymbolRow,
        settings: Option<VenueSettings>,
    ) -> Result<(), StoreError> {
        self.progress.turn_to(symbol.instrument.key());
        self.report.symbols += 1;
        let mut subject = self.subject(symbol, settings).await?;
        let cut = self.cut;
        let days = self.range.days();
        let mut bars = StoredBars::new(&cut.bars, &symbol.instrument, days);
        let mut ticks = TickSlices::open(&cut.ticks, &symbol.instrument, days).await?;
        let mut oldest_append_ns = i64::MAX;
        while let Some(day_ns) = earliest(bars.next_day().await?, ticks.next_day()) {
            self.fold.begin(day_ns);
            let mut lost = Vec::new();
            while let Some((slice, ticks)) = ticks.next_of(day_ns).await? {
                lost.extend(subject.current.forget_before(slice.start_ns));
                let next = subject.next;
                self.verdicts.load(subject.partition, next, &ticks).await?;
                self.take(&mut subject, &ticks);
                self.progress.advance(slice.rows);
            }
            let end_ns = Interval::D1.window_containing(day_ns).end_ns();
            lost.extend(subject.current.forget_before(end_ns.min(i64::MAX - 1)));
            let stored = bars.take_day(day_ns).await?;
            let day_append_ns = first_append_ns(&stored);
            oldest_append_ns = oldest_append_ns.min(day_append_ns);
            self.compare(&subject, &stored);
            self.lose(symbol, &lost, day_append_ns);
        }
        let lost = subject.current.forget_before(i64::MAX);
        // Where ids are unique within the symbol, the first delivery may be out of the range.
        if self.range.is_all() {
            self.lose(symbol, &lost, oldest_append_ns);
        }
        Ok(())
    }

    async fn subject<'s>(
        &self,
        symbol: &'s SymbolRow,
        settings: Option<VenueSettings>,
    ) -> Result<Subject<'s>, StoreError> {
        let partitions = u32::try_from(self.cut.next.len()).expect("counted in 32 bits");
        let partition = schemas::partition_of(symbol.instrument.key().as_bytes(), partitions);
        let settings = settings.unwrap_or_else(|| {
            self.progress.say(&format!(
                "{}: partition 0 has not folded the settings of its venue yet, \
                 so whether a trade counts twice is not checked",
                symbol.instrument
            ));
            VenueSettings {
                scheme: market::IdScheme::None,
                ..VenueSettings::default()
            }
        });
        let next = self.cut.next[partition as usize];
        let mut dirty = self.cut.bars.dirty_minutes(partition).await?;
        dirty.retain(|row| row.instrument == symbol.instrument);
        Ok(Subject {
            symbol,
            partition,
            next,
            settings,
            current: CurrentTrades::new(settings, next),
            dirty: dirty.iter().map(|row| row.start_ns).collect(),
        })
    }

    /// Folds the trades among some ticks.
    fn take(&mut self, subject: &mut Subject<'_>, ticks: &[Tick]) {
        let ages = Ages::at(self.clock.now_ns());
        let (mut trades, mut amended) = (Vec::new(), AmendmentIndex::default());
        for tick in ticks {
            let verdict = self.verdicts.of(subject.partition, tick.position);
            match subject.current.classify(tick, verdict) {
                TickStatus::Counted if tick.amendment.is_some() => {
                    self.report.amendments += 1;
                    self.fold.amend(tick);
                    amended.insert(tick, &subject.settings);
                }
                TickStatus::Counted => trades.push(tick.clone()),
                TickStatus::Undecided => self.report.not_yet += 1,
                TickStatus::Excluded(verdict) => self.report.leave_out(verdict),
                TickStatus::MissedDuplicate if ages.verdicts_gone(tick.append_time_ns) => {
                    self.report.leave_out(Verdict::Duplicate);
                }
                TickStatus::MissedDuplicate => self.report.add(Difference {
                    instrument: subject.symbol.instrument.clone(),
                    place: Place::Tick(tick.trade.time_ns, tick.position),
                    field: "identity",
                    stored: "counted twice".to_owned(),
                    refolded: "refolded once: it was delivered before".to_owned(),
                }),
            }
        }
        // A trade and what amends it are of the same event time, and so of one slice.
        for mut tick in trades {
            let stands = amended.apply(&mut tick, &subject.settings);
            self.report.trades += u64::from(stands);
            self.fold.add(&tick, !stands);
        }
        self.report.ticks += ticks.len() as u64;
    }

    fn compare(&mut self, subject: &Subject<'_>, stored: &DayBars) {
        // The clock is read after the ticks: none that is younger can be gone.
        let check = DayCheck {
            symbol: subject.symbol,
            next: subject.next,
            range: self.range,
            ages: Ages::at(self.clock.now_ns()),
            dirty: &subject.dirty,
            report: &mut self.report,
        };
        check.compare(stored, &mut self.fold);
    }

    /// Names duplicates without a first delivery, unless ticks as old as that are gone.
    fn lose(&mut self, symbol: &SymbolRow, lost: &[UnmatchedDuplicate], first_append_ns: i64) {
        if Ages::at(self.clock.now_ns()).ticks_gone(first_append_ns) {
            return;
        }
        for trade in lost {
            self.report.add(Difference {
                instrument: symbol.instrument.clone(),
                place: Place::Tick(trade.time_ns, trade.position),
                field: "identity",
                stored: "left out as a duplicate".to_owned(),
                refolded: "no other delivery of it counts: it is lost".to_owned(),
            });
        }
    }
}

fn earliest(left: Option<i64>, right: Option<i64>) -> Option<i64> {
    left.into_iter().chain(right).min()
}

/// When the log took the first trade of some bars; `i64::MAX` where there are none.
fn first_append_ns(stored: &DayBars) -> i64 {
    let rows = stored.iter().flatten();
    let first = rows.map(|row| row.bar.first_append_ns).min();
    first.unwrap_or(i64::MAX)
}
