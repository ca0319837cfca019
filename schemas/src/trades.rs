//! The records of the topic `trades`.

mod amendment;
mod kinds;
mod left_out;
mod refold;
pub(crate) mod setting;
mod trade;

use market::{Amendment, AmendmentKind, DeclaredSettings, SettingsChange, Trade, Venue};

use self::amendment::{decode_amendment, encode_amendment};
use self::kinds::{
    ADVANCE, CANCEL, EDIT, LEFT_OUT, REFOLD, REPAIR, SETTING, SETTING_COPY, TRADE,
    write_record_header,
};
use self::setting::{
    decode_settings_change, decode_settings_copy, encode_settings_change, encode_settings_copy,
};
use self::trade::{decode_trade, encode_trade_values, trade_element_count};
use crate::error::DecodeError;
use crate::record_reader::{RecordReader, check_array_length};

pub use self::left_out::LeftOutNotice;
pub use self::refold::{RefoldResult, Repair};

/// The elements of an advance: the version and the kind.
const ADVANCE_ELEMENTS: u32 = 2;

/// A record of the topic `trades`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TradesTopicRecord {
    /// A trade of the instrument that the key names.
    Trade(Trade),
    /// Nothing but its append time, so that time advances in a log without trades.
    Advance,
    /// A change of a venue's settings. Partition 0 alone holds these records, so that their order
    /// is the same for all.
    Setting(Venue, SettingsChange),
    /// A venue's settings after a change in partition 0, copied to another partition, in which they
    /// are in force starting at this record unless those in force are of a later change.
    SettingCopy(Venue, DeclaredSettings),
    /// An edit or a cancel of a trade of the instrument that the key names.
    Amendment(Amendment, Trade),
    /// The refold of a minute of the instrument that the key names: its bar was folded again from
    /// its ticks.
    Refold(Box<RefoldResult>),
    /// Marks minutes of the instrument that the key names for refolding.
    Repair(Repair),
    /// An earlier record of the instrument that the key names is left out.
    LeftOut(LeftOutNotice),
}

impl TradesTopicRecord {
    /// Appends the record's bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Trade(trade) => Self::encode_trade(trade, out),
            Self::Advance => write_record_header(out, ADVANCE_ELEMENTS, ADVANCE),
            Self::Setting(venue, change) => encode_settings_change(venue, change, out),
            Self::SettingCopy(venue, declared) => encode_settings_copy(venue, declared, out),
            Self::Amendment(amendment, trade) => encode_amendment(amendment, trade, out),
            Self::Refold(refold) => refold.encode(out),
            Self::Repair(repair) => repair.encode(out),
            Self::LeftOut(left_out) => left_out.encode(out),
        }
    }

    /// Appends the bytes of a trade's record to `out`.
    pub fn encode_trade(trade: &Trade, out: &mut Vec<u8>) {
        let elements = trade_element_count(trade);
        write_record_header(out, elements, TRADE);
        encode_trade_values(trade, elements, out);
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`DecodeError`] if the bytes are not a record of a known version and kind.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = RecordReader::new(bytes);
        let elements = reader.read_array_length("record")?;
        reader.read_and_check_version()?;
        let record = match reader.read_u64("kind")? {
            TRADE => Self::Trade(decode_trade(&mut reader, elements)?),
            ADVANCE => {
                check_array_length("record", elements, ADVANCE_ELEMENTS)?;
                Self::Advance
            }
            SETTING => {
                let (venue, change) = decode_settings_change(&mut reader, elements)?;
                Self::Setting(venue, change)
            }
            SETTING_COPY => {
                let (venue, declared) = decode_settings_copy(&mut reader, elements)?;
                Self::SettingCopy(venue, declared)
            }
            EDIT => Self::decode_amendment(&mut reader, elements, AmendmentKind::Edit)?,
            CANCEL => Self::decode_amendment(&mut reader, elements, AmendmentKind::Cancel)?,
            REFOLD => Self::Refold(Box::new(RefoldResult::decode(&mut reader, elements)?)),
            REPAIR => Self::Repair(Repair::decode(&mut reader, elements)?),
            LEFT_OUT => Self::LeftOut(LeftOutNotice::decode(&mut reader, elements)?),
            found => return Err(DecodeError::Kind { found }),
        };
        reader.check_fully_read("record")?;
        Ok(record)
    }

    /// Returns whether the bytes begin as an edit or a cancel does. The rest is not read.
    #[must_use]
    pub fn begins_as_amendment(bytes: &[u8]) -> bool {
        let mut reader = RecordReader::new(bytes);
        let kind = reader
            .read_array_length("record")
            .and_then(|_| reader.read_and_check_version())
            .and_then(|()| reader.read_u64("kind"));
        matches!(kind, Ok(EDIT | CANCEL))
    }

    fn decode_amendment(
        reader: &mut RecordReader<'_>,
        record_elements: u32,
        kind: AmendmentKind,
    ) -> Result<Self, DecodeError> {
        let (amendment, trade) = decode_amendment(reader, record_elements, kind)?;
        Ok(Self::Amendment(amendment, trade))
    }
}

#[cfg(test)]
pub(crate) mod tests;
