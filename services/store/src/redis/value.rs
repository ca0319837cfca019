//! Keys of Redis, and their values: `through time price`, as text; the price is `-` if every trade
//! of the newest minute was cancelled.
//!
//! `through` has 32 hexadecimal digits, so that texts compare as positions do. A script of Redis
//! cannot compare numbers beyond 2^53.

use market::{Instrument, Position};

use crate::NewestPrice;

/// The number of characters of `through`.
const THROUGH_LENGTH: usize = 32;

/// The price of a minute whose trades were all cancelled.
const NO_PRICE: &str = "-";

/// Returns the key of an instrument. Only a symbol that contains braces chooses its node of a
/// Cluster by the text between them.
pub(super) fn price_key(instrument: &Instrument) -> String {
    format!("price:{instrument}")
}

/// Returns a key that is no price's and is on the same node of a Cluster as `key`, unless that one
/// chooses its node by braces.
pub(super) fn test_write_key(key: &str) -> String {
    format!("test-write:{{{key}}}")
}

/// Encodes a price as the value of its key.
pub(super) fn encode_price(price: &NewestPrice) -> String {
    let Position { epoch, offset } = price.through;
    let text = price.price.map(|price| price.to_string());
    let text = text.as_deref().unwrap_or(NO_PRICE);
    format!("{epoch:016x}{offset:016x} {} {text}", price.time_ns)
}

/// Decodes the value of a key; `None` if it is not a price.
pub(super) fn decode_price(instrument: &Instrument, text: &str) -> Option<NewestPrice> {
    let (through, rest) = text.split_once(' ')?;
    let (time_ns, price) = rest.split_once(' ')?;
    if through.len() != THROUGH_LENGTH || !through.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let (epoch, offset) = through.split_at(THROUGH_LENGTH / 2);
    Some(NewestPrice {
        instrument: instrument.clone(),
        price: match price {
            NO_PRICE => None,
            text => Some(text.parse().ok()?),
        },
        time_ns: time_ns.parse().ok()?,
        through: Position {
            epoch: u64::from_str_radix(epoch, 16).ok()?,
            offset: u64::from_str_radix(offset, 16).ok()?,
        },
    })
}

#[cfg(test)]
mod tests {
    use market::{Decimal, Position};
    use proptest::prelude::*;

    use super::{decode_price, encode_price};
    use crate::NewestPrice;

    fn price(through: (u64, u64), time_ns: i64, price: Option<Decimal>) -> NewestPrice {
        NewestPrice {
            instrument: "binance:BTCUSDT".parse().unwrap(),
            price,
            time_ns,
            through: Position {
                epoch: through.0,
                offset: through.1,
            },
        }
    }

    proptest! {
        #[test]
        fn an_encoded_price_is_decoded(through: (u64, u64), time_ns: i64, mantissa in -999_999_999_999_999_999_i64..=999_999_999_999_999_999, scale in 0_u8..=18) {
            for value in [None, Some(Decimal::new(mantissa, scale).unwrap())] {
                let price = price(through, time_ns, value);
                prop_assert_eq!(decode_price(&price.instrument, &encode_price(&price)), Some(price));
            }
        }

        #[test]
        fn texts_compare_as_positions(left: (u64, u64), right: (u64, u64), near in 0_u64..3) {
            let text = |through| encode_price(&price(through, 0, Some(Decimal::ZERO)));
            for right in [right, (left.0, right.1), (left.0, left.1.wrapping_add(near))] {
                prop_assert_eq!(text(left).cmp(&text(right)), left.cmp(&right));
            }
        }
    }

    #[test]
    fn other_values_are_refused() {
        let instrument = "binance:BTCUSDT".parse().unwrap();
        let through = "0".repeat(32);
        assert!(decode_price(&instrument, &format!("{through} 1 2.5")).is_some());
        let short = "0".repeat(31);
        for text in [
            String::new(),
            through.clone(),
            format!("{through} 1"),
            format!("{short} 1 2.5"),
            format!("+{short} 1 2.5"),
            format!("{through} 1 2.5 "),
            format!("{through} x 2.5"),
            format!("{through} 1 two"),
        ] {
            assert_eq!(decode_price(&instrument, &text), None, "{text}");
        }
    }
}
