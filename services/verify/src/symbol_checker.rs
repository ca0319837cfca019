//! Goes through the bars and ticks of symbols: day by day, slice by slice.

use clock::Clock;
use market::{Interval, Position, VenueSettings};
use store::{
    AmendmentIndex, BarReader, FirstDeliveryFinder, StoreError, SymbolRow, Tick, TickClassifier,
    TickInclusion, TickStore, TickVerdict, UnmatchedDuplicate,
};

use crate::arguments::TimeRange;
use crate::day_comparison::DayComparer;
use crate::day_fold::DayFold;
use crate::pending_duplicates::PendingDuplicates;
use crate::progress::ProgressDisplay;
use crate::report::{DifferenceLocation, StoredValueDifference, VerifyReport};
use crate::retention::RetentionLimits;
use crate::snapshot::VerifySnapshot;
use crate::stored_bars::{DayBars, StoredBarsReader};
use crate::tick_slices::TickSliceReader;
use crate::verdict_pages::VerdictPageCache;

/// Compares the bars of each symbol in turn with their ticks.
pub(crate) struct SymbolChecker<'a, R, T, C> {
    snapshot: &'a VerifySnapshot<R, T>,
    range: TimeRange,
    clock: &'a C,
    progress: &'a ProgressDisplay,
    verdicts: VerdictPageCache<'a, R>,
    fold: DayFold,
    report: VerifyReport,
}

/// The symbol that is being checked.
struct CheckedSymbol<'a> {
    symbol: &'a SymbolRow,
    partition: u32,
    /// The first position of its partition that is not folded.
    next: Position,
    settings: VenueSettings,
    current_trades: TickClassifier,
    duplicates: PendingDuplicates,
    /// The starts of its minutes that are to be refolded, ascending.
    dirty_minutes: Vec<i64>,
}

/// The ticks of a slice that count, and those that were delivered before.
#[derive(Default)]
struct ClassifiedTicks {
    /// The trades, as they were delivered.
    trades: Vec<Tick>,
    amendments: AmendmentIndex,
    duplicates: Vec<Tick>,
}

impl<'a, R: BarReader, T: TickStore, C: Clock> SymbolChecker<'a, R, T, C> {
    /// Creates a checker that has checked nothing yet.
    pub(crate) fn new(
        snapshot: &'a VerifySnapshot<R, T>,
        range: TimeRange,
        clock: &'a C,
        progress: &'a ProgressDisplay,
    ) -> Self {
        Self {
            snapshot,
            range,
            clock,
            progress,
            verdicts: VerdictPageCache::new(&snapshot.bars),
            fold: DayFold::new(),
            report: VerifyReport::default(),
        }
    }

    /// Returns what was found in all symbols.
    pub(crate) fn into_report(self) -> VerifyReport {
        self.report
    }

    /// Compares every bar of a symbol with its ticks. `settings` are those of its venue; `None` if
    /// they are not folded yet.
    pub(crate) async fn check_symbol(
        &mut self,
        symbol: &SymbolRow,
        settings: Option<VenueSettings>,
    ) -> Result<(), StoreError> {
        self.progress.show_symbol(symbol.instrument.key());
        self.report.symbols += 1;
        let mut checked = self.load_symbol(symbol, settings).await?;
        let snapshot = self.snapshot;
        let days = self.range.bounds_of_touched_days();
        let mut bars = StoredBarsReader::new(&snapshot.bars, &symbol.instrument, days);
        let mut ticks = TickSliceReader::open(&snapshot.ticks, &symbol.instrument, days).await?;
        let mut oldest_append_ns = i64::MAX;
        while let Some(day_ns) = earlier_day(bars.next_day_start().await?, ticks.next_day_start()) {
            let mut unmatched = self.fold_day(&mut checked, day_ns, &mut ticks).await?;
            let end_ns = Interval::D1.window_containing(day_ns).end_ns();
            let forgotten = checked
                .current_trades
                .forget_before_and_take_unmatched(end_ns.min(i64::MAX - 1));
            unmatched.extend(forgotten);
            let stored = bars.take_day_bars(day_ns).await?;
            let day_append_ns = first_append_ns(&stored);
            oldest_append_ns = oldest_append_ns.min(day_append_ns);
            self.compare_day(&checked, &stored);
            self.report_unmatched_duplicates(symbol, &unmatched, day_append_ns);
        }
        let duplicates = checked.duplicates.take_rest();
        self.look_up_conflicts(&checked, duplicates).await?;
        let unmatched = checked
            .current_trades
            .forget_before_and_take_unmatched(i64::MAX);
        // If ids are unique within the symbol, the first delivery may be outside of the range.
        if self.range.is_unbounded() {
            self.report_unmatched_duplicates(symbol, &unmatched, oldest_append_ns);
        }
        Ok(())
    }

