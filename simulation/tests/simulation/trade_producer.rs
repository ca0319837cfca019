//! The trades that producers send: of every kind of venue, late, repeated, malformed, and out of
//! order.

mod amendments;

use bytes::Bytes;
use eventlog::NewRecord;
use market::{
    Decimal, DeclaredSettings, IdScheme, IdScope, Instrument, MINUTE_NS, Position, SECOND_NS,
    SenderTradeId, SettingsChange, Side, TieOrder, Trade, TradeId, Venue, VenueSettings,
};
use schemas::TradesTopicRecord;

use crate::bar_store::refused_price;
use crate::clock::START_NS;
use crate::random::Random;

pub const PARTITIONS: u32 = 2;

/// One venue of each kind.
const VENUES: [(&str, IdScheme, IdScope); 6] = [
    ("ranges", IdScheme::Contiguous, IdScope::Symbol),
    ("daily", IdScheme::Contiguous, IdScope::Day),
    ("filed", IdScheme::Contiguous, IdScope::File),
    ("exact", IdScheme::Unique, IdScope::Symbol),
    ("houses", IdScheme::Unique, IdScope::Exchange),
    ("bare", IdScheme::None, IdScope::Symbol),
];

/// Generates the records that producers send.
pub struct ProducerRecordGenerator {
    random: Random,
    /// Each instrument with its settings and the next id.
    instruments: Vec<(Instrument, VenueSettings, u64)>,
    /// The event time, which runs faster than the clock.
    time_ns: i64,
    pace_ns: u64,
    sent: Vec<(u32, NewRecord)>,
    /// The trades that edits and cancels may name.
    named: Vec<(Instrument, Trade)>,
    /// The trades that were held back, so that an amendment of them may arrive first.
    held_back: Vec<(Instrument, Trade)>,
    next_amendment: u64,
    amends: bool,
    /// Whether some prices are such that the store refuses them.
    sends_refused_prices: bool,
    epoch: u64,
}

impl ProducerRecordGenerator {
    pub fn new(random: &Random) -> Self {
        let mut instruments = Vec::new();
        for symbol in ["A", "B", "C"] {
            let (venue, scheme, scope) = *random.choose(&VENUES);
            let settings = VenueSettings {
                scheme,
                scope,
                ties: *random.choose(TieOrder::ALL),
                lateness_ns: i64::try_from(random.below(90)).unwrap() * SECOND_NS,
                idle_ns: i64::try_from(random.below(4) + 1).unwrap() * SECOND_NS,
                nonpositive_prices: random.one_in(2),
                old_times: random.one_in(2),
                retired: false,
            };
            let known = instruments
                .iter()
                .find(|(known, _, _): &&(Instrument, _, _)| known.venue() == venue);
            let settings = known.map_or(settings, |(_, settings, _)| *settings);
            instruments.push((format!("{venue}:{symbol}").parse().unwrap(), settings, 1));
        }
        Self {
            random: random.clone(),
            instruments,
            time_ns: START_NS - 2 * market::DAY_NS + 11 * market::HOUR_NS,
            pace_ns: [2, 20, 300, 3_000][usize::try_from(random.below(4)).unwrap()]
                * SECOND_NS.unsigned_abs(),
            sent: Vec::new(),
            named: Vec::new(),
            held_back: Vec::new(),
            next_amendment: 0,
            amends: random.one_in(2),
            sends_refused_prices: random.one_in(3),
            epoch: 1,
        }
    }

    /// Sets the epoch of the recreated topic.
    pub const fn set_epoch(&mut self, epoch: u64) {
        self.epoch = epoch;
    }

    /// Returns whether trades are edited and cancelled in this run.
    pub const fn amends(&self) -> bool {
        self.amends
    }

    /// Returns whether some prices are such that the store refuses them.
    pub const fn sends_refused_prices(&self) -> bool {
        self.sends_refused_prices
    }

    fn random_price(&self, may_be_negative: bool) -> Decimal {
        match self.sends_refused_prices && self.random.one_in(60) {
            true => refused_price(),
            false => random_decimal(&self.random, may_be_negative),
        }
    }

