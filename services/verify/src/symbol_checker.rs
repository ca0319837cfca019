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
    day_fold: DayFold,
    report: VerifyReport,
}

/// The symbol that is being checked.
struct SymbolUnderCheck<'a> {
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
            day_fold: DayFold::new(),
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
        let mut under_check = self.load_symbol(symbol, settings).await?;
        let snapshot = self.snapshot;
        let days = self.range.bounds_of_touched_days();
        let mut bars = StoredBarsReader::new(&snapshot.bars, &symbol.instrument, days);
        let mut ticks = TickSliceReader::open(&snapshot.ticks, &symbol.instrument, days).await?;
        let mut oldest_append_ns = i64::MAX;
        while let Some(day_ns) = earlier_day(bars.peek_day_start().await?, ticks.peek_day_start()) {
            let mut unmatched = self
                .read_and_fold_day(&mut under_check, day_ns, &mut ticks)
                .await?;
            let end_ns = Interval::D1.window_containing(day_ns).end_ns();
            let forgotten = under_check
                .current_trades
                .forget_before_and_take_unmatched(end_ns.min(i64::MAX - 1));
            unmatched.extend(forgotten);
            let stored = bars.take_day_bars(day_ns).await?;
            let day_append_ns = first_append_ns(&stored);
            oldest_append_ns = oldest_append_ns.min(day_append_ns);
            self.compare_day(&under_check, &stored);
            self.report_unmatched_duplicates(symbol, &unmatched, day_append_ns);
        }
        let duplicates = under_check.duplicates.take_rest();
        self.look_up_conflicts(&under_check, duplicates).await?;
        let unmatched = under_check
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
    ) -> Result<SymbolUnderCheck<'s>, StoreError> {
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
        Ok(SymbolUnderCheck {
            symbol,
            partition,
            next,
            settings,
            current_trades: TickClassifier::new(settings, next),
            duplicates: PendingDuplicates::default(),
            dirty_minutes: dirty_rows.iter().map(|row| row.start_ns).collect(),
        })
    }

    /// Reads the ticks of a day, classifies them, and adds them to the fold of the day. Counts
    /// conflicts of duplicates on the way. Returns duplicates whose first delivery was not found.
    async fn read_and_fold_day(
        &mut self,
        under_check: &mut SymbolUnderCheck<'_>,
        day_ns: i64,
        slices: &mut TickSliceReader,
    ) -> Result<Vec<UnmatchedDuplicate>, StoreError> {
        self.day_fold.set_day(day_ns, under_check.settings.ties);
        let mut unmatched = Vec::new();
        while let Some((slice, ticks)) = slices.next_slice_of_day(day_ns).await? {
            unmatched.extend(
                under_check
                    .current_trades
                    .forget_before_and_take_unmatched(slice.start_ns),
            );
            let (partition, next) = (under_check.partition, under_check.next);
            self.verdicts.load_pages(partition, next, &ticks).await?;
            let mut classified = self.classify_ticks(under_check, &ticks);
            self.count_conflicts_in_slice(under_check, &mut classified)
                .await?;
            self.add_amended_trades_to_day_fold(under_check, classified);
            self.progress.add_checked_ticks(slice.rows);
        }
        Ok(unmatched)
    }

    /// Classifies ticks and counts them.
    fn classify_ticks(
        &mut self,
        under_check: &mut SymbolUnderCheck<'_>,
        ticks: &[Tick],
    ) -> ClassifiedTicks {
        let limits = RetentionLimits::new(self.clock.now_ns());
        let mut classified = ClassifiedTicks::default();
        for tick in ticks {
            let verdict = self
                .verdicts
                .verdict_at(under_check.partition, tick.position);
            match under_check.current_trades.classify(tick, verdict) {
                TickInclusion::Counted if tick.amendment.is_some() => {
                    self.report.amendments += 1;
                    self.day_fold.count_amendment(tick);
                    classified.amendments.insert(tick, &under_check.settings);
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
                        instrument: under_check.symbol.instrument.clone(),
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

    /// Counts the duplicates of a slice that differ from the first delivery of the same trade.
    /// Those whose first delivery is not in the slice are gathered, to be looked up with others.
    async fn count_conflicts_in_slice(
        &mut self,
        under_check: &mut SymbolUnderCheck<'_>,
        classified: &mut ClassifiedTicks,
    ) -> Result<(), StoreError> {
        let duplicates = std::mem::take(&mut classified.duplicates);
        if duplicates.is_empty() {
            return Ok(());
        }
        let finder = self.first_delivery_finder(under_check);
        let (missing, matched) = finder.match_counted(duplicates, &classified.trades);
        self.report.count_conflicts(&matched);
        let due = under_check.duplicates.add(missing);
        self.look_up_conflicts(under_check, due).await
    }

    /// Looks up the first deliveries of duplicates, and counts the duplicates that differ from
    /// them.
    async fn look_up_conflicts(
        &mut self,
        under_check: &SymbolUnderCheck<'_>,
        duplicates: Vec<Tick>,
    ) -> Result<(), StoreError> {
        if !duplicates.is_empty() {
            let finder = self.first_delivery_finder(under_check);
            let found = finder.find(duplicates, []).await?;
            self.report.count_conflicts(&found);
        }
        Ok(())
    }

    fn first_delivery_finder<'c>(
        &self,
        under_check: &'c SymbolUnderCheck<'_>,
    ) -> FirstDeliveryFinder<'c, R, T>
    where
        'a: 'c,
    {
        let snapshot = self.snapshot;
        FirstDeliveryFinder {
            bars: &snapshot.bars,
            ticks: &snapshot.ticks,
            instrument: &under_check.symbol.instrument,
            partition: under_check.partition,
            settings: under_check.settings,
            next: under_check.next,
        }
    }

    /// Applies the amendments of one slice to its trades and adds these to the fold of the day.
    fn add_amended_trades_to_day_fold(
        &mut self,
        under_check: &SymbolUnderCheck<'_>,
        classified: ClassifiedTicks,
    ) {
        // A trade and its amendments have the same event time, and so are in the same slice.
        for mut tick in classified.trades {
            let is_counted = classified
                .amendments
                .apply_unless_cancelled(&mut tick, &under_check.settings);
            self.report.trades += u64::from(is_counted);
            self.day_fold.add_trade(&tick, !is_counted);
        }
    }

    fn compare_day(&mut self, under_check: &SymbolUnderCheck<'_>, stored: &DayBars) {
        let comparison = DayComparer {
            symbol: under_check.symbol,
            next: under_check.next,
            range: self.range,
            // The clock is read after the ticks: younger ticks cannot be deleted.
            limits: RetentionLimits::new(self.clock.now_ns()),
            dirty_minutes: &under_check.dirty_minutes,
            report: &mut self.report,
        };
        comparison.compare_day(stored, &mut self.day_fold);
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
