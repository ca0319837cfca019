//! Decimals as the columns hold them: `Decimal(38, 18)`, a whole number of 10^-18.
//!
//! | step | overflow | rounding |
//! |---|---|---|
//! | [`widened`] | cannot: below 10^18 * 10^18 | never |
//! | [`narrowed`] | none, where the digits are more than a [`Decimal`] has | never |

use market::{Decimal, POWERS_OF_TEN};

/// The digits after the point in a column.
const SCALE: u8 = 18;

/// A decimal as a column holds it.
pub(super) fn widened(value: Decimal) -> i128 {
    let power = POWERS_OF_TEN[usize::from(SCALE - value.scale())];
    i128::from(value.mantissa()) * i128::from(power)
}

/// The decimal that a column holds; none, where it has too many digits.
pub(super) fn narrowed(mut wide: i128) -> Option<Decimal> {
    let mut scale = SCALE;
    // Zeros go in large steps while 128 bits are needed: dividing those is slow.
    for zeros in [9, 4, 2, 1] {
        let power = i128::from(POWERS_OF_TEN[usize::from(zeros)]);
        while scale >= zeros && i64::try_from(wide).is_err() && wide % power == 0 {
            wide /= power;
            scale -= zeros;
        }
    }
    let mantissa = i64::try_from(wide).ok()?;
    Decimal::new(mantissa, scale).ok()
}

#[cfg(test)]
mod tests {
    use market::Decimal;
    use proptest::prelude::*;

    use super::{narrowed, widened};

    const LIMIT: i64 = 1_000_000_000_000_000_000;

    proptest! {
        #[test]
        fn a_column_gives_back_what_it_was_given(mantissa in 1 - LIMIT..LIMIT, zeros in 0_u32..19, scale in 0_u8..=18) {
            let short = mantissa / 10_i64.pow(zeros) * 10_i64.pow(zeros);
            for mantissa in [mantissa, short, mantissa / 10_i64.pow(zeros)] {
                let value = Decimal::new(mantissa, scale).unwrap();
                prop_assert_eq!(narrowed(widened(value)), Some(value));
            }
        }
    }

    #[test]
    fn the_ends_fit_and_more_does_not() {
        for text in [
            "999999999999999999",
            "-999999999999999999",
            "0.000000000000000001",
            "0",
            "100000000000000000",
        ] {
            let value: Decimal = text.parse().unwrap();
            assert_eq!(narrowed(widened(value)), Some(value), "{text}");
        }
        assert_eq!(narrowed(i128::MAX), None);
        assert_eq!(
            narrowed(1_000_000_000_000_000_000_000_000_000_000_000_001),
            None
        );
    }
}