    pub fn instruments(&self) -> Vec<Instrument> {
        self.instruments
            .iter()
            .map(|(instrument, _, _)| instrument.clone())
            .collect()
    }

    /// Returns the records that declare every venue. The owner of their partition copies them.
    pub fn declarations(&self) -> Vec<NewRecord> {
        let declare = |(instrument, settings, _): &(Instrument, VenueSettings, u64)| {
            let change = SettingsChange::of_all(settings);
            let venue = instrument.venue().parse().unwrap();
            encode_record("", &TradesTopicRecord::Setting(venue, change))
        };
        self.instruments.iter().map(declare).collect()
    }

    /// Returns a record that only moves time.
    pub fn advance() -> NewRecord {
        encode_record("", &TradesTopicRecord::Advance)
    }

    /// Returns some records, each with the partition to send it to.
    pub fn next_records(&mut self) -> Vec<(u32, NewRecord)> {
        let mut entries = Vec::new();
        for _ in 0..=self.random.below(6) {
            let one = match self.random.below(40) {
                0 => self.garbage_record(),
                1 => self.changed_settings(),
                2 => self.misplaced_trade(),
                8..=12 if self.amends => self.next_amendment_record(),
                13 if self.amends => self.repair_or_refold(),
                3..=7 if !self.sent.is_empty() => self.random.choose(&self.sent).clone(),
                _ => self.trade(),
            };
            entries.push(one);
        }
        if self.random.one_in(3) {
            let last = entries.len() - 1;
            entries.swap(0, last);
        }
        entries
    }

    fn trade(&mut self) -> (u32, NewRecord) {
        let place = self.random.index(self.instruments.len());
        self.time_ns += i64::try_from(self.random.below(self.pace_ns)).unwrap();
        let time_ns = self.event_time();
        let random = self.random.clone();
        let may_be_negative = self.instruments[place].1.nonpositive_prices || random.one_in(40);
        let price = self.random_price(may_be_negative);
        let (instrument, settings, next_id) = &mut self.instruments[place];
        *next_id += if random.one_in(9) { 3 } else { 1 };
        let trade = Trade {
            time_ns,
            price,
            quantity: (!random.one_in(5)).then(|| random_decimal(&random, random.one_in(40))),
            side: *random.choose(&[None, Some(Side::Buy), Some(Side::Sell)]),
            id: generate_id(&random, settings.scheme, *next_id),
            scope: matches!(settings.scope, IdScope::Exchange | IdScope::File)
                .then(|| (*random.choose(&["x", "y"])).into()),
            sender: (settings.scheme == IdScheme::None && random.one_in(2)).then(|| {
                SenderTradeId {
                    key: [u8::try_from(random.below(2)).unwrap(); 16],
                    index: *next_id,
                }
            }),
        };
        let key = instrument.key().to_owned();
        self.named.push((instrument.clone(), trade.clone()));
        let named = (instrument.clone(), trade.clone());
        let one = (
            partition_of_key(&key),
            encode_record(&key, &TradesTopicRecord::Trade(trade)),
        );
        // Some trades are held back, so that an amendment of them arrives first.
        if !random.one_in(12) || !self.amends {
            self.sent.push(one.clone());
            return one;
        }
        let early = self.next_amendment_record();
        self.held_back.push(named);
        self.sent.push(one);
        early
    }

    /// Returns a time that is mostly now, sometimes minutes, hours or days ago, and sometimes
    /// impossible.
    fn event_time(&self) -> i64 {
        let back = |most_ns: i64| {
            self.time_ns - i64::try_from(self.random.below(most_ns.unsigned_abs())).unwrap()
        };
        match self.random.below(60) {
            0..=9 => back(3 * MINUTE_NS),
            10..=13 => back(5 * market::HOUR_NS),
            14 => back(3 * market::DAY_NS),
            15 => START_NS * 2,
            16 => -1,
            26 => self.time_ns / 1_000,
            17..=25 => self.time_ns / MINUTE_NS * MINUTE_NS,
            _ => self.time_ns,
        }
    }

