use market::{
    DAY_NS, Decimal, DeclaredSettings, IdScheme, MINUTE_NS, Position, RejectReason, SettingsChange,
    Trade, TradeId, VenueSettings,
};
use schemas::TradesTopicRecord;

use super::{GenerationRecords, Oracle};
use crate::kafka::BrokerRecord;

const NOW_NS: i64 = 20_000 * DAY_NS;
const UNSTORABLE: &str = "987";

fn record(offset: u64, append_time_ns: Option<i64>, record: &TradesTopicRecord) -> BrokerRecord {
    let mut value = Vec::new();
    record.encode(&mut value);
    BrokerRecord {
        offset,
        append_time_ns,
        key: b"v:A".to_vec(),
        value,
    }
}

fn declaration() -> BrokerRecord {
    let change = SettingsChange {
        scheme: Some(IdScheme::Unique),
        ..SettingsChange::default()
    };
    let venue = "v".parse().unwrap();
    let setting = TradesTopicRecord::Setting(venue, change);
    record(0, Some(NOW_NS), &setting)
}

fn trade(id: u64, time_ns: i64, price: &str) -> TradesTopicRecord {
    TradesTopicRecord::Trade(Trade {
        time_ns,
        price: price.parse().unwrap(),
        quantity: None,
        side: None,
        id: Some(TradeId::Number(id)),
        scope: None,
        sender: None,
    })
}

fn fold(records: Vec<BrokerRecord>, ends: Vec<u64>) -> Oracle {
    let records = vec![records];
    let unstorable: Decimal = UNSTORABLE.parse().unwrap();
    Oracle::from_generation_records(&[GenerationRecords { records, ends }], unstorable)
}

#[test]
fn records_from_the_end_of_an_epoch_on_do_not_count_and_are_known() {
    let records = vec![
        declaration(),
        record(1, Some(NOW_NS), &trade(1, NOW_NS, "1")),
        record(2, Some(NOW_NS), &trade(2, NOW_NS, "1")),
    ];
    let oracle = fold(records, vec![2]);
    assert_eq!(oracle.counted_trades_after_amendments().len(), 1);
    let unfolded: Vec<_> = oracle.unfolded.iter().collect();
    assert_eq!(unfolded, ["v:A /2"]);
    assert!(oracle.is_at_or_beyond_end((1, 0, 2)));
    assert!(!oracle.is_at_or_beyond_end((1, 0, 1)));
    assert!(!oracle.is_at_or_beyond_end((2, 0, 2)));
}

#[test]
fn a_trade_that_the_store_refused_is_dead_and_its_id_unseen() {
    let records = vec![
        declaration(),
        record(1, Some(NOW_NS), &trade(1, NOW_NS, UNSTORABLE)),
        record(2, Some(NOW_NS), &trade(1, NOW_NS, "1")),
    ];
    let oracle = fold(records, Vec::new());
    assert_eq!(oracle.dead[&(1, 0, 1)].reason, RejectReason::Unstorable);
    assert_eq!(oracle.counted_trades_after_amendments().len(), 1);
}

#[test]
fn a_record_with_its_senders_time_has_the_append_time_of_the_one_before() {
    let later_ns = NOW_NS + 6 * MINUTE_NS;
    let records = vec![
        declaration(),
        record(1, None, &trade(1, NOW_NS, "1")),
        record(2, None, &trade(2, later_ns, "1")),
        record(3, Some(later_ns), &trade(3, later_ns, "1")),
    ];
    let oracle = fold(records, Vec::new());
    assert_eq!(oracle.dead[&(1, 0, 2)].reason, RejectReason::TimeInFuture);
    assert_eq!(oracle.counted_trades_after_amendments().len(), 2);
}

#[test]
fn a_change_that_only_another_partition_has_stored_is_in_force_in_the_next_epoch() {
    let changed_idle_ns = 7_000_000_000;
    let copy = |offset: u64, idle_ns: i64| {
        let settings = VenueSettings {
            scheme: IdScheme::Unique,
            idle_ns,
            ..VenueSettings::default()
        };
        let declared_at = Position { epoch: 1, offset };
        let declared = DeclaredSettings {
            settings,
            declared_at,
        };
        let copied = TradesTopicRecord::SettingCopy("v".parse().unwrap(), declared);
        record(offset, Some(NOW_NS), &copied)
    };
    let change = SettingsChange {
        idle_ns: Some(changed_idle_ns),
        ..SettingsChange::default()
    };
    let changed = TradesTopicRecord::Setting("v".parse().unwrap(), change);
    let first = GenerationRecords {
        records: vec![
            vec![declaration(), record(1, Some(NOW_NS), &changed)],
            vec![
                copy(0, VenueSettings::default().idle_ns),
                copy(1, changed_idle_ns),
            ],
        ],
        ends: vec![1, 2],
    };
    let second = GenerationRecords::drained(vec![Vec::new(), Vec::new()]);
    let oracle = Oracle::from_generation_records(&[first, second], UNSTORABLE.parse().unwrap());
    assert_eq!(oracle.settings["v"].idle_ns, changed_idle_ns);
}
