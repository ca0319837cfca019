//! Tests of what settings reject, and of how they change.

use super::{IdScheme, IdScope, SettingsChange, TieOrder, VenueSettings};
use crate::{Amendment, AmendmentKind, OLDEST_USUAL_TIME_NS, RejectReason, Trade, TradeId};

fn validate(
    settings: VenueSettings,
    price: &str,
    id: &str,
    scope: &str,
) -> Result<(), RejectReason> {
    settings.validate_trade(&trade(OLDEST_USUAL_TIME_NS, price, id, scope))
}

fn trade(time_ns: i64, price: &str, id: &str, scope: &str) -> Trade {
    Trade {
        time_ns,
        price: price.parse().unwrap(),
        quantity: None,
        side: None,
        id: TradeId::parse(id).ok(),
        scope: (!scope.is_empty()).then(|| scope.into()),
        sender: None,
    }
}

#[test]
fn each_name_parses_as_its_variant() {
    for scheme in IdScheme::ALL {
        assert_eq!(scheme.name().parse(), Ok(*scheme));
    }
    for scope in IdScope::ALL {
        assert_eq!(scope.name().parse(), Ok(*scope));
    }
    for ties in TieOrder::ALL {
        assert_eq!(ties.name().parse(), Ok(*ties));
    }
    let error = "uuid".parse::<IdScheme>().unwrap_err();
    assert_eq!(error, "\"uuid\" is not one of contiguous, unique, none");
}

#[test]
fn a_trade_must_follow_the_settings_of_its_venue() {
    let with = |scheme, scope| VenueSettings {
        scheme,
        scope,
        ..VenueSettings::default()
    };
    let contiguous = with(IdScheme::Contiguous, IdScope::Symbol);
    let unique = with(IdScheme::Unique, IdScope::Exchange);
    let none = with(IdScheme::None, IdScope::File);
    let free = VenueSettings {
        nonpositive_prices: true,
        ..contiguous
    };
    let longer = "18446744073709551616";
    let cases = [
        (contiguous, "1", "7", "", Ok(())),
        (contiguous, "1", "", "", Err(RejectReason::IdMissing)),
        (contiguous, "1", "x", "", Err(RejectReason::IdNotANumber)),
        (contiguous, "1", longer, "", Err(RejectReason::IdNotANumber)),
        (
            contiguous,
            "0",
            "7",
            "",
            Err(RejectReason::PriceNotPositive),
        ),
        (
            contiguous,
            "-1",
            "7",
            "",
            Err(RejectReason::PriceNotPositive),
        ),
        (free, "-1", "7", "", Ok(())),
        (unique, "1", "x", "NYSE", Ok(())),
        (unique, "1", "x", "", Err(RejectReason::ScopeMissing)),
        (unique, "1", "", "", Ok(())),
        (
            contiguous,
            "1",
            "7",
            "NYSE",
            Err(RejectReason::ScopeUnexpected),
        ),
        (none, "1", "", "", Ok(())),
        (none, "1", "7", "", Err(RejectReason::IdUnexpected)),
    ];
    for (settings, price, id, scope, expected) in cases {
        assert_eq!(
            validate(settings, price, id, scope),
            expected,
            "{settings:?} {price} {id}"
        );
    }
}

#[test]
fn ids_decide_ties_by_default_only_where_they_rise_as_trades_happen() {
    for scheme in IdScheme::ALL.iter().copied() {
        for scope in IdScope::ALL.iter().copied() {
            let rises =
                scheme == IdScheme::Contiguous && matches!(scope, IdScope::Symbol | IdScope::Day);
            let expected = if rises { TieOrder::Id } else { TieOrder::Log };
            assert_eq!(TieOrder::default_for(scheme, scope), expected);
        }
    }
    let default = VenueSettings::default();
    assert_eq!(
        default.ties,
        TieOrder::default_for(default.scheme, default.scope)
    );
}

#[test]
fn times_before_1973_need_the_setting_old_times() {
    let amendment = |kind| Amendment {
        id: TradeId::Number(1),
        kind,
        target_position: None,
    };
    for (time_ns, old_times, accepted) in [
        (OLDEST_USUAL_TIME_NS, false, true),
        (OLDEST_USUAL_TIME_NS - 1, false, false),
        (0, false, false),
        (0, true, true),
    ] {
        let settings = VenueSettings {
            old_times,
            ..VenueSettings::default()
        };
        let trade = trade(time_ns, "1", "7", "");
        let expected = match accepted {
            true => Ok(()),
            false => Err(RejectReason::TimeBefore1973),
        };
        assert_eq!(settings.validate_trade(&trade), expected, "{time_ns}");
        for kind in [AmendmentKind::Edit, AmendmentKind::Cancel] {
            let found = settings.validate_amendment(&amendment(kind), &trade);
            assert_eq!(found, expected, "{time_ns} {kind:?}");
        }
    }
}

#[test]
fn a_retired_venue_accepts_nothing_and_stays_retired() {
    let retired = SettingsChange::RETIRE.apply_to(Some(&VenueSettings::default()));
    let retired = retired.unwrap();
    let trade = trade(OLDEST_USUAL_TIME_NS, "1", "7", "");
    assert_eq!(
        retired.validate_trade(&trade),
        Err(RejectReason::VenueRetired)
    );
    for kind in [AmendmentKind::Edit, AmendmentKind::Cancel] {
        let amendment = Amendment {
            id: TradeId::Number(1),
            kind,
            target_position: None,
        };
        let found = retired.validate_amendment(&amendment, &trade);
        assert_eq!(found, Err(RejectReason::VenueRetired), "{kind:?}");
    }
    let change = SettingsChange::of_all(&VenueSettings::default());
    assert_eq!(change.apply_to(Some(&retired)), Ok(retired));
}

#[test]
fn a_change_keeps_what_it_does_not_name_and_cannot_change_what_is_fixed() {
    let first = SettingsChange {
        scheme: Some(IdScheme::Contiguous),
        scope: Some(IdScope::Day),
        lateness_ns: Some(1),
        ..SettingsChange::default()
    };
    let before = first.apply_to(None).unwrap();
    let expected = VenueSettings {
        scheme: IdScheme::Contiguous,
        scope: IdScope::Day,
        ties: TieOrder::Id,
        lateness_ns: 1,
        ..VenueSettings::default()
    };
    assert_eq!(before, expected);
    let change = SettingsChange {
        idle_ns: Some(2),
        nonpositive_prices: Some(true),
        old_times: Some(true),
        ..SettingsChange::default()
    };
    let after = change.apply_to(Some(&before)).unwrap();
    let expected = VenueSettings {
        idle_ns: 2,
        nonpositive_prices: true,
        old_times: true,
        ..before
    };
    assert_eq!(after, expected);
    let same = SettingsChange::of_all(&after);
    assert_eq!(same.apply_to(Some(&after)), Ok(after));
    assert_eq!(same.apply_to(None), Ok(after));
    for (field, change) in [
        (
            "id_scheme",
            SettingsChange {
                scheme: Some(IdScheme::None),
                ..change
            },
        ),
        (
            "id_scope",
            SettingsChange {
                scope: Some(IdScope::File),
                ..change
            },
        ),
        (
            "ties",
            SettingsChange {
                ties: Some(TieOrder::Log),
                ..change
            },
        ),
    ] {
        let conflict = change.apply_to(Some(&before)).unwrap_err();
        assert_eq!(conflict.field, field);
    }
}
