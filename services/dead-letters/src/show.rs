//! One dead letter, whole.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use market::{Side, Trade, TradeId, format_time};
use schemas::TradesRecord;

use super::found::{Found, Other};
use super::table::printable;

/// So many bytes of a value are in a line.
const BYTES_A_LINE: usize = 16;

/// Everything that is known of it.
pub(super) fn of(found: &Found) -> String {
    let letter = &found.letter;
    let value = &letter.value;
    let mut lines = vec![
        ("dead letter", found.place.to_string()),
        ("written", format_time(found.append_time_ns)),
        ("reason", letter.reason.code().to_owned()),
        ("explanation", letter.reason.explanation().to_owned()),
        ("detail", letter.detail.clone()),
        ("source partition", letter.partition.to_string()),
        ("source epoch", letter.position.epoch.to_string()),
        ("source offset", letter.position.offset.to_string()),
        ("append time", format_time(letter.append_time_ns)),
        ("key", printable(&letter.key)),
        ("value", format!("{} bytes", value.len())),
    ];
    match TradesRecord::decode(value) {
        Ok(record) => lines.extend(decoded(&record)),
        Err(error) => lines.push(("record", format!("does not decode: {error}"))),
    }
    text(&lines, value)
}

/// Everything that is known of a record that is none.
pub(super) fn other(other: &Other) -> String {
    let lines = vec![
        ("record", other.place.to_string()),
        ("written", format_time(other.append_time_ns)),
        ("dead letter", format!("no: {}", other.reason)),
        ("key", printable(&other.key)),
        ("value", format!("{} bytes", other.value.len())),
    ];
    text(&lines, &other.value)
}

/// Names and values in columns, and the bytes.
fn text(lines: &[(&str, String)], bytes: &[u8]) -> String {
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for (name, text) in lines {
        _ = writeln!(out, "{name:width$}  {text}");
    }
    out.push_str(&hex(bytes));
    out
}

/// Writes a value, byte for byte.
pub(super) fn write_raw(value: &[u8], path: &Path) -> anyhow::Result<()> {
    let written = std::fs::write(path, value);
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// The fields of a record, by name.
fn decoded(record: &TradesRecord) -> Vec<(&'static str, String)> {
    let kind = |name: &str| ("record", name.to_owned());
    match record {
        TradesRecord::Trade(trade) => [vec![kind("trade")], fields(trade)].concat(),
        TradesRecord::Amendment(amendment, trade) => {
            let place = amendment.target_position.map_or_else(
                || "-".to_owned(),
                |place| format!("epoch {}, offset {}", place.epoch, place.offset),
            );
            let own = vec![
                kind(amendment.kind.name()),
                ("amendment", amendment.id.to_string()),
                ("place", place),
            ];
            [own, fields(trade)].concat()
        }
        TradesRecord::Advance => vec![kind("advance")],
        TradesRecord::Setting(venue, settings) => vec![
            kind("setting"),
            ("venue", venue.to_string()),
            ("scheme", settings.scheme.to_string()),
            ("scope", settings.scope.to_string()),
        ],
        TradesRecord::Refold(refold) => vec![
            kind("refold"),
            ("start", format_time(refold.start_ns)),
            (
                "up to",
                format!(
                    "epoch {}, offset {}",
                    refold.up_to.epoch, refold.up_to.offset
                ),
            ),
        ],
        TradesRecord::Repair(repair) => vec![
            kind("repair"),
            ("start", format_time(repair.start_ns)),
            ("end", format_time(repair.end_ns)),
        ],
    }
}

fn fields(trade: &Trade) -> Vec<(&'static str, String)> {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
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
            or_none(trade.quantity.map(|quantity| quantity.to_string())),
        ),
        (
            "side",
            or_none(trade.side.map(Side::name).map(str::to_owned)),
        ),
        ("id", or_none(trade.id.as_ref().map(TradeId::to_string))),
        (
            "scope",
            or_none(
                trade
                    .scope
                    .as_deref()
                    .map(|scope| scope.escape_default().to_string()),
            ),
        ),
        ("sender", or_none(sender)),
    ]
}

/// Bytes as lines of offset, hexadecimal digits and visible characters.
fn hex(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (index, line) in bytes.chunks(BYTES_A_LINE).enumerate() {
        let digits: Vec<_> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let shown = |byte: &u8| match byte.is_ascii_graphic() || *byte == b' ' {
            true => char::from(*byte),
            false => '.',
        };
        let text: String = line.iter().map(shown).collect();
        let (offset, width) = (index * BYTES_A_LINE, BYTES_A_LINE * 3 - 1);
        _ = writeln!(out, "{offset:08x}  {:width$}  {text}", digits.join(" "));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::hex;

    #[test]
    fn bytes_are_shown_as_digits_and_as_text() {
        let bytes = b"\x95\x01binance \xff 0123456";
        assert_eq!(
            hex(bytes),
            "00000000  95 01 62 69 6e 61 6e 63 65 20 ff 20 30 31 32 33  ..binance . 0123\n\
             00000010  34 35 36                                         456\n"
        );
        assert_eq!(hex(b""), "");
    }
}
