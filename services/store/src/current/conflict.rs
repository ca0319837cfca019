//! What a later delivery of a trade says otherwise than the first one.

use market::Trade;

use crate::tick_store::Tick;

/// A value of a trade that a later delivery may not change. The identity of a trade is not among
/// them: deliveries that differ in it are different trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TradeField {
    /// When the trade happened.
    Time,
    /// The price.
    Price,
    /// The quantity, or that there is none.
    Quantity,
    /// The aggressor, or that it is not known.
    Side,
}

impl TradeField {
    /// Returns its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Price => "price",
            Self::Quantity => "quantity",
            Self::Side => "side",
        }
    }
}

/// Returns the values in which two deliveries of one trade differ, in the order of [`TradeField`].
/// Decimals are compared by value.
#[must_use]
pub fn differing_fields(first: &Trade, later: &Trade) -> Vec<TradeField> {
    let compared = [
        (TradeField::Time, first.time_ns != later.time_ns),
        (TradeField::Price, first.price != later.price),
        (TradeField::Quantity, first.quantity != later.quantity),
        (TradeField::Side, first.side != later.side),
    ];
    let differing = compared.into_iter().filter(|(_, differs)| *differs);
    differing.map(|(field, _)| field).collect()
}

/// A later delivery of a trade, and the first delivery, which counts. Both are as they were
/// delivered, without the edits of the trade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuplicateTick {
    /// The first delivery; `None` if its tick is no longer stored.
    pub first: Option<Tick>,
    /// The later delivery.
    pub later: Tick,
}

/// What the contents of two deliveries of one trade say about each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DuplicateComparison {
    /// They are the same.
    Same,
    /// They differ in these values.
    Conflict(Vec<TradeField>),
    /// The first delivery is no longer stored.
    NotComparable,
}

impl DuplicateTick {
    /// Returns a later delivery with what was found as the first one, which is none if it is not
    /// before the later one.
    pub(crate) fn new(first: Option<Tick>, later: Tick) -> Self {
        let first = first.filter(|first| first.position < later.position);
        Self { first, later }
    }

    /// Compares the two deliveries.
    #[must_use]
    pub fn compare(&self) -> DuplicateComparison {
        let Some(first) = &self.first else {
            return DuplicateComparison::NotComparable;
        };
        match differing_fields(&first.trade, &self.later.trade) {
            fields if fields.is_empty() => DuplicateComparison::Same,
            fields => DuplicateComparison::Conflict(fields),
        }
    }
}

impl DuplicateComparison {
    /// Returns its name in JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Conflict(_) => "conflict",
            Self::NotComparable => "not_comparable",
        }
    }

    /// Returns the values that differ; none unless it is a conflict.
    #[must_use]
    pub fn differing_fields(&self) -> &[TradeField] {
        match self {
            Self::Conflict(fields) => fields,
            Self::Same | Self::NotComparable => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use market::{Side, Trade, TradeId};
    use proptest::prelude::*;

    use super::{TradeField, differing_fields};

    fn trade() -> Trade {
        Trade {
            time_ns: 7,
            price: "1.50".parse().unwrap(),
            quantity: Some("2".parse().unwrap()),
            side: Some(Side::Buy),
            id: Some(TradeId::Number(1)),
            scope: None,
            sender: None,
        }
    }

    proptest! {
        #[test]
        fn exactly_the_changed_values_differ(changed in prop::array::uniform4(any::<bool>())) {
            let mut later = trade();
            later.price = "1.5".parse().unwrap();
            if changed[0] {
                later.time_ns = 8;
            }
            if changed[1] {
                later.price = "1.51".parse().unwrap();
            }
            if changed[2] {
                later.quantity = None;
            }
            if changed[3] {
                later.side = Some(Side::Sell);
            }
            let all = [TradeField::Time, TradeField::Price, TradeField::Quantity, TradeField::Side];
            let expected = all.into_iter().zip(changed).filter(|(_, changed)| *changed);
            let expected: Vec<_> = expected.map(|(field, _)| field).collect();
            prop_assert_eq!(differing_fields(&trade(), &later), expected);
        }
    }
}
