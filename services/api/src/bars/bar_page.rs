//! The bars of a page.

use market::BarRow;
use schemas::api::BarJson;

use super::periods::Period;

/// A bar of a page.
#[expect(clippy::large_enum_variant, reason = "most have trades")]
pub(super) enum PageBar {
    /// A bar with trades.
    Traded {
        /// The bar.
        row: BarRow,
        /// The end of its period.
        end_ns: i64,
    },
    /// A bar without trades, at the prior close.
    Flat {
        /// Its period.
        period: Period,
        /// The prior close.
        price: String,
        /// Whether the period is over.
        closed: bool,
    },
}

/// A page of bars.
#[derive(Default)]
pub(super) struct BarPage {
    /// The bars in order of their starts.
    pub(super) list: Vec<PageBar>,
    /// The start of the next page's first bar; `None` if this page is the last.
    pub(super) next_ns: Option<i64>,
}

impl PageBar {
    pub(super) fn start_ns(&self) -> i64 {
        match self {
            Self::Traded { row, .. } => row.window.start_ns,
            Self::Flat { period, .. } => period.start_ns,
        }
    }

    pub(super) fn to_json(&self, partition: u32) -> BarJson {
        match self {
            Self::Traded { row, end_ns } => BarJson::from_row_ending_at(row, *end_ns, partition),
            Self::Flat {
                period,
                price,
                closed,
            } => BarJson::flat(period.start_ns, period.end_ns, price, *closed),
        }
    }
}
