//! The state of one partition in the second fold.

use std::collections::{HashMap, HashSet};

use market::{
    DAY_NS, HOUR_NS, IdScheme, IdScope, Position, RejectReason, SettingsChange, Trade, TradeId,
    VenueSettings,
};

use crate::kafka::BrokerRecord;

/// The state of one partition between records, and between generations.
#[derive(Default)]
pub(super) struct PartitionFoldState {
    pub(super) venues: HashMap<String, VenueSettings>,
    /// The position of each venue's last change.
    pub(super) declared_at: HashMap<String, Position>,
    pub(super) seen: HashSet<(String, String)>,
    pub(super) amended: HashSet<(String, i64, TradeId)>,
    pub(super) append_ns: i64,
}

impl PartitionFoldState {
    pub(super) fn change_settings(
        &mut self,
        venue: &str,
        change: &SettingsChange,
        declared_at: Position,
    ) -> Result<(), RejectReason> {
        let settings = change.apply_to(self.venues.get(venue));
        let settings = settings.map_err(|_| RejectReason::SettingsConflict)?;
        self.venues.insert(venue.to_owned(), settings);
        self.declared_at.insert(venue.to_owned(), declared_at);
        Ok(())
    }
}

/// Puts the settings of each venue's latest change in force in every partition, as the change of an
/// epoch does. Partition 0 may have copied a change to others that it had not stored itself when
/// its generation ended.
pub(super) fn equalize_settings(states: &mut [PartitionFoldState]) {
    let mut latest: HashMap<String, (Position, VenueSettings)> = HashMap::new();
    for state in &*states {
        for (venue, settings) in &state.venues {
            let declared_at = state.declared_at.get(venue).copied().unwrap_or_default();
            if latest.get(venue).is_none_or(|(at, _)| *at < declared_at) {
                latest.insert(venue.clone(), (declared_at, *settings));
            }
        }
    }
    for state in states {
        for (venue, (declared_at, settings)) in &latest {
            state.venues.insert(venue.clone(), *settings);
            state.declared_at.insert(venue.clone(), *declared_at);
        }
    }
}

/// A partition of one generation of the log, and how many partitions there are.
#[derive(Clone, Copy)]
pub(super) struct EpochPartition {
    pub(super) epoch: u64,
    pub(super) partition: u32,
    pub(super) partitions: u32,
}

pub(super) fn find_instrument_and_settings(
    record: &BrokerRecord,
    at: EpochPartition,
    carried: &PartitionFoldState,
) -> Result<(String, VenueSettings), RejectReason> {
    let instrument = schemas::instrument_from_key(&record.key, at.partition, at.partitions)?;
    let settings = carried.venues.get(instrument.venue());
    let settings = settings.ok_or(RejectReason::VenueUnknown)?;
    Ok((instrument.key().to_owned(), *settings))
}

/// Returns the identity of a trade within its instrument.
pub(super) fn trade_identity(trade: &Trade, settings: &VenueSettings) -> Option<String> {
    let (hour, day) = (trade.time_ns / HOUR_NS, trade.time_ns / DAY_NS);
    let Some(id) = &trade.id else {
        let sender = trade.sender?;
        return Some(format!("sender {:?} {} {hour}", sender.key, sender.index));
    };
    let scope = trade.scope.as_deref().unwrap_or("");
    Some(match (settings.scheme, settings.scope) {
        (IdScheme::None, _) => return None,
        (IdScheme::Contiguous, IdScope::Symbol) => format!("{id}"),
        (IdScheme::Contiguous, IdScope::Day) => format!("{day} {id}"),
        (IdScheme::Contiguous, _) => format!("{scope} {id}"),
        (IdScheme::Unique, IdScope::Symbol | IdScope::Day) => format!("{hour} {id}"),
        (IdScheme::Unique, _) => format!("{hour} {scope} {id}"),
    })
}
