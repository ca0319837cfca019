//! Pages of the bars that have trades.

use market::{BarRow, Interval};
use store::BarReader;

use super::source::{BarSource, Keep, is_empty};
use super::{BarRequest, Candle, Candles, Periods, days};
use crate::Problem;
use crate::params::END_OF_TIME_NS;

/// The bars asked for: from the start on where one is given, else the newest.
pub(super) async fn page<B: BarReader>(
    source: &BarSource<'_, B>,
    request: &BarRequest,
) -> Result<Candles, Problem> {
    let end_ns = request.end_ns.unwrap_or(END_OF_TIME_NS);
    let limit = request.limit;
    match (&request.periods, request.start_ns) {
        (Periods::Windows(interval), Some(start_ns)) => {
            oldest(source, *interval, start_ns, end_ns, limit).await
        }
        (Periods::Windows(interval), None) => {
            let rows = source
                .range(*interval, 0, end_ns, limit, Keep::Newest)
                .await?;
            Ok(Candles {
                list: shown(rows),
                next_ns: None,
            })
        }
        (periods, Some(start_ns)) => days::oldest(source, periods, start_ns, end_ns, limit).await,
        (periods, None) => days::newest(source, periods, end_ns, limit).await,
    }
}

async fn oldest<B: BarReader>(
    source: &BarSource<'_, B>,
    interval: Interval,
    start_ns: i64,
    end_ns: i64,
    limit: usize,
) -> Result<Candles, Problem> {
    let mut rows = source
        .range(interval, start_ns, end_ns, limit + 1, Keep::Oldest)
        .await?;
    let next_ns = rows.get(limit).map(|row| row.window.start_ns);
    rows.truncate(limit);
    Ok(Candles {
        list: shown(rows),
        next_ns,
    })
}

fn shown(rows: Vec<BarRow>) -> Vec<Candle> {
    let traded = |row: BarRow| {
        let end_ns = row.window.end_ns();
        (!is_empty(&row)).then_some(Candle::Traded { row, end_ns })
    };
    rows.into_iter().filter_map(traded).collect()
}
