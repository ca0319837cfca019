//! The records of the topic `trades`.

use market::{Sender, Side, Trade, Venue, VenueSettings};
use rmp::encode::{
    write_array_len, write_bin, write_bool, write_nil, write_sint, write_str, write_uint,
};

use crate::DecodeError;
use crate::read::{IN_MEMORY, Reader, VERSION, expect_fields, write_id, write_text_or_nil};

/// A record of the topic `trades`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TradesRecord {
    /// A trade of the instrument that the key names.
    Trade(Trade),
    /// Nothing but its append time, so that time passes in a quiet log.
    Advance,
    /// A venue's settings, in force from here on.
    Setting(Venue, VenueSettings),
}

/// Kind numbers; 3 edit, 4 cancel, 5 refold and 6 repair are kept for those.
const TRADE: u64 = 0;
const ADVANCE: u64 = 1;
const SETTING: u64 = 2;

/// How many elements a trade has with all of them, and with the fewest.
const TRADE_FIELDS: u32 = 12;
const TRADE_FIELDS_LEAST: u32 = 5;
const ADVANCE_FIELDS: u32 = 2;
const SETTING_FIELDS: u32 = 8;

impl TradesRecord {
    /// Appends the record's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Trade(trade) => Self::encode_trade(trade, out),
            Self::Advance => header(out, ADVANCE_FIELDS, ADVANCE),
            Self::Setting(venue, settings) => encode_setting(venue, settings, out),
        }
    }

    /// Appends a trade's bytes.
    pub fn encode_trade(trade: &Trade, out: &mut Vec<u8>) {
        let fields = trade_fields(trade);
        header(out, fields, TRADE);
        write_sint(out, trade.time_ns).expect(IN_MEMORY);
        write_sint(out, trade.price.mantissa()).expect(IN_MEMORY);
        write_uint(out, trade.price.scale().into()).expect(IN_MEMORY);
        if fields <= 5 {
            return;
        }
        match trade.quantity {
            Some(quantity) => {
                write_sint(out, quantity.mantissa()).expect(IN_MEMORY);
                write_uint(out, quantity.scale().into()).expect(IN_MEMORY);
            }
            None => {
                write_nil(out).expect(IN_MEMORY);
                write_nil(out).expect(IN_MEMORY);
            }
        }
        if fields <= 7 {
            return;
        }
        match trade.side {
            None => write_nil(out).expect(IN_MEMORY),
            Some(Side::Buy) => _ = write_uint(out, 0).expect(IN_MEMORY),
            Some(Side::Sell) => _ = write_uint(out, 1).expect(IN_MEMORY),
        }
        if fields >= 9 {
            write_id(out, trade.id.as_ref());
        }
        if fields >= 10 {
            write_text_or_nil(out, trade.scope.as_deref());
        }
        if let Some(sender) = trade.sender {
            write_bin(out, &sender.key).expect(IN_MEMORY);
            write_uint(out, sender.index).expect(IN_MEMORY);
        }
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`DecodeError`], where the bytes are not a record of a known version and kind.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let fields = reader.array("record")?;
        reader.version()?;
        let record = match reader.unsigned("kind")? {
            TRADE => Self::Trade(decode_trade(&mut reader, fields)?),
            ADVANCE => {
                expect_fields("record", fields, ADVANCE_FIELDS)?;
                Self::Advance
            }
            SETTING => {
                expect_fields("record", fields, SETTING_FIELDS)?;
                decode_setting(&mut reader)?
            }
            found => return Err(DecodeError::Kind { found }),
        };
        reader.end()?;
        Ok(record)
    }
}

fn header(out: &mut Vec<u8>, fields: u32, kind: u64) {
    write_array_len(out, fields).expect(IN_MEMORY);
    write_uint(out, VERSION).expect(IN_MEMORY);
    write_uint(out, kind).expect(IN_MEMORY);
}

/// Trailing fields that are absent are left out.
const fn trade_fields(trade: &Trade) -> u32 {
    if trade.sender.is_some() {
        TRADE_FIELDS
    } else if trade.scope.is_some() {
        10
    } else if trade.id.is_some() {
        9
    } else if trade.side.is_some() {
        8
    } else if trade.quantity.is_some() {
        7
    } else {
        TRADE_FIELDS_LEAST
    }
}

fn decode_trade(reader: &mut Reader<'_>, fields: u32) -> Result<Trade, DecodeError> {
    if !matches!(fields, 5 | 7..=10 | 12) {
        return Err(DecodeError::malformed(
            "record",
            &format!("{fields} elements; a trade has 5, 7 to 10, or 12"),
        ));
    }
    let mut trade = Trade {
        time_ns: reader.signed("time")?,
        price: reader.decimal("price")?,
        quantity: None,
        side: None,
        id: None,
        scope: None,
        sender: None,
    };
    if fields >= 7 {
        if reader.nil("quantity")? {
            if !reader.nil("quantity")? {
                return Err(DecodeError::malformed("quantity", "one of its two is nil"));
            }
        } else {
            trade.quantity = Some(reader.decimal("quantity")?);
        }
    }
    if fields >= 8 && !reader.nil("side")? {
        trade.side = Some(match reader.unsigned("side")? {
            0 => Side::Buy,
            1 => Side::Sell,
            _ => return Err(DecodeError::malformed("side", "0, 1 or nil is expected")),
        });
    }
    if fields >= 9 {
        trade.id = reader.id("id")?;
    }
    if fields >= 10 {
        trade.scope = reader.scope("scope")?;
    }
    if fields >= 12 {
        let key = reader.binary("sender")?;
        let key = key
            .try_into()
            .map_err(|_| DecodeError::malformed("sender", "16 bytes are expected"))?;
        let index = reader.unsigned("sender")?;
        trade.sender = Some(Sender { key, index });
    }
    Ok(trade)
}

fn encode_setting(venue: &Venue, settings: &VenueSettings, out: &mut Vec<u8>) {
    header(out, SETTING_FIELDS, SETTING);
    write_str(out, venue.as_str()).expect(IN_MEMORY);
    write_str(out, settings.scheme.name()).expect(IN_MEMORY);
    write_str(out, settings.scope.name()).expect(IN_MEMORY);
    write_sint(out, settings.lateness_ns).expect(IN_MEMORY);
    write_sint(out, settings.idle_ns).expect(IN_MEMORY);
    write_bool(out, settings.nonpositive_prices).expect(IN_MEMORY);
}

fn decode_setting(reader: &mut Reader<'_>) -> Result<TradesRecord, DecodeError> {
    let venue = reader.parsed("venue")?;
    let mut settings = VenueSettings {
        scheme: reader.parsed("scheme")?,
        scope: reader.parsed("scope")?,
        lateness_ns: reader.signed("lateness")?,
        idle_ns: reader.signed("idle")?,
        nonpositive_prices: reader.boolean("nonpositive_prices")?,
    };
    settings.lateness_ns = settings.lateness_ns.clamp(0, VenueSettings::LONGEST_NS);
    settings.idle_ns = settings.idle_ns.clamp(0, VenueSettings::LONGEST_NS);
    Ok(TradesRecord::Setting(venue, settings))
}

#[cfg(test)]
mod tests;