    fn garbage_record(&self) -> (u32, NewRecord) {
        let bytes = (0..self.random.below(12)).map(|_| self.random.next_u64().to_le_bytes()[0]);
        let value = Bytes::from(bytes.collect::<Vec<_>>());
        let keys: [&'static [u8]; 4] = [b"exact:A", b"", b"\xff", b"no colon"];
        let place = self.random.index(keys.len());
        let key = Bytes::from_static(keys[place]);
        (
            u32::try_from(self.random.below(PARTITIONS.into())).unwrap(),
            NewRecord { key, value },
        )
    }

    /// Returns a trade of an undeclared venue, or one in a wrong partition.
    fn misplaced_trade(&self) -> (u32, NewRecord) {
        let key = *self.random.choose(&["undeclared:A", "exact:A", "ranges:B"]);
        let trade = Trade {
            time_ns: self.time_ns,
            price: random_decimal(&self.random, false),
            quantity: None,
            side: None,
            id: Some(TradeId::Number(self.random.below(50))),
            scope: None,
            sender: None,
        };
        let to = u32::try_from(self.random.below(PARTITIONS.into())).unwrap();
        (to, encode_record(key, &TradesTopicRecord::Trade(trade)))
    }

    /// Returns a change of some settings of a venue.
    pub fn settings_change(&self) -> (Venue, SettingsChange) {
        let random = &self.random;
        let (instrument, settings, _) = random.choose(&self.instruments);
        let seconds = |most: u64| i64::try_from(random.below(most)).unwrap() * SECOND_NS;
        let change = SettingsChange {
            scheme: random.one_in(8).then_some(IdScheme::None),
            scope: random.one_in(8).then_some(settings.scope),
            ties: random.one_in(8).then(|| *random.choose(TieOrder::ALL)),
            lateness_ns: random.one_in(2).then(|| seconds(200)),
            idle_ns: random.one_in(2).then(|| seconds(8) + SECOND_NS),
            nonpositive_prices: random.one_in(4).then(|| random.one_in(2)),
            old_times: random.one_in(4).then(|| random.one_in(2)),
            // Nothing of the venue counts afterwards.
            retired: random.one_in(300).then_some(true),
        };
        (instrument.venue().parse().unwrap(), change)
    }

    /// Returns a change of settings that its writer does not copy, or a copy of long ago, in any
    /// partition.
    fn changed_settings(&self) -> (u32, NewRecord) {
        let (venue, change) = self.settings_change();
        let known = self.instruments.iter();
        let mut known = known.filter(|(instrument, _, _)| instrument.venue() == venue.as_str());
        let (_, settings, _) = known.next().unwrap();
        let record = match change.apply_to(Some(settings)) {
            Ok(settings) if self.random.one_in(2) => {
                let declared = DeclaredSettings {
                    settings,
                    declared_at: Position::default(),
                };
                TradesTopicRecord::SettingCopy(venue, declared)
            }
            _ => TradesTopicRecord::Setting(venue, change),
        };
        let to = u32::try_from(self.random.below(PARTITIONS.into())).unwrap();
        (to, encode_record("", &record))
    }
}

fn generate_id(random: &Random, scheme: IdScheme, next: u64) -> Option<TradeId> {
    match scheme {
        IdScheme::Contiguous => Some(TradeId::Number(next)),
        IdScheme::Unique if random.one_in(8) => None,
        IdScheme::Unique => Some(TradeId::parse(&format!("t{next}")).unwrap()),
        IdScheme::None => None,
    }
}

fn random_decimal(random: &Random, may_be_negative: bool) -> Decimal {
    let mantissa = i64::try_from(match random.below(12) {
        0 => random.below(1_000_000_000_000_000_000),
        1 => 999_999_999_999_999_999,
        _ => random.below(100_000) + 1,
    });
    let scale = u8::try_from(if random.one_in(8) {
        random.below(19)
    } else {
        2
    })
    .unwrap();
    let sign = if may_be_negative && random.one_in(2) {
        -1
    } else {
        1
    };
    Decimal::new(mantissa.unwrap() * sign, scale).unwrap()
}

fn partition_of_key(key: &str) -> u32 {
    schemas::partition_of(key.as_bytes(), PARTITIONS)
}

fn encode_record(key: &str, record: &TradesTopicRecord) -> NewRecord {
    let mut value = Vec::new();
    record.encode(&mut value);
    NewRecord {
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: value.into(),
    }
}
