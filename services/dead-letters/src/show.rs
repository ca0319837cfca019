//! The action `show`: everything about one record.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use market::{SettingsChange, Side, Trade, TradeId, Venue, format_time};
use schemas::TradesTopicRecord;

use crate::list_table::printable_key;
use crate::topic_record::{ForeignRecord, StoredDeadLetter};

/// The number of bytes of a value that a line shows.
const LINE_BYTES: usize = 16;

/// Returns all fields of a dead letter, and the bytes of the original record.
pub(crate) fn describe_dead_letter(stored: &StoredDeadLetter) -> String {
    let letter = &stored.letter;
    let value = &letter.value;
    let mut lines = vec![
        ("dead letter", stored.location.to_string()),
        ("written", format_time(stored.append_time_ns)),
        ("reason", letter.reason.code().to_owned()),
        ("explanation", letter.reason.explanation().to_owned()),
        ("detail", letter.detail.clone()),
        ("source partition", letter.partition.to_string()),
        ("source epoch", letter.position.epoch.to_string()),
        ("source offset", letter.position.offset.to_string()),
        ("append time", format_time(letter.append_time_ns)),
        ("key", printable_key(&letter.key)),
        ("value", format!("{} bytes", value.len())),
    ];
    match TradesTopicRecord::decode(value) {
        Ok(record) => lines.extend(record_fields(&record)),
        Err(error) => lines.push(("record", format!("does not decode: {error}"))),
    }
    format_fields(&lines, value)
}

/// Returns what is known of a record that is not a dead letter, and its bytes.
pub(crate) fn describe_foreign_record(record: &ForeignRecord) -> String {
    let lines = vec![
        ("record", record.location.to_string()),
        ("written", format_time(record.append_time_ns)),
        ("dead letter", format!("no: {}", record.reason)),
        ("key", printable_key(&record.key)),
        ("value", format!("{} bytes", record.value.len())),
    ];
    format_fields(&lines, &record.value)
}

/// Formats names and values in two columns, and the bytes below.
fn format_fields(lines: &[(&str, String)], bytes: &[u8]) -> String {
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for (name, text) in lines {
        _ = writeln!(out, "{name:width$}  {text}");
    }
    out.push_str(&hex_dump(bytes));
    out
}

/// Writes the value of a record to a file, byte for byte.
pub(crate) fn write_record_value(value: &[u8], path: &Path) -> anyhow::Result<()> {
    let written = std::fs::write(path, value);
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// Returns the names and values of a record's fields.
fn record_fields(record: &TradesTopicRecord) -> Vec<(&'static str, String)> {
    let kind_field = |name: &str| ("record", name.to_owned());
    match record {
        TradesTopicRecord::Trade(trade) => {
            [vec![kind_field("trade")], trade_fields(trade)].concat()
        }
        TradesTopicRecord::Amendment(amendment, trade) => {
            let place = amendment.target_position.map_or_else(
                || "-".to_owned(),
                |place| format!("epoch {}, offset {}", place.epoch, place.offset),
            );
            let amendment_fields = vec![
                kind_field(amendment.kind.name()),
                ("amendment", amendment.id.to_string()),
                ("place", place),
            ];
            [amendment_fields, trade_fields(trade)].concat()
        }
        TradesTopicRecord::Advance => vec![kind_field("advance")],
        TradesTopicRecord::Setting(venue, change) => setting_fields("setting", venue, change),
        TradesTopicRecord::SettingCopy(venue, declared) => {
            let change = SettingsChange::of_all(&declared.settings);
            setting_fields("setting copy", venue, &change)
        }
        TradesTopicRecord::Refold(refold) => vec![
            kind_field("refold"),
            ("start", format_time(refold.start_ns)),
            (
                "up to",
                format!(
                    "epoch {}, offset {}",
                    refold.up_to.epoch, refold.up_to.offset
                ),
            ),
        ],
        TradesTopicRecord::LeftOut(left_out) => vec![
            kind_field("left out"),
            ("start", format_time(left_out.start_ns)),
            ("refold", left_out.is_refold.to_string()),
        ],
        TradesTopicRecord::Repair(repair) => vec![
            kind_field("repair"),
            ("start", format_time(repair.start_ns)),
            ("end", format_time(repair.end_ns)),
        ],
    }
}

fn setting_fields(
    kind: &'static str,
    venue: &Venue,
    change: &SettingsChange,
) -> Vec<(&'static str, String)> {
    let or_dash = |name: Option<&str>| name.unwrap_or("-").to_owned();
    vec![
        ("record", kind.to_owned()),
        ("venue", venue.to_string()),
        ("scheme", or_dash(change.scheme.map(market::IdScheme::name))),
        ("scope", or_dash(change.scope.map(market::IdScope::name))),
        ("ties", or_dash(change.ties.map(market::TieOrder::name))),
    ]
}

fn trade_fields(trade: &Trade) -> Vec<(&'static str, String)> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let sender = trade.sender.map(|sender| {
        let key: String = sender
            .key
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("{key}, index {}", sender.index)
    });
    vec![
        ("time", format_time(trade.time_ns)),
        ("price", trade.price.to_string()),
        (
            "quantity",
            or_dash(trade.quantity.map(|quantity| quantity.to_string())),
        ),
        (
            "side",
            or_dash(trade.side.map(Side::name).map(str::to_owned)),
        ),
        ("id", or_dash(trade.id.as_ref().map(TradeId::to_string))),
        (
            "scope",
            or_dash(
                trade
                    .scope
                    .as_deref()
                    .map(|scope| scope.escape_default().to_string()),
            ),
        ),
        ("sender", or_dash(sender)),
    ]
}

/// Formats bytes as lines of offset, hexadecimal digits and visible characters.
fn hex_dump(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (index, line) in bytes.chunks(LINE_BYTES).enumerate() {
        let digits: Vec<_> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let shown = |byte: &u8| match byte.is_ascii_graphic() || *byte == b' ' {
            true => char::from(*byte),
            false => '.',
        };
        let text: String = line.iter().map(shown).collect();
        let (offset, width) = (index * LINE_BYTES, LINE_BYTES * 3 - 1);
        _ = writeln!(out, "{offset:08x}  {:width$}  {text}", digits.join(" "));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{describe_foreign_record, hex_dump};
    use crate::test_topic::{GARBAGE, dead_letter_topic_log, location};
    use crate::topic_record::{DeadLettersTopicRecord, read_topic_record};

    #[test]
    fn bytes_are_shown_as_digits_and_as_text() {
        let bytes = b"\x95\x01binance \xff 0123456";
        assert_eq!(
            hex_dump(bytes),
            "00000000  95 01 62 69 6e 61 6e 63 65 20 ff 20 30 31 32 33  ..binance . 0123\n\
             00000010  34 35 36                                         456\n"
        );
        assert_eq!(hex_dump(b""), "");
    }

    #[tokio::test]
    async fn a_record_that_does_not_decode_is_shown_as_it_is() {
        let log = dead_letter_topic_log(1 << 20, &[GARBAGE.to_vec()]).await;
        let DeadLettersTopicRecord::Foreign(record) =
            read_topic_record(&log, location("0/0")).await.unwrap()
        else {
            panic!("it is not a dead letter");
        };
        assert_eq!((&*record.value, &*record.key), (GARBAGE, &b"key"[..]));
        assert_eq!(record.reason, "record: 1 elements; 9 are expected");
        let shown = describe_foreign_record(&record);
        assert!(shown.contains(&record.reason), "{shown}");
        assert!(shown.contains("91 01"), "{shown}");
    }
}
