//! Pages without gaps: periods without trades are filled in at the prior close.

use store::BarReader;

use super::bar_page::{BarPage, PageBar};
use super::days;
use super::periods::{Period, PeriodSequence};
use super::request::ListBarsRequest;
use super::source::{KeepOldestOrNewest, LiveAndStoredBars, has_no_trades, latest_closed_end_ns};
use crate::params::END_OF_TIME_NS;
use crate::problem::Problem;

/// How many days are folded at once.
const DAYS_PER_READ: usize = 100;

/// Returns the requested bars with the gaps between them filled in. Nothing is filled in before the
/// first trade, after the current time, or, if the request has no end, after the newest bar.
pub(super) async fn gap_filled_page<R: BarReader>(
    source: &LiveAndStoredBars<'_, R>,
    request: &ListBarsRequest,
    now_ns: i64,
) -> Result<BarPage, Problem> {
    let periods = &request.periods;
    let Some(newest) = source.last_traded_minute_before(END_OF_TIME_NS).await? else {
        return Ok(BarPage::default());
    };
    let newest_end_ns = periods.period_containing(newest.window.start_ns)?.end_ns;
    let end_ns = match request.end_ns {
        None => newest_end_ns,
        Some(end_ns) => {
            end_ns.min(newest_end_ns.max(periods.period_containing(now_ns.max(0))?.end_ns))
        }
    };
    let shown = match request.start_ns {
        Some(start_ns) => {
            oldest_periods_of_filled_page(source, periods, start_ns, end_ns, request.limit).await?
        }
        None => newest_periods_of_filled_page(source, periods, end_ns, request.limit).await?,
    };
    let Some(last) = shown.periods.last() else {
        return Ok(BarPage::default());
    };
    let next_ns = (last.end_ns < end_ns).then_some(last.end_ns);
    Ok(BarPage {
        list: gap_filled_bars(source, periods, &shown).await?,
        next_ns: next_ns.filter(|_| request.start_ns.is_some()),
    })
}

/// The periods of a page, with and without trades, and the close before them if there is one.
struct PeriodsOfFilledPage {
    periods: Vec<Period>,
    prior_close: Option<String>,
}

async fn oldest_periods_of_filled_page<R: BarReader>(
    source: &LiveAndStoredBars<'_, R>,
    periods: &PeriodSequence,
    start_ns: i64,
    end_ns: i64,
    limit: usize,
) -> Result<PeriodsOfFilledPage, Problem> {
    let mut first = periods.first_starting_at_or_after(start_ns)?;
    let prior_close = prior_close(source, first.start_ns).await?;
    if prior_close.is_none()
        && let Some(row) = source
            .first_traded_minute_at_or_after(first.start_ns)
            .await?
    {
        first = periods.period_containing(row.window.start_ns)?;
    }
    Ok(PeriodsOfFilledPage {
        periods: periods.forward_from(first, end_ns, limit)?,
        prior_close,
    })
}

async fn newest_periods_of_filled_page<R: BarReader>(
    source: &LiveAndStoredBars<'_, R>,
    periods: &PeriodSequence,
    end_ns: i64,
    limit: usize,
) -> Result<PeriodsOfFilledPage, Problem> {
    let mut shown = PeriodsOfFilledPage {
        periods: periods.last_periods_up_to(periods.period_containing(end_ns - 1)?, limit)?,
        prior_close: None,
    };
    let Some(first) = shown.periods.first() else {
        return Ok(shown);
    };
    let start_ns = first.start_ns;
    shown.prior_close = prior_close(source, start_ns).await?;
    if shown.prior_close.is_none() {
        let traded = source.first_traded_minute_at_or_after(start_ns).await?;
        let traded_ns = traded.map_or(i64::MAX, |row| row.window.start_ns);
        shown.periods.retain(|period| period.end_ns > traded_ns);
    }
    Ok(shown)
}

async fn prior_close<R: BarReader>(
    source: &LiveAndStoredBars<'_, R>,
    start_ns: i64,
) -> Result<Option<String>, Problem> {
    let prior = source.last_traded_minute_before(start_ns).await?;
    Ok(prior.map(|row| row.bar.close.price.to_string()))
}

async fn gap_filled_bars<R: BarReader>(
    source: &LiveAndStoredBars<'_, R>,
    periods: &PeriodSequence,
    shown: &PeriodsOfFilledPage,
) -> Result<Vec<PageBar>, Problem> {
    let mut closed_until_ns = source.closed_until_ns().await?;
    let traded =
        traded_bars_of_periods(source, periods, &shown.periods, &mut closed_until_ns).await?;
    let mut traded = traded.into_iter().peekable();
    let mut close = shown.prior_close.clone();
    let mut list = Vec::with_capacity(shown.periods.len());
    for period in &shown.periods {
        if let Some(candle) = traded.next_if(|next| next.start_ns() == period.start_ns) {
            if let PageBar::Traded { row, .. } = &candle {
                close = Some(row.bar.close.price.to_string());
            }
            list.push(candle);
        } else if let Some(price) = &close {
            list.push(PageBar::Flat {
                period: *period,
                price: price.clone(),
                closed: period.end_ns <= closed_until_ns,
            });
        }
    }
    Ok(list)
}

/// Returns the bars with trades among consecutive periods. Advances `closed_until_ns` past the
/// closed bars that it reads.
async fn traded_bars_of_periods<R: BarReader>(
    source: &LiveAndStoredBars<'_, R>,
    periods: &PeriodSequence,
    consecutive: &[Period],
    closed_until_ns: &mut i64,
) -> Result<Vec<PageBar>, Problem> {
    let mut bar_page = Vec::new();
    match (periods, consecutive) {
        (PeriodSequence::Windows(interval), [first, ..]) => {
            let end_ns = consecutive[consecutive.len() - 1].end_ns;
            let rows = source
                .bars_between(
                    *interval,
                    first.start_ns,
                    end_ns,
                    consecutive.len(),
                    KeepOldestOrNewest::Oldest,
                )
                .await?;
            *closed_until_ns = (*closed_until_ns).max(latest_closed_end_ns(&rows));
            let traded = rows.into_iter().filter(|row| !has_no_trades(row));
            bar_page.extend(traded.map(|row| PageBar::Traded {
                end_ns: row.window.end_ns(),
                row,
            }));
        }
        (PeriodSequence::Days(_), _) => {
            for chunk in consecutive.chunks(DAYS_PER_READ) {
                bar_page.extend(days::fold_traded_days(source, chunk, closed_until_ns).await?);
            }
        }
        (PeriodSequence::Windows(_), []) => {}
    }
    Ok(bar_page)
}
