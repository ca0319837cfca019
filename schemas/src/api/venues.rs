//! `GET /api/v1/venues`, `…/{venue}/settings` and `…/{venue}/gaps`.

use std::borrow::Cow;

use market::{MILLISECOND_NS, Venue, VenueSettings};
use serde::{Deserialize, Serialize};

/// A venue with its settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenueSettingsJson {
    /// The venue. A retired generation is named by its number, such as `binance@1`; the name alone
    /// means the generation that is in use.
    pub venue: String,
    /// The number of the generation that these settings are of.
    pub generation: u16,
    /// Whether the generation is retired.
    pub retired: bool,
    /// How the venue numbers its trades: `contiguous`, `unique` or `none`.
    pub id_scheme: Cow<'static, str>,
    /// What an id is unique within: `symbol`, `day`, `exchange` or `file`.
    pub id_scope: Cow<'static, str>,
    /// How trades of equal event time are ordered: `id` or `log`.
    pub ties: Cow<'static, str>,
    /// How much later than the newest trade of its symbol a trade may arrive, in milliseconds.
    pub lateness_ms: i64,
    /// How long a symbol without trades keeps its windows open, in milliseconds.
    pub idle_ms: i64,
    /// Whether prices of zero and below are accepted.
    pub nonpositive_prices: bool,
    /// Whether event times before 1973 are accepted.
    pub old_times: bool,
}

/// The response to the retirement of a venue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetirementResponseJson {
    /// The retired generation, such as `binance@1`.
    pub retired: String,
    /// The name, which from now on means the next generation.
    pub venue: String,
    /// The number of the next generation.
    pub generation: u16,
}

/// Returns the name of a venue for clients: the name alone means the generation in use, so a
/// retired one has the number of its generation.
#[must_use]
pub fn public_venue_name(venue: &Venue, is_retired: bool) -> String {
    match is_retired {
        true => format!("{}@{}", venue.base_name(), venue.generation()),
        false => venue.base_name().to_owned(),
    }
}

/// Consecutive numbers that are missing between the ids of a venue, all from `first` to `last`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdGapJson {
    /// The symbol.
    pub symbol: String,
    /// The exchange or the file whose numbers these are, if the venue's id scope is one of these.
    pub scope: Option<String>,
    /// The UTC day whose numbers these are, such as `2024-03-01`, if the venue's id scope is
    /// `day`.
    pub day: Option<String>,
    /// The first missing number.
    pub first: String,
    /// The last missing number.
    pub last: String,
    /// The number of missing numbers; a text, because it may not fit a double.
    pub count: String,
}

impl VenueSettingsJson {
    /// Returns the JSON of a venue's settings.
    #[must_use]
    pub fn new(venue: &Venue, settings: &VenueSettings) -> Self {
        Self {
            venue: public_venue_name(venue, settings.retired),
            generation: venue.generation(),
            retired: settings.retired,
            id_scheme: settings.scheme.name().into(),
            id_scope: settings.scope.name().into(),
            ties: settings.ties.name().into(),
            lateness_ms: settings.lateness_ns / MILLISECOND_NS,
            idle_ms: settings.idle_ns / MILLISECOND_NS,
            nonpositive_prices: settings.nonpositive_prices,
            old_times: settings.old_times,
        }
    }
}
