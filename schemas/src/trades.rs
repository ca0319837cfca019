//! The records of the topic `trades`.

use market::{Amendment, AmendmentKind, Position, SenderId, Side, Trade, Venue, VenueSettings};
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
    /// An edit or a cancel of a trade of the instrument that the key names.
    Amendment(Amendment, Trade),
    /// The minute of the instrument that the key names is folded anew from its ticks.
    Refold(Refold),
    /// Minutes of the instrument that the key names are to be folded anew.
    Repair(Repair),
}

/// A minute is folded anew: it becomes the fold of its trades, edited and cancelled, as of the
/// log up to `up_to`, merged with the trades that came to it from there on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refold {
    /// The minute's first nanosecond.
    pub start_ns: i64,
    /// The first position that the ticks folded anew do not include. A refold whose minute is
    /// not marked with the same does nothing.
    pub up_to: Position,
}

/// The minutes that start in `[start_ns, end_ns)` are marked, to be folded anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repair {
    /// The first minute's first nanosecond.
    pub start_ns: i64,
    /// The end of the last minute: at most a day later.
    pub end_ns: i64,
}

impl Repair {
    /// Whether its bounds are whole minutes, in order, and at most a day apart.
    #[must_use]
    pub const fn is_sound(self) -> bool {
        self.start_ns >= 0
            && self.start_ns % market::MINUTE_NS == 0
            && self.end_ns % market::MINUTE_NS == 0
            && self.start_ns < self.end_ns
            && self.end_ns - self.start_ns <= market::DAY_NS
    }
}

/// Kind numbers.
const TRADE: u64 = 0;
const ADVANCE: u64 = 1;
const SETTING: u64 = 2;
const EDIT: u64 = 3;
const CANCEL: u64 = 4;
const REFOLD: u64 = 5;
const REPAIR: u64 = 6;

/// How many elements a trade has with all of them, and with the fewest.
const TRADE_FIELDS: u32 = 12;
const TRADE_FIELDS_LEAST: u32 = 5;
const ADVANCE_FIELDS: u32 = 2;
const SETTING_FIELDS: u32 = 8;
/// How many elements an edit or a cancel has beside those of its trade.
const AMENDMENT_FIELDS: u32 = 3;
const REFOLD_FIELDS: u32 = 5;
const REPAIR_FIELDS: u32 = 4;

impl TradesRecord {
    /// Appends the record's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Trade(trade) => Self::encode_trade(trade, out),
            Self::Advance => header(out, ADVANCE_FIELDS, ADVANCE),
            Self::Setting(venue, settings) => encode_setting(venue, settings, out),
            Self::Amendment(amendment, trade) => encode_amendment(amendment, trade, out),
            Self::Refold(refold) => {
                header(out, REFOLD_FIELDS, REFOLD);
                write_sint(out, refold.start_ns).expect(IN_MEMORY);
                write_uint(out, refold.up_to.epoch).expect(IN_MEMORY);
                write_uint(out, refold.up_to.offset).expect(IN_MEMORY);
            }
            Self::Repair(repair) => {
                header(out, REPAIR_FIELDS, REPAIR);
                write_sint(out, repair.start_ns).expect(IN_MEMORY);
                write_sint(out, repair.end_ns).expect(IN_MEMORY);
            }
        }
    }

    /// Appends a trade's bytes.
    pub fn encode_trade(trade: &Trade, out: &mut Vec<u8>) {
        let fields = trade_fields(trade);
        header(out, fields, TRADE);
        encode_values(trade, fields, out);
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
            EDIT => decode_amendment(&mut reader, fields, AmendmentKind::Edit)?,
            CANCEL => decode_amendment(&mut reader, fields, AmendmentKind::Cancel)?,
            REFOLD => {
                expect_fields("record", fields, REFOLD_FIELDS)?;
                decode_refold(&mut reader)?
            }
            REPAIR => {
                expect_fields("record", fields, REPAIR_FIELDS)?;
                decode_repair(&mut reader)?
            }
            found => return Err(DecodeError::Kind { found }),
        };
        reader.end()?;
        Ok(record)
    }
}

/// What of a trade follows the header, as many elements as [`trade_fields`] says with it.
fn encode_values(trade: &Trade, fields: u32, out: &mut Vec<u8>) {
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
        trade.sender = Some(SenderId { key, index });
    }
    Ok(trade)
}

fn encode_amendment(amendment: &Amendment, trade: &Trade, out: &mut Vec<u8>) {
    let fields = trade_fields(trade);
    let kind = match amendment.kind {
        AmendmentKind::Edit => EDIT,
        AmendmentKind::Cancel => CANCEL,
    };
    header(out, fields + AMENDMENT_FIELDS, kind);
    write_id(out, Some(&amendment.id));
    match amendment.target_position {
        Some(place) => {
            write_uint(out, place.epoch).expect(IN_MEMORY);
            write_uint(out, place.offset).expect(IN_MEMORY);
        }
        None => {
            write_nil(out).expect(IN_MEMORY);
            write_nil(out).expect(IN_MEMORY);
        }
    }
    encode_values(trade, fields, out);
}

fn decode_amendment(
    reader: &mut Reader<'_>,
    fields: u32,
    kind: AmendmentKind,
) -> Result<TradesRecord, DecodeError> {
    let id = reader.id("amendment")?;
    let id = id.ok_or_else(|| DecodeError::malformed("amendment", "an id is expected"))?;
    let target_position = if reader.nil("place")? {
        if !reader.nil("place")? {
            return Err(DecodeError::malformed("place", "one of its two is nil"));
        }
        None
    } else {
        Some(Position {
            epoch: reader.unsigned("place")?,
            offset: reader.unsigned("place")?,
        })
    };
    let trade = decode_trade(reader, fields.saturating_sub(AMENDMENT_FIELDS))?;
    Ok(TradesRecord::Amendment(
        Amendment {
            id,
            kind,
            target_position,
        },
        trade,
    ))
}

fn decode_refold(reader: &mut Reader<'_>) -> Result<TradesRecord, DecodeError> {
    let start_ns = reader.signed("start")?;
    if start_ns < 0 || start_ns % market::MINUTE_NS != 0 {
        return Err(DecodeError::malformed(
            "start",
            "a whole minute is expected",
        ));
    }
    let up_to = Position {
        epoch: reader.unsigned("up_to")?,
        offset: reader.unsigned("up_to")?,
    };
    Ok(TradesRecord::Refold(Refold { start_ns, up_to }))
}

fn decode_repair(reader: &mut Reader<'_>) -> Result<TradesRecord, DecodeError> {
    let repair = Repair {
        start_ns: reader.signed("start")?,
        end_ns: reader.signed("end")?,
    };
    if !repair.is_sound() {
        let expected = "whole minutes in order, at most a day apart, are expected";
        return Err(DecodeError::malformed("end", expected));
    }
    Ok(TradesRecord::Repair(repair))
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
    settings.lateness_ns = settings.lateness_ns.clamp(0, VenueSettings::MAX_WAIT_NS);
    settings.idle_ns = settings.idle_ns.clamp(0, VenueSettings::MAX_WAIT_NS);
    Ok(TradesRecord::Setting(venue, settings))
}

#[cfg(test)]
mod tests;