    async fn load_symbol<'s>(
        &self,
        symbol: &'s SymbolRow,
        settings: Option<VenueSettings>,
    ) -> Result<CheckedSymbol<'s>, StoreError> {
        let first_unfolded_positions = &self.snapshot.first_unfolded_positions;
        let partitions = u32::try_from(first_unfolded_positions.len()).expect("counted in 32 bits");
        let partition = schemas::partition_of(symbol.instrument.key().as_bytes(), partitions);
        let settings = settings.unwrap_or_else(|| {
            self.progress.print_message(&format!(
                "{}: partition 0 has not folded the settings of its venue yet, \
                 so whether a trade counts twice is not checked",
                symbol.instrument
            ));
            VenueSettings {
                scheme: market::IdScheme::None,
                ..VenueSettings::default()
            }
        });
        let next = first_unfolded_positions[partition as usize];
        let mut dirty_rows = self.snapshot.bars.dirty_minutes(partition).await?;
        dirty_rows.retain(|row| row.instrument == symbol.instrument);
        Ok(CheckedSymbol {
            symbol,
            partition,
            next,
            settings,
            current_trades: TickClassifier::new(settings, next),
            duplicates: PendingDuplicates::default(),
            dirty_minutes: dirty_rows.iter().map(|row| row.start_ns).collect(),
        })
    }

    /// Folds the ticks of a day. Returns duplicates whose first delivery was not found.
    async fn fold_day(
        &mut self,
        checked: &mut CheckedSymbol<'_>,
        day_ns: i64,
        slices: &mut TickSliceReader,
    ) -> Result<Vec<UnmatchedDuplicate>, StoreError> {
        self.fold.start_day(day_ns, checked.settings.ties);
        let mut unmatched = Vec::new();
        while let Some((slice, ticks)) = slices.next_slice_of_day(day_ns).await? {
            unmatched.extend(
                checked
                    .current_trades
                    .forget_before_and_take_unmatched(slice.start_ns),
            );
            let (partition, next) = (checked.partition, checked.next);
            self.verdicts.load_pages(partition, next, &ticks).await?;
            let mut classified = self.classify_ticks(checked, &ticks);
            self.count_conflicts(checked, &mut classified).await?;
            self.fold_trades(checked, classified);
            self.progress.add_checked_ticks(slice.rows);
        }
        Ok(unmatched)
    }

    /// Classifies ticks and counts them.
    fn classify_ticks(
        &mut self,
        checked: &mut CheckedSymbol<'_>,
        ticks: &[Tick],
    ) -> ClassifiedTicks {
        let limits = RetentionLimits::new(self.clock.now_ns());
        let mut classified = ClassifiedTicks::default();
        for tick in ticks {
            let verdict = self.verdicts.verdict_at(checked.partition, tick.position);
            match checked.current_trades.classify(tick, verdict) {
                TickInclusion::Counted if tick.amendment.is_some() => {
                    self.report.amendments += 1;
                    self.fold.count_amendment(tick);
                    classified.amendments.insert(tick, &checked.settings);
                }
                TickInclusion::Counted => classified.trades.push(tick.clone()),
                TickInclusion::Undecided => self.report.undecided += 1,
                TickInclusion::Excluded(verdict) => {
                    self.report.count_excluded_tick(verdict);
                    if verdict == TickVerdict::Duplicate && tick.amendment.is_none() {
                        classified.duplicates.push(tick.clone());
                    }
                }
                TickInclusion::MissedDuplicate
                    if limits.verdicts_may_be_deleted(tick.append_time_ns) =>
                {
                    self.report.count_excluded_tick(TickVerdict::Duplicate);
                    if tick.amendment.is_none() {
                        classified.duplicates.push(tick.clone());
                    }
                }
                TickInclusion::MissedDuplicate => {
                    self.report.add_difference(StoredValueDifference {
                        instrument: checked.symbol.instrument.clone(),
                        location: DifferenceLocation::Tick(tick.trade.time_ns, tick.position),
                        field: "identity",
                        stored: "counted twice".to_owned(),
                        refolded: "refolded once: it was delivered before".to_owned(),
                    });
                }
            }
        }
        self.report.ticks += ticks.len() as u64;
        classified
    }

    /// Counts the duplicates of a slice that differ from the first delivery of the same trade. Those
    /// whose first delivery is not in the slice are gathered, to be looked up with others.
    async fn count_conflicts(
        &mut self,
        checked: &mut CheckedSymbol<'_>,
        classified: &mut ClassifiedTicks,
    ) -> Result<(), StoreError> {
        let duplicates = std::mem::take(&mut classified.duplicates);
        if duplicates.is_empty() {
            return Ok(());
        }
        let finder = self.first_delivery_finder(checked);
        let (missing, matched) = finder.match_counted(duplicates, &classified.trades);
        self.report.count_conflicts(&matched);
        let due = checked.duplicates.add(missing);
        self.look_up_conflicts(checked, due).await
    }

    /// Looks up the first deliveries of duplicates, and counts the duplicates that differ from them.
    async fn look_up_conflicts(
        &mut self,
        checked: &CheckedSymbol<'_>,
        duplicates: Vec<Tick>,
    ) -> Result<(), StoreError> {
        if !duplicates.is_empty() {
            let finder = self.first_delivery_finder(checked);
            let found = finder.find(duplicates, []).await?;
            self.report.count_conflicts(&found);
        }
        Ok(())
    }

    fn first_delivery_finder<'c>(
        &self,
        checked: &'c CheckedSymbol<'_>,
    ) -> FirstDeliveryFinder<'c, R, T>
    where
        'a: 'c,
    {
        let snapshot = self.snapshot;
        FirstDeliveryFinder {
            bars: &snapshot.bars,
            ticks: &snapshot.ticks,
            instrument: &checked.symbol.instrument,
            partition: checked.partition,
            settings: checked.settings,
            next: checked.next,
        }
    }

    /// Folds the trades of one slice.
    fn fold_trades(&mut self, checked: &CheckedSymbol<'_>, classified: ClassifiedTicks) {
        // A trade and its amendments have the same event time, and so are in the same slice.
        for mut tick in classified.trades {
            let is_counted = classified.amendments.apply(&mut tick, &checked.settings);
            self.report.trades += u64::from(is_counted);
            self.fold.add_trade(&tick, !is_counted);
        }
    }

    fn compare_day(&mut self, checked: &CheckedSymbol<'_>, stored: &DayBars) {
        let comparison = DayComparer {
            symbol: checked.symbol,
            next: checked.next,
            range: self.range,
            // The clock is read after the ticks: younger ticks cannot be deleted.
            limits: RetentionLimits::new(self.clock.now_ns()),
            dirty_minutes: &checked.dirty_minutes,
            report: &mut self.report,
        };
        comparison.compare_day(stored, &mut self.fold);
    }

    /// Reports each duplicate whose first delivery is not among the ticks. Nothing is reported if
    /// retention can have deleted that first delivery: the first tick of the hour was appended at
    /// `first_append_ns`.
    fn report_unmatched_duplicates(
        &mut self,
        symbol: &SymbolRow,
        unmatched: &[UnmatchedDuplicate],
        first_append_ns: i64,
    ) {
        if RetentionLimits::new(self.clock.now_ns()).ticks_may_be_deleted(first_append_ns) {
            return;
        }
        for duplicate in unmatched {
            self.report.add_difference(StoredValueDifference {
                instrument: symbol.instrument.clone(),
                location: DifferenceLocation::Tick(duplicate.time_ns, duplicate.position),
                field: "identity",
                stored: "excluded as a duplicate".to_owned(),
                refolded: "no other delivery of it counts: it is lost".to_owned(),
            });
        }
    }
}

fn earlier_day(left: Option<i64>, right: Option<i64>) -> Option<i64> {
    left.into_iter().chain(right).min()
}

/// Returns when the first trade of some bars was appended; `i64::MAX` if there are no bars.
fn first_append_ns(stored: &DayBars) -> i64 {
    let rows = stored.iter().flatten();
    let first = rows.map(|row| row.bar.first_append_ns).min();
    first.unwrap_or(i64::MAX)
}
