//! Changes of settings.

use super::{IdScheme, IdScope, TieOrder, VenueSettings};
use crate::Position;

/// A change of a venue's settings: what it does not name stays as it is, or has its default if the
/// venue is new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SettingsChange {
    /// How trades are numbered.
    pub scheme: Option<IdScheme>,
    /// What ids are unique within.
    pub scope: Option<IdScope>,
    /// How trades of equal event time are ordered.
    pub ties: Option<TieOrder>,
    /// How long a window stays open for late trades after its end.
    pub lateness_ns: Option<i64>,
    /// How long a symbol may have no trades before its watermark advances with the append times.
    pub idle_ns: Option<i64>,
    /// Whether prices of zero and below are accepted.
    pub nonpositive_prices: Option<bool>,
    /// Whether event times before 1973 are accepted.
    pub old_times: Option<bool>,
    /// Whether the venue is retired; `false` changes nothing.
    pub retired: Option<bool>,
}

/// A change names another id scheme, id scope or tie order than the venue's first settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedSettingsConflict {
    /// The name in JSON of the first such setting.
    pub field: &'static str,
}

impl SettingsChange {
    /// The change that retires a venue.
    pub const RETIRE: Self = Self {
        scheme: None,
        scope: None,
        ties: None,
        lateness_ns: None,
        idle_ns: None,
        nonpositive_prices: None,
        old_times: None,
        retired: Some(true),
    };

    /// Returns the change that names every setting.
    #[must_use]
    pub const fn of_all(settings: &VenueSettings) -> Self {
        Self {
            scheme: Some(settings.scheme),
            scope: Some(settings.scope),
            ties: Some(settings.ties),
            lateness_ns: Some(settings.lateness_ns),
            idle_ns: Some(settings.idle_ns),
            nonpositive_prices: Some(settings.nonpositive_prices),
            old_times: Some(settings.old_times),
            retired: Some(settings.retired),
        }
    }

    /// Returns the settings after the change; `before` is `None` if the venue is new.
    ///
    /// # Errors
    /// [`FixedSettingsConflict`] if the change names another scheme, scope or tie order than those
    /// before.
    pub fn apply_to(
        &self,
        before: Option<&VenueSettings>,
    ) -> Result<VenueSettings, FixedSettingsConflict> {
        let default = VenueSettings::default();
        let base = before.unwrap_or(&default);
        let scheme = self.scheme.unwrap_or(base.scheme);
        let scope = self.scope.unwrap_or(base.scope);
        let default_ties = match before {
            Some(before) => before.ties,
            None => TieOrder::default_for(scheme, scope),
        };
        let ties = self.ties.unwrap_or(default_ties);
        if let Some(before) = before {
            let differing = [
                ("id_scheme", before.scheme != scheme),
                ("id_scope", before.scope != scope),
                ("ties", before.ties != ties),
            ];
            if let Some((field, _)) = differing.into_iter().find(|(_, differs)| *differs) {
                return Err(FixedSettingsConflict { field });
            }
        }
        Ok(VenueSettings {
            scheme,
            scope,
            ties,
            lateness_ns: self.lateness_ns.unwrap_or(base.lateness_ns),
            idle_ns: self.idle_ns.unwrap_or(base.idle_ns),
            nonpositive_prices: self.nonpositive_prices.unwrap_or(base.nonpositive_prices),
            old_times: self.old_times.unwrap_or(base.old_times),
            retired: base.retired || self.retired.unwrap_or_default(),
        })
    }
}

/// A venue's settings with the position of their last change in partition 0, which orders all
/// changes: of two states of a venue's settings the later one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeclaredSettings {
    /// The settings.
    pub settings: VenueSettings,
    /// The position, in partition 0 of `trades`, of the record that resulted in them.
    pub declared_at: Position,
}
