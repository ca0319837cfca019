//! The results of comparisons.

/// The greatest number of differences of a comparison that are printed.
pub(crate) const MAX_SHOWN_DIFFERENCES: usize = 10;

/// The result of one comparison.
#[derive(Debug)]
pub(crate) struct ComparisonResult {
    pub(crate) name: &'static str,
    /// The number of compared rows.
    pub(crate) rows: u64,
    pub(crate) differences: Vec<String>,
}

impl ComparisonResult {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self {
            name,
            rows: 0,
            differences: Vec::new(),
        }
    }
}

/// The result of a run.
#[derive(Debug, Default)]
pub(crate) struct ReconcileOutcome {
    pub(crate) comparisons: Vec<ComparisonResult>,
    /// When each trade that was acknowledged and is not stored was sent, in milliseconds of the
    /// run.
    pub(crate) lost: Vec<u64>,
    /// When each trade that is stored twice was sent, likewise.
    pub(crate) doubled: Vec<u64>,
    pub(crate) duplicates: u64,
    pub(crate) trades: u64,
}

impl ReconcileOutcome {
    pub(crate) fn has_no_differences(&self) -> bool {
        self.comparisons
            .iter()
            .all(|comparison| comparison.differences.is_empty())
    }
}
