//! Records of a foreign producer whose texts are illegal.

use clock::{Clock, SystemClock};
use market::{Amendment, AmendmentKind, Decimal, RejectReason, Trade, TradeId};
use schemas::{TradesTopicRecord, partition_of};

use super::garbage::GarbageRecord;
use crate::random::Random;

/// A venue whose trades have an id and a scope.
const VENUE: &str = "places";

/// Returns illegal texts of a scope or an id, with what is wrong with each.
pub(super) fn illegal_id_or_scope_texts() -> Vec<(&'static str, String)> {
    vec![
        ("NUL", "a\0b".to_owned()),
        ("an escape sequence", "\u{1b}[2J".to_owned()),
        ("a line feed", "a\nb".to_owned()),
        ("DEL", "a\u{7f}".to_owned()),
        ("a space", "a b".to_owned()),
        ("a letter of another script", "Z\u{fc}rich".to_owned()),
        ("a text too long", "x".repeat(129)),
    ]
}

/// Returns illegal names of symbols, with what is wrong with each.
pub(super) fn illegal_symbols() -> Vec<(&'static str, String)> {
    vec![
        ("NUL", "S\0".to_owned()),
        ("a bell", "S\u{7}".to_owned()),
        ("a line separator", "S\u{2028}T".to_owned()),
        ("a zero-width joiner", "S\u{200d}T".to_owned()),
        ("a private character", "S\u{e000}".to_owned()),
        ("an unassigned character", "S\u{378}".to_owned()),
        ("two spaces", "S  T".to_owned()),
        ("a decomposed letter", "Cafe\u{301}".to_owned()),
        (
            "an Angstrom sign, which is not normalised",
            "\u{212b}".to_owned(),
        ),
        ("a reserved name", "..".to_owned()),
        ("a name too long", "S".repeat(65)),
    ]
}

/// Returns a record for each illegal text.
pub(super) fn hostile_records(random: &mut Random, partitions: u32) -> Vec<GarbageRecord> {
    let known = format!("{VENUE}:S1");
    let legal = legal_trade(random);
    let mut records = Vec::new();
    for (what, text) in illegal_id_or_scope_texts() {
        let id = TradeId::Text(text.clone().into());
        let with_scope = Trade {
            scope: Some(text.into()),
            ..legal.clone()
        };
        let with_id = Trade {
            id: Some(id.clone()),
            ..legal.clone()
        };
        let amendment = Amendment {
            id,
            kind: AmendmentKind::Edit,
            target_position: None,
        };
        let amended = TradesTopicRecord::Amendment(amendment, legal.clone());
        let written = [
            TradesTopicRecord::Trade(with_scope),
            TradesTopicRecord::Trade(with_id),
            amended,
        ];
        records.extend(written.map(|record| {
            let key = known.clone().into_bytes();
            garbage(what, RejectReason::Malformed, key, &record, partitions)
        }));
    }
    let symbols = illegal_symbols().into_iter();
    let mut keys: Vec<_> = symbols
        .map(|(what, symbol)| (what, format!("{VENUE}:{symbol}").into_bytes()))
        .collect();
    keys.push(("bytes that are not UTF-8", b"places:\xff\xfe".to_vec()));
    keys.push(("a venue of another script", "börse:S1".into()));
    for (what, key) in keys {
        let record = TradesTopicRecord::Trade(legal.clone());
        let reason = RejectReason::KeyMalformed;
        records.push(garbage(what, reason, key, &record, partitions));
    }
    records
}

fn garbage(
    what: &'static str,
    reason: RejectReason,
    key: Vec<u8>,
    record: &TradesTopicRecord,
    partitions: u32,
) -> GarbageRecord {
    let mut value = Vec::new();
    record.encode(&mut value);
    GarbageRecord {
        what,
        reason,
        partition: partition_of(&key, partitions),
        key,
        value,
    }
}

/// Returns a trade that would count.
fn legal_trade(random: &mut Random) -> Trade {
    Trade {
        time_ns: SystemClock.now_ns(),
        price: "1.5".parse().unwrap_or(Decimal::ZERO),
        quantity: None,
        side: None,
        id: Some(TradeId::Number(random.next_u64())),
        scope: Some("east".into()),
        sender: None,
    }
}
