//! Days that begin where a zone says, folded from the bars that make them up.

use market::{BarRow, DayStart, Interval, Window};
use store::BarReader;

use super::source::{BarSource, Keep, closed_by, is_empty};
use super::{Candle, Candles, Period, Periods};
use crate::Problem;
use crate::params::END_OF_TIME_NS;

/// How many days are read at once.
const CHUNK: usize = 100;

/// At most `limit` days with trades that start in `[start_ns, end_ns)`, the oldest.
pub(super) async fn oldest<B: BarReader>(
    source: &BarSource<'_, B>,
    periods: &Periods,
    start_ns: i64,
    end_ns: i64,
    limit: usize,
) -> Result<Candles, Problem> {
    let mut closed_until = source.closed_until().await?;
    let mut list: Vec<Candle> = Vec::new();
    let mut first = periods.at_or_after(start_ns)?;
    while list.len() <= limit {
        let wanted = (limit + 1 - list.len()).min(CHUNK);
        let days = periods.from(first, end_ns, wanted)?;
        let Some(last) = days.last().copied() else {
            break;
        };
        let folded = fold(source, &days, &mut closed_until).await?;
        first = match folded.is_empty() {
            false => periods.holding(last.end_ns)?,
            true => match source.first_from(last.end_ns).await? {
                Some(row) => periods.holding(row.window.start_ns)?,
                None => break,
            },
        };
        list.extend(folded);
    }
    let next_ns = list.get(limit).map(Candle::start_ns);
    list.truncate(limit);
    Ok(Candles { list, next_ns })
}

/// At most `limit` days with trades that start before `end_ns`, the newest.
pub(super) async fn newest<B: BarReader>(
    source: &BarSource<'_, B>,
    periods: &Periods,
    end_ns: i64,
    limit: usize,
) -> Result<Candles, Problem> {
    let mut closed_until = source.closed_until().await?;
    let mut list: Vec<Candle> = Vec::new();
    // The last day may start before `end_ns` and trade after it.
    let mut before_ns = match end_ns {
        END_OF_TIME_NS => END_OF_TIME_NS,
        _ => periods.holding(end_ns - 1)?.end_ns,
    };
    while list.len() < limit {
        let Some(row) = source.last_before(before_ns).await? else {
            break;
        };
        let last = periods.holding(row.window.start_ns)?;
        let days = periods.up_to(last, (limit - list.len()).min(CHUNK))?;
        before_ns = days[0].start_ns;
        let mut folded = fold(source, &days, &mut closed_until).await?;
        folded.append(&mut list);
        list = folded;
    }
    Ok(Candles {
        list,
        next_ns: None,
    })
}

/// The days with trades among some that follow one another. Closed bars that come to light
/// move `closed_until` on.
pub(super) async fn fold<B: BarReader>(
    source: &BarSource<'_, B>,
    days: &[Period],
    closed_until: &mut i64,
) -> Result<Vec<Candle>, Problem> {
    let mut folded = Vec::new();
    let mut rest = days;
    while let [first, ..] = rest {
        let interval = DayStart::longest_dividing_interval(first.start_ns, first.end_ns)?;
        let same = |day: &&Period| {
            DayStart::longest_dividing_interval(day.start_ns, day.end_ns) == Ok(interval)
        };
        let (run, later) = rest.split_at(rest.iter().take_while(same).count());
        rest = later;
        let rows = read(source, interval, run).await?;
        *closed_until = (*closed_until).max(closed_by(&rows));
        for day in run {
            let from = rows.partition_point(|row| row.window.start_ns < day.start_ns);
            let to = rows.partition_point(|row| row.window.start_ns < day.end_ns);
            folded.extend(fold_day(&rows[from..to], *day));
        }
    }
    for candle in &mut folded {
        let Candle::Traded { row, end_ns } = candle else {
            continue;
        };
        row.closed = *end_ns <= *closed_until;
    }
    Ok(folded)
}

async fn read<B: BarReader>(
    source: &BarSource<'_, B>,
    interval: Interval,
    days: &[Period],
) -> Result<Vec<BarRow>, Problem> {
    let (start_ns, end_ns) = (days[0].start_ns, days[days.len() - 1].end_ns);
    let windows = (end_ns - start_ns) / interval.length_ns();
    let limit = usize::try_from(windows).expect("days have few windows");
    source
        .range(interval, start_ns, end_ns, limit, Keep::Oldest)
        .await
}

/// The bar of one day, where it has trades. Its revision is the sum of those of its bars.
fn fold_day(rows: &[BarRow], day: Period) -> Option<Candle> {
    let mut traded = rows.iter().filter(|row| !is_empty(row));
    let mut bar = traded.next()?.bar.clone();
    for row in traded {
        bar.merge(&row.bar);
    }
    let through = rows.iter().map(|row| row.through).max()?;
    let row = BarRow {
        window: Window {
            interval: Interval::D1,
            start_ns: day.start_ns,
        },
        bar,
        closed: false,
        revision: rows.iter().map(|row| row.revision).sum(),
        through,
    };
    Some(Candle::Traded {
        row,
        end_ns: day.end_ns,
    })
}
