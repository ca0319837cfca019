//! Pages without gaps: empty periods are filled flat at the prior close.

use store::BarReader;

use super::source::{BarSource, Keep, closed_by, is_empty};
use super::{BarRequest, Candle, Candles, Period, Periods, days};
use crate::Problem;
use crate::params::END_OF_TIME_NS;

/// How many days are folded at once.
const CHUNK: usize = 100;

/// The bars asked for and the gaps between them, filled. Nothing is filled before the first
/// trade, after the present, or, where no end is given, after the newest bar.
pub(super) async fn page<B: BarReader>(
    source: &BarSource<'_, B>,
    request: &BarRequest,
    now_ns: i64,
) -> Result<Candles, Problem> {
    let periods = &request.periods;
    let Some(newest) = source.last_before(END_OF_TIME_NS).await? else {
        return Ok(Candles::default());
    };
    let newest_end = periods.holding(newest.window.start_ns)?.end_ns;
    let end_ns = match request.end_ns {
        None => newest_end,
        Some(end_ns) => end_ns.min(newest_end.max(periods.holding(now_ns.max(0))?.end_ns)),
    };
    let wanted = match request.start_ns {
        Some(start_ns) => oldest(source, periods, start_ns, end_ns, request.limit).await?,
        None => newest_periods(source, periods, end_ns, request.limit).await?,
    };
    let Some(last) = wanted.periods.last() else {
        return Ok(Candles::default());
    };
    let next = (last.end_ns < end_ns).then_some(last.end_ns);
    Ok(Candles {
        list: filled(source, periods, &wanted).await?,
        next_ns: next.filter(|_| request.start_ns.is_some()),
    })
}

/// Periods to be shown, and the close before them where there is one.
struct Wanted {
    periods: Vec<Period>,
    prior_close: Option<String>,
}

async fn oldest<B: BarReader>(
    source: &BarSource<'_, B>,
    periods: &Periods,
    start_ns: i64,
    end_ns: i64,
    limit: usize,
) -> Result<Wanted, Problem> {
    let mut first = periods.at_or_after(start_ns)?;
    let prior_close = prior_close(source, first.start_ns).await?;
    if prior_close.is_none()
        && let Some(row) = source.first_from(first.start_ns).await?
    {
        first = periods.holding(row.window.start_ns)?;
    }
    Ok(Wanted {
        periods: periods.from(first, end_ns, limit)?,
        prior_close,
    })
}

async fn newest_periods<B: BarReader>(
    source: &BarSource<'_, B>,
    periods: &Periods,
    end_ns: i64,
    limit: usize,
) -> Result<Wanted, Problem> {
    let mut wanted = Wanted {
        periods: periods.up_to(periods.holding(end_ns - 1)?, limit)?,
        prior_close: None,
    };
    let Some(first) = wanted.periods.first() else {
        return Ok(wanted);
    };
    let start_ns = first.start_ns;
    wanted.prior_close = prior_close(source, start_ns).await?;
    if wanted.prior_close.is_none() {
        let traded = source.first_from(start_ns).await?;
        let traded_ns = traded.map_or(i64::MAX, |row| row.window.start_ns);
        wanted.periods.retain(|period| period.end_ns > traded_ns);
    }
    Ok(wanted)
}

async fn prior_close<B: BarReader>(
    source: &BarSource<'_, B>,
    start_ns: i64,
) -> Result<Option<String>, Problem> {
    let prior = source.last_before(start_ns).await?;
    Ok(prior.map(|row| row.bar.close.price.to_string()))
}

async fn filled<B: BarReader>(
    source: &BarSource<'_, B>,
    periods: &Periods,
    wanted: &Wanted,
) -> Result<Vec<Candle>, Problem> {
    let mut closed_until = source.closed_until().await?;
    let traded = traded(source, periods, &wanted.periods, &mut closed_until).await?;
    let mut traded = traded.into_iter().peekable();
    let mut close = wanted.prior_close.clone();
    let mut list = Vec::with_capacity(wanted.periods.len());
    for period in &wanted.periods {
        if let Some(candle) = traded.next_if(|next| next.start_ns() == period.start_ns) {
            if let Candle::Traded { row, .. } = &candle {
                close = Some(row.bar.close.price.to_string());
            }
            list.push(candle);
        } else if let Some(price) = &close {
            list.push(Candle::Flat {
                period: *period,
                price: price.clone(),
                closed: period.end_ns <= closed_until,
            });
        }
    }
    Ok(list)
}

/// The bars with trades among some periods that follow one another.
async fn traded<B: BarReader>(
    source: &BarSource<'_, B>,
    periods: &Periods,
    wanted: &[Period],
    closed_until: &mut i64,
) -> Result<Vec<Candle>, Problem> {
    let mut candles = Vec::new();
    match (periods, wanted) {
        (Periods::Windows(interval), [first, ..]) => {
            let end_ns = wanted[wanted.len() - 1].end_ns;
            let rows = source
                .range(
                    *interval,
                    first.start_ns,
                    end_ns,
                    wanted.len(),
                    Keep::Oldest,
                )
                .await?;
            *closed_until = (*closed_until).max(closed_by(&rows));
            let shown = rows.into_iter().filter(|row| !is_empty(row));
            candles.extend(shown.map(|row| Candle::Traded {
                end_ns: row.window.end_ns(),
                row,
            }));
        }
        (Periods::Days(_), _) => {
            for chunk in wanted.chunks(CHUNK) {
                candles.extend(days::fold(source, chunk, closed_until).await?);
            }
        }
        (Periods::Windows(_), []) => {}
    }
    Ok(candles)
}
