//! Days that begin at a time of day in a zone, folded from the bars that they consist of.

use market::{BarRow, DayError, DayStart, Interval, Window};
use store::BarReader;

use super::bar_page::{BarPage, PageBar};
use super::periods::{Period, PeriodSequence};
use super::source::{KeepOldestOrNewest, LiveAndStoredBars, has_no_trades, latest_closed_end_ns};
use crate::params::END_OF_TIME_NS;
use crate::problem::Problem;

/// How many days are read at once.
const DAYS_PER_READ: usize = 100;

/// Returns the first `limit` days with trades that start in `[start_ns, end_ns)`.
pub(super) async fn oldest_traded_days<R: BarReader>(
    source: &LiveAndStoredBars<'_, R>,
    periods: &PeriodSequence,
    start_ns: i64,
    end_ns: i64,
    limit: usize,
) -> Result<BarPage, Problem> {
    let mut closed_until_ns = source.closed_until_ns().await?;
    let mut list: Vec<PageBar> = Vec::new();
    let mut first = periods.first_starting_at_or_after(start_ns)?;
    while list.len() <= limit {
        let wanted = (limit + 1 - list.len()).min(DAYS_PER_READ);
        let days = periods.forward_from(first, end_ns, wanted)?;
        let Some(last) = days.last().copied() else {
            break;
        };
        let folded = fold_traded_days(source, &days, &mut closed_until_ns).await?;
        first = match folded.is_empty() {
            false => periods.period_containing(last.end_ns)?,
            true => match source.first_traded_minute_at_or_after(last.end_ns).await? {
                Some(row) => periods.period_containing(row.window.start_ns)?,
                None => break,
            },
        };
        list.extend(folded);
    }
    let next_ns = list.get(limit).map(PageBar::start_ns);
    list.truncate(limit);
    Ok(BarPage { list, next_ns })
}

/// Returns the last `limit` days with trades that start before `end_ns`.
pub(super) async fn newest_traded_days<R: BarReader>(
    source: &LiveAndStoredBars<'_, R>,
    periods: &PeriodSequence,
    end_ns: i64,
    limit: usize,
) -> Result<BarPage, Problem> {
    let mut closed_until_ns = source.closed_until_ns().await?;
    let mut list: Vec<PageBar> = Vec::new();
    // The last day may start before `end_ns` and trade after it.
    let mut before_ns = match end_ns {
        END_OF_TIME_NS => END_OF_TIME_NS,
        _ => periods.period_containing(end_ns - 1)?.end_ns,
    };
    while list.len() < limit {
        let Some(row) = source.last_traded_minute_before(before_ns).await? else {
            break;
        };
        let last = periods.period_containing(row.window.start_ns)?;
        let days = periods.last_periods_up_to(last, (limit - list.len()).min(DAYS_PER_READ))?;
        before_ns = days[0].start_ns;
        let mut folded = fold_traded_days(source, &days, &mut closed_until_ns).await?;
        folded.append(&mut list);
        list = folded;
    }
    Ok(BarPage {
        list,
        next_ns: None,
    })
}

/// Folds consecutive days and returns those with trades. Advances `closed_until_ns` past the closed
/// bars that it reads.
///
/// # Errors
/// A [`Problem`] if the store fails, or if no interval divides a day that has trades.
pub(super) async fn fold_traded_days<R: BarReader>(
    source: &LiveAndStoredBars<'_, R>,
    days: &[Period],
    closed_until_ns: &mut i64,
) -> Result<Vec<PageBar>, Problem> {
    let mut folded = Vec::new();
    let mut rest = days;
    while let [first, ..] = rest {
        let interval = dividing_interval(first).ok();
        let has_same_interval = |day: &&Period| dividing_interval(day).ok() == interval;
        let (run, other_days) = rest.split_at(rest.iter().take_while(has_same_interval).count());
        rest = other_days;
        let Some(interval) = interval else {
            require_no_trades_on_indivisible_days(source, run).await?;
            continue;
        };
        let rows = read_bars_of_days(source, interval, run).await?;
        *closed_until_ns = (*closed_until_ns).max(latest_closed_end_ns(&rows));
        for day in run {
            let from = rows.partition_point(|row| row.window.start_ns < day.start_ns);
            let to = rows.partition_point(|row| row.window.start_ns < day.end_ns);
            folded.extend(fold_day(&rows[from..to], *day));
        }
    }
    for candle in &mut folded {
        let PageBar::Traded { row, end_ns } = candle else {
            continue;
        };
        row.closed = *end_ns <= *closed_until_ns;
    }
    Ok(folded)
}

fn dividing_interval(day: &Period) -> Result<Interval, DayError> {
    DayStart::longest_dividing_interval(day.start_ns, day.end_ns)
}

/// Returns a [`Problem`] if there are trades in consecutive days that no interval divides, since
/// they cannot be folded then.
async fn require_no_trades_on_indivisible_days<R: BarReader>(
    source: &LiveAndStoredBars<'_, R>,
    days: &[Period],
) -> Result<(), Problem> {
    // A minute that begins before the first day may hold trades of it.
    let start_ns = Interval::M1.window_containing(days[0].start_ns).start_ns;
    let Some(row) = source.first_traded_minute_at_or_after(start_ns).await? else {
        return Ok(());
    };
    match days.iter().find(|day| row.window.start_ns < day.end_ns) {
        Some(day) => Ok(dividing_interval(day).map(drop)?),
        None => Ok(()),
    }
}

async fn read_bars_of_days<R: BarReader>(
    source: &LiveAndStoredBars<'_, R>,
    interval: Interval,
    days: &[Period],
) -> Result<Vec<BarRow>, Problem> {
    let (start_ns, end_ns) = (days[0].start_ns, days[days.len() - 1].end_ns);
    let windows = (end_ns - start_ns) / interval.length_ns();
    let limit = usize::try_from(windows).expect("days have few windows");
    source
        .bars_between(
            interval,
            start_ns,
            end_ns,
            limit,
            KeepOldestOrNewest::Oldest,
        )
        .await
}

/// Returns the bar of one day; `None` without trades. Its revision is the sum of its bars'
/// revisions.
fn fold_day(rows: &[BarRow], day: Period) -> Option<PageBar> {
    let mut traded = rows.iter().filter(|row| !has_no_trades(row));
    let mut bar = traded.next()?.bar.clone();
    for row in traded {
        bar.merge_other_window(&row.bar);
    }
    let through = rows.iter().map(|row| row.through).max()?;
    let row = BarRow {
        window: Window {
            interval: Interval::D1,
            start_ns: day.start_ns,
        },
        bar,
        closed: false,
        provable: rows.iter().all(|row| row.provable),
        revision: rows.iter().map(|row| row.revision).sum(),
        through,
    };
    Some(PageBar::Traded {
        row,
        end_ns: day.end_ns,
    })
}
