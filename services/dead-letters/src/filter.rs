//! Which dead letters the command line selects by their content.

use clap::Args;
use market::{RejectReason, Symbol, Venue};
use schemas::DeadLetter;

/// Selects dead letters by reason, venue and symbol. An option that is not set matches all.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct DeadLetterFilter {
    /// Only those with this reason, such as `venue_unknown`
    #[arg(long, value_name = "CODE", value_parser = parse_reason)]
    pub(crate) reason: Option<RejectReason>,
    /// Only records of this venue
    #[arg(long)]
    pub(crate) venue: Option<Venue>,
    /// Only records of this symbol
    #[arg(long)]
    pub(crate) symbol: Option<Symbol>,
}

impl DeadLetterFilter {
    /// Returns whether the filter selects a dead letter.
    pub(crate) fn matches(&self, letter: &DeadLetter) -> bool {
        // A malformed key has neither venue nor symbol.
        let key = std::str::from_utf8(&letter.key).ok();
        let names = key.and_then(|key| key.split_once(':'));
        let has_venue = |venue: &Venue| names.is_some_and(|(name, _)| name == venue.as_str());
        let has_symbol = |symbol: &Symbol| names.is_some_and(|(_, name)| name == symbol.as_str());
        self.reason.is_none_or(|reason| reason == letter.reason)
            && self.venue.as_ref().is_none_or(has_venue)
            && self.symbol.as_ref().is_none_or(has_symbol)
    }
}

fn parse_reason(code: &str) -> Result<RejectReason, String> {
    RejectReason::from_code(code).ok_or_else(|| {
        let codes = RejectReason::ALL.map(RejectReason::code);
        format!("it is not one of {}", codes.join(", "))
    })
}
