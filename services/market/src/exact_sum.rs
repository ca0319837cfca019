//! Exact sums.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::Decimal;
use crate::int320::Int320;

/// An exact sum of quantities, or of prices times quantities: `units / 10^scale`, with the units in
/// 320 bits and a scale of 0 to 36.
///
/// | operation | overflow | rounding |
/// |---|---|---|
/// | add | cannot, for up to 2^64 products of any two decimals | never |
/// | compare, print, parse | cannot | never |
/// | [`weighted_mean_text`] | cannot | half to even, at 18 significant digits |
#[derive(Debug, Clone, Copy, Default)]
pub struct ExactSum {
    units: Int320,
    scale: u8,
}

/// A text that is not an [`ExactSum`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a plain decimal number of at most 56 digits before the point and 36 after it"
)]
pub struct ExactSumError {
    text: String,
}

impl ExactSum {
    /// Adds `units / 10^scale`. The absolute value of the units must be below 10^38, and the scale
    /// at most 36.
    pub fn add_units(&mut self, units: i128, scale: u8) {
        if units == 0 {
            return;
        }
        let units = Int320::from_i128(units);
        self.add_scaled(units, scale);
    }

    /// Adds `units / 10^scale`, after bringing both numbers to the greater scale.
    fn add_scaled(&mut self, units: Int320, scale: u8) {
        match scale.cmp(&self.scale) {
            Ordering::Equal => self.units.add(units),
            Ordering::Less => {
                let shift = usize::from(self.scale - scale);
                self.units.add(units.multiplied_by_power_of_ten(shift));
            }
            Ordering::Greater => {
                self.units = self.units_at_scale(scale);
                self.scale = scale;
                self.units.add(units);
            }
        }
    }

    /// Adds a quantity.
    pub fn add(&mut self, value: Decimal) {
        self.add_units(i128::from(value.mantissa()), value.scale());
    }

    /// Adds the product of two decimals.
    pub fn add_product(&mut self, left: Decimal, right: Decimal) {
        let units = i128::from(left.mantissa()) * i128::from(right.mantissa());
        self.add_units(units, left.scale() + right.scale());
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        if !other.units.is_zero() {
            self.add_scaled(other.units, other.scale);
        }
    }

    /// Returns whether the sum is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.units.is_zero()
    }

    /// Returns the units that the sum has at a scale that is not less than its own.
    fn units_at_scale(&self, scale: u8) -> Int320 {
        self.units
            .multiplied_by_power_of_ten(usize::from(scale - self.scale))
    }
}

impl PartialEq for ExactSum {
    fn eq(&self, other: &Self) -> bool {
        let scale = self.scale.max(other.scale);
        self.units_at_scale(scale) == other.units_at_scale(scale)
    }
}

impl Eq for ExactSum {}

impl fmt::Display for ExactSum {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.units.is_negative() {
            out.write_str("-")?;
        }
        out.write_str(&format_scaled_trimmed(
            &self.units.magnitude_to_decimal_digits(),
            i64::from(self.scale),
        ))
    }
}

/// The greatest number of digits before the point that is parsed. 2^64 products of decimals are
/// below 10^56; a greater number would overflow at scale 36.
const MAX_WHOLE_DIGITS: usize = 56;

impl FromStr for ExactSum {
    type Err = ExactSumError;

    fn from_str(text: &str) -> Result<Self, ExactSumError> {
        let error = || ExactSumError {
            text: text.chars().take(128).collect(),
        };
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let scale = u8::try_from(fraction.len()).map_err(|_| error())?;
        if whole.is_empty()
            || whole.len() > MAX_WHOLE_DIGITS
            || scale > 36
            || unsigned.ends_with('.')
        {
            return Err(error());
        }
        let digits = [whole.as_bytes(), fraction.as_bytes()].concat();
        let units = Int320::from_decimal_digits(&digits).ok_or_else(error)?;
        let units = if unsigned.len() == text.len() {
            units
        } else {
            units.negated()
        };
        Ok(Self { units, scale })
    }
}

/// Formats `digits / 10^scale` without trailing zeros in the fraction; a negative scale appends
/// zeros.
fn format_scaled_trimmed(digits: &str, scale: i64) -> String {
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

/// The number of significant digits that [`weighted_mean_text`] returns.
const MEAN_DIGITS: usize = 18;

/// Returns `total / weight` as text with 18 significant digits, rounded half to even, or `None` if
/// the weight is zero. If `total` is the sum of price times quantity and `weight` the sum of
/// quantity, this is the volume-weighted average price.
#[must_use]
pub fn weighted_mean_text(total: &ExactSum, weight: &ExactSum) -> Option<String> {
    if weight.is_zero() {
        return None;
    }
    if total.is_zero() {
        return Some("0".to_owned());
    }
    let scale = total.scale.max(weight.scale);
    let negative = total.units.is_negative() != weight.units.is_negative();
    let (digits, exponent) = divide_to_scientific_notation(
        total.units_at_scale(scale).magnitude(),
        weight.units_at_scale(scale).magnitude(),
    );
    let scale = i64::try_from(MEAN_DIGITS).expect("small") - 1 - exponent;
    let sign = if negative { "-" } else { "" };
    Some(format!("{sign}{}", format_scaled_trimmed(&digits, scale)))
}

/// Divides two positive numbers. Returns the first [`MEAN_DIGITS`] digits of the quotient, rounded
/// half to even, and the power of ten of the first digit.
fn divide_to_scientific_notation(mut dividend: Int320, mut divisor: Int320) -> (String, i64) {
    let mut exponent = 0;
    while dividend < divisor {
        dividend = dividend.multiplied_by_power_of_ten(1);
        exponent -= 1;
    }
    while divisor.multiplied_by_power_of_ten(1) <= dividend {
        divisor = divisor.multiplied_by_power_of_ten(1);
        exponent += 1;
    }
    let mut quotient = 0_u64;
    for _ in 0..MEAN_DIGITS {
        quotient *= 10;
        while dividend >= divisor {
            dividend = dividend.minus(divisor);
            quotient += 1;
        }
        dividend = dividend.multiplied_by_power_of_ten(1);
    }
    // The dividend now is ten times the remainder: compare it with half of ten divisors.
    let mut half = divisor;
    for _ in 0..4 {
        half.add(divisor);
    }
    let rounds_up = match dividend.cmp(&half) {
        Ordering::Greater => true,
        Ordering::Equal => quotient % 2 == 1,
        Ordering::Less => false,
    };
    quotient += u64::from(rounds_up);
    if quotient == 10_u64.pow(18) {
        quotient /= 10;
        exponent += 1;
    }
    (quotient.to_string(), exponent)
}

#[cfg(test)]
mod tests;
