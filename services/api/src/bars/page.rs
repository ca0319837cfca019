//! Pages of bars with trades.

use market::{BarRow, Interval};
use store::BarReader;

use super::bar_page::{BarPage, PageBar};
use super::days;
use super::periods::PeriodSequence;
use super::request::ListBarsRequest;
use super::source::{KeepOldestOrNewest, LiveAndStoredBars, has_no_trades};
use crate::params::END_OF_TIME_NS;
use crate::problem::Problem;

/// Returns the requested bars: the oldest ones, or the newest ones if the request
/// has no start.
pub(super) async fn traded_page<R: BarReader>(
    source: &LiveAndStoredBars<'_, R>,
    request: &ListBarsRequest,
) -> Result<BarPage, Problem> {
    let end_ns = request.end_ns.unwrap_or(END_OF_TIME_NS);
    let limit = request.limit;
    match (&request.periods, request.start_ns) {
        (PeriodSequence::Windows(interval), Some(start_ns)) => {
            oldest_traded_windows(source, *interval, start_ns, end_ns, limit).await
        }
        (PeriodSequence::Windows(interval), None) => {
            let rows = source
                .bars_between(*interval, 0, end_ns, limit, KeepOldestOrNewest::Newest)
                .await?;
            Ok(BarPage {
                list: drop_emptied_bars(rows),
                next_ns: None,
            })
        }
        (periods, Some(start_ns)) => {
            days::oldest_traded_days(source, periods, start_ns, end_ns, limit).await
        }
        (periods, None) => days::newest_traded_days(source, periods, end_ns, limit).await,
    }
}

async fn oldest_traded_windows<R: BarReader>(
    source: &LiveAndStoredBars<'_, R>,
    interval: Interval,
    start_ns: i64,
    end_ns: i64,
    limit: usize,
) -> Result<BarPage, Problem> {
    let mut rows = source
        .bars_between(
            interval,
            start_ns,
            end_ns,
            limit + 1,
            KeepOldestOrNewest::Oldest,
        )
        .await?;
    let next_ns = rows.get(limit).map(|row| row.window.start_ns);
    rows.truncate(limit);
    Ok(BarPage {
        list: drop_emptied_bars(rows),
        next_ns,
    })
}

fn drop_emptied_bars(rows: Vec<BarRow>) -> Vec<PageBar> {
    let traded = |row: BarRow| {
        let end_ns = row.window.end_ns();
        (!has_no_trades(&row)).then_some(PageBar::Traded { row, end_ns })
    };
    rows.into_iter().filter_map(traded).collect()
}
