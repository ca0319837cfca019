//! Changes and copies of settings.

use market::{DeclaredSettings, Position, RejectReason, SettingsChange, VenueSettings};
use schemas::TradesTopicRecord;

use super::*;

#[test]
fn settings_that_are_declared_twice_are_one_row() {
    let mut core = empty_core();
    apply_all(&mut core, &[venue_record(), lateness_record(1, 7)]);
    let transaction = core.flush(Position::default(), Position::default());
    assert_eq!(transaction.venues.len(), 1);
    assert_eq!(transaction.venues[0].settings.lateness_ns, 7);
}

fn declared(lateness_ns: i64, epoch: u64, offset: u64) -> DeclaredSettings {
    DeclaredSettings {
        settings: VenueSettings {
            lateness_ns,
            ..VenueSettings::default()
        },
        declared_at: Position { epoch, offset },
    }
}

fn control_record(offset: u64, record: &TradesTopicRecord) -> Record {
    let mut value = Vec::new();
    record.encode(&mut value);
    encoded_record(offset, "", value)
}

fn copy_record(offset: u64, declared: DeclaredSettings) -> Record {
    let copy = TradesTopicRecord::SettingCopy("v".parse().unwrap(), declared);
    control_record(offset, &copy)
}

fn lateness_record(offset: u64, lateness_ns: i64) -> Record {
    let change = SettingsChange {
        lateness_ns: Some(lateness_ns),
        ..SettingsChange::default()
    };
    control_record(
        offset,
        &TradesTopicRecord::Setting("v".parse().unwrap(), change),
    )
}

#[test]
fn a_copy_of_settings_is_applied_only_if_it_is_later() {
    let mut core = FoldCore::new(empty_state(1), 2);
    let records = [
        copy_record(0, declared(5, 1, 5)),
        copy_record(1, declared(3, 1, 3)),
        copy_record(2, declared(7, 1, 7)),
        copy_record(3, declared(5, 1, 5)),
        // Of another generation than this log's, and a change in a partition that orders none.
        copy_record(4, declared(9, 2, 0)),
        copy_record(5, declared(9, 0, u64::MAX)),
        lateness_record(6, 11),
    ];
    apply_all(&mut core, &records);
    let transaction = core.flush(Position::default(), Position::default());
    let rows: Vec<_> = transaction
        .venues
        .iter()
        .map(store::VenueRow::declared)
        .collect();
    assert_eq!(rows, [declared(7, 1, 7)]);
    assert_eq!(core.take_counts().stale_settings, 2);
    let reasons: Vec<_> = core
        .take_dead_letters()
        .iter()
        .map(|letter| letter.reason)
        .collect();
    assert_eq!(reasons, [RejectReason::Misrouted; 3]);
    assert_eq!(core.take_settings_to_copy(), []);
}

#[test]
fn changes_of_settings_add_up_and_are_copied_unless_they_conflict() {
    let mut core = FoldCore::new(empty_state(0), 2);
    let idle = SettingsChange {
        idle_ns: Some(9),
        ..SettingsChange::default()
    };
    let other_scheme = SettingsChange {
        scheme: Some(IdScheme::None),
        lateness_ns: Some(0),
        ..SettingsChange::default()
    };
    let change = |change| TradesTopicRecord::Setting("v".parse().unwrap(), change);
    let records = [
        lateness_record(0, 7),
        control_record(1, &change(idle)),
        control_record(2, &change(other_scheme)),
        copy_record(3, declared(1, 1, 3)),
    ];
    apply_all(&mut core, &records);
    let mut after_both = declared(7, 1, 1);
    after_both.settings.idle_ns = 9;
    let copies: Vec<_> = core
        .take_settings_to_copy()
        .into_iter()
        .map(|(_, copy)| copy)
        .collect();
    assert_eq!(copies, [declared(7, 1, 0), after_both]);
    let reasons: Vec<_> = core
        .take_dead_letters()
        .iter()
        .map(|letter| letter.reason)
        .collect();
    assert_eq!(
        reasons,
        [RejectReason::SettingsConflict, RejectReason::Misrouted]
    );
}

#[test]
fn trades_behind_a_retirement_are_dead_letters_and_those_before_it_count() {
    let mut core = empty_core();
    let retire = TradesTopicRecord::Setting("v".parse().unwrap(), SettingsChange::RETIRE);
    let time_ns = market::OLDEST_USUAL_TIME_NS;
    let records = [
        venue_record(),
        trade_record(1, "v:A", time_ns, 5),
        control_record(2, &retire),
        trade_record(3, "v:A", time_ns, 6),
        trade_record(4, "v:B", time_ns, 7),
        // Nothing takes it back.
        lateness_record(5, 7),
        trade_record(6, "v:A", time_ns, 8),
    ];
    apply_all(&mut core, &records);
    let reasons: Vec<_> = core
        .take_dead_letters()
        .iter()
        .map(|letter| letter.reason)
        .collect();
    assert_eq!(reasons, [RejectReason::VenueRetired; 3]);
    let counts = core.take_counts();
    assert_eq!(counts.trades, 1, "{counts:?}");
    let transaction = core.flush(Position::default(), Position::default());
    assert!(transaction.venues[0].settings.retired);
}
