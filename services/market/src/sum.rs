//! Exact sums.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::Decimal;
use crate::wide::Wide;

/// An exact sum of quantities, or of prices times quantities: `units / 10^scale` with the units
/// in 320 bits and a scale of 0 to 36.
///
/// | operation | overflow | rounding |
/// |---|---|---|
/// | add | cannot, for up to 2^64 products of any two decimals | never |
/// | compare, print, parse | cannot | never |
/// | [`mean`] | cannot | half to even, at 18 significant digits |
#[derive(Debug, Clone, Copy, Default)]
pub struct Sum {
    units: Wide,
    scale: u8,
}

/// A text that is not a [`Sum`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a plain decimal number of at most 56 digits before the point and 36 after it"
)]
pub struct SumError {
    text: String,
}

impl Sum {
    /// Adds `units / 10^scale`, where the units are below 10^38 in size and the scale is at
    /// most 36.
    pub fn add_units(&mut self, units: i128, scale: u8) {
        if units == 0 {
            return;
        }
        let units = Wide::from_i128(units);
        self.add_wide(units, scale);
    }

    fn add_wide(&mut self, units: Wide, scale: u8) {
        match scale.cmp(&self.scale) {
            Ordering::Equal => self.units.add(units),
            Ordering::Less => {
                let shift = usize::from(self.scale - scale);
                self.units.add(units.times_power_of_ten(shift));
            }
            Ordering::Greater => {
                self.units = self.at(scale);
                self.scale = scale;
                self.units.add(units);
            }
        }
    }

    /// Adds a quantity.
    pub fn add(&mut self, value: Decimal) {
        self.add_units(i128::from(value.mantissa()), value.scale());
    }

    /// Adds a product.
    pub fn add_product(&mut self, left: Decimal, right: Decimal) {
        let units = i128::from(left.mantissa()) * i128::from(right.mantissa());
        self.add_units(units, left.scale() + right.scale());
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        if !other.units.is_zero() {
            self.add_wide(other.units, other.scale);
        }
    }

    /// Whether it is nought.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.units.is_zero()
    }

    fn at(&self, scale: u8) -> Wide {
        self.units
            .times_power_of_ten(usize::from(scale - self.scale))
    }
}

impl PartialEq for Sum {
    fn eq(&self, other: &Self) -> bool {
        let scale = self.scale.max(other.scale);
        self.at(scale) == other.at(scale)
    }
}

impl Eq for Sum {}

impl fmt::Display for Sum {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.units.is_negative() {
            out.write_str("-")?;
        }
        out.write_str(&plain(&self.units.digits(), i64::from(self.scale)))
    }
}

/// 2^64 products of decimals are below 10^56. More would overflow once brought to scale 36.
const WHOLE_DIGITS: usize = 56;

impl FromStr for Sum {
    type Err = SumError;

    fn from_str(text: &str) -> Result<Self, SumError> {
        let fail = || SumError {
            text: text.chars().take(128).collect(),
        };
        let size = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = size.split_once('.').unwrap_or((size, ""));
        let scale = u8::try_from(fraction.len()).map_err(|_| fail())?;
        if whole.is_empty() || whole.len() > WHOLE_DIGITS || scale > 36 || size.ends_with('.') {
            return Err(fail());
        }
        let digits = [whole.as_bytes(), fraction.as_bytes()].concat();
        let units = Wide::from_digits(&digits).ok_or_else(fail)?;
        let units = if size.len() == text.len() {
            units
        } else {
            units.negated()
        };
        Ok(Self { units, scale })
    }
}

/// `digits / 10^scale` as text without trailing zeros; a negative scale appends zeros.
fn plain(digits: &str, scale: i64) -> String {
    let Ok(scale) = usize::try_from(scale) else {
        let zeros = usize::try_from(scale.unsigned_abs()).expect("a scale is small");
        return format!("{digits}{}", "0".repeat(zeros));
    };
    if scale == 0 {
        return digits.to_owned();
    }
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    match fraction.trim_end_matches('0') {
        "" => whole.to_owned(),
        fraction => format!("{whole}.{fraction}"),
    }
}

/// How many significant digits a [`mean`] keeps.
const MEAN_DIGITS: usize = 18;

/// `total / weight` as text, to 18 significant digits, rounded half to even; nothing where the
/// weight is nought. With the sum of price times quantity and the sum of quantity this is the
/// volume-weighted average price.
#[must_use]
pub fn mean(total: &Sum, weight: &Sum) -> Option<String> {
    if weight.is_zero() {
        return None;
    }
    if total.is_zero() {
        return Some("0".to_owned());
    }
    let scale = total.scale.max(weight.scale);
    let negative = total.units.is_negative() != weight.units.is_negative();
    let (digits, exponent) = divide(total.at(scale).size(), weight.at(scale).size());
    let scale = i64::try_from(MEAN_DIGITS).expect("small") - 1 - exponent;
    let sign = if negative { "-" } else { "" };
    Some(format!("{sign}{}", plain(&digits, scale)))
}

/// The first digits of a quotient of two sizes, and the power of ten of the first.
fn divide(mut dividend: Wide, mut divisor: Wide) -> (String, i64) {
    let mut exponent = 0;
    while dividend < divisor {
        dividend = dividend.times_power_of_ten(1);
        exponent -= 1;
    }
    while divisor.times_power_of_ten(1) <= dividend {
        divisor = divisor.times_power_of_ten(1);
        exponent += 1;
    }
    let mut quotient = 0_u64;
    for _ in 0..MEAN_DIGITS {
        quotient *= 10;
        while dividend >= divisor {
            dividend = dividend.minus(divisor);
            quotient += 1;
        }
        dividend = dividend.times_power_of_ten(1);
    }
    // The dividend now is ten times the remainder: compare it with half of ten divisors.
    let mut half = divisor;
    for _ in 0..4 {
        half.add(divisor);
    }
    let up = match dividend.cmp(&half) {
        Ordering::Greater => true,
        Ordering::Equal => quotient % 2 == 1,
        Ordering::Less => false,
    };
    quotient += u64::from(up);
    if quotient == 10_u64.pow(18) {
        quotient /= 10;
        exponent += 1;
    }
    (quotient.to_string(), exponent)
}

#[cfg(test)]
mod tests;
