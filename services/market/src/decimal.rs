//! Decimals: prices and quantities.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// 10^0 to 10^18, by exponent.
pub const POWERS_OF_TEN: [i64; 19] = {
    let mut powers = [1_i64; 19];
    let mut exponent = 1;
    while exponent < powers.len() {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

/// A price or a quantity: `mantissa / 10^scale`. The absolute value of the mantissa is below 10^18,
/// and the scale is 0 to 18. The scale is always the least possible, so equal values have equal
/// bits and print as the same text.
///
/// | operation | overflow | rounding |
/// |---|---|---|
/// | parse, [`Decimal::new`] | an error | never: too many digits are an error |
/// | compare | cannot (128 bits) | never |
/// | product, into a [`crate::ExactSum`] | cannot (below 10^36) | never |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Decimal {
    mantissa: i64,
    scale: u8,
}

/// Why a text, or a mantissa and scale, is not a [`Decimal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// The text has no digits.
    #[error("is empty; a decimal number such as 1.25 is expected")]
    Empty,
    /// The text has a character that no number has at that position.
    #[error("is not a decimal number: unexpected character at position {position}")]
    Malformed {
        /// The position of the character, counted in bytes from 0.
        position: usize,
    },
    /// The number has more digits than a decimal can hold.
    #[error("has too many digits: at most 18 digits, of which at most 18 after the point")]
    TooManyDigits,
}

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self {
        mantissa: 0,
        scale: 0,
    };

    /// Returns `mantissa / 10^scale`.
    ///
    /// # Errors
    /// [`DecimalError::TooManyDigits`] if the scale is above 18, or if the absolute value of the
    /// mantissa is 10^18 or more after trailing zeros of the fraction are removed.
    pub fn new(mantissa: i64, scale: u8) -> Result<Self, DecimalError> {
        let mut value = Self { mantissa, scale };
        while value.scale > 0 && value.mantissa % 10 == 0 {
            value.mantissa /= 10;
            value.scale -= 1;
        }
        let fits = value.mantissa.unsigned_abs() < POWERS_OF_TEN[18].unsigned_abs();
        if fits && scale <= 18 {
            return Ok(value);
        }
        Err(DecimalError::TooManyDigits)
    }

    /// Parses plain or scientific notation, such as `-0.5`, `12`, `1e-7`.
    ///
    /// # Errors
    /// [`DecimalError`] if the text is not a number or has too many digits.
    pub fn parse(text: &[u8]) -> Result<Self, DecimalError> {
        let negative = text.first() == Some(&b'-');
        let start = usize::from(negative);
        if text.len() == start {
            return Err(DecimalError::Empty);
        }
        let digits = ParsedDigits::parse(text, start)?;
        let exponent = match digits.end {
            end if end == text.len() => 0,
            end => parse_exponent(text, end)?,
        };
        digits.to_decimal(negative, exponent)
    }

    /// Returns the value times 10^[`scale`](Self::scale), a whole number.
    #[must_use]
    pub const fn mantissa(self) -> i64 {
        self.mantissa
    }

    /// Returns the number of digits after the decimal point.
    #[must_use]
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// Returns whether the value is below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.mantissa < 0
    }

    /// Returns whether the value is zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// Returns the mantissa that the value has at a greater scale, or `None` if it does not fit 64
    /// bits, or if `scale` is less than the own scale.
    #[must_use]
    pub fn mantissa_at_scale(self, scale: u8) -> Option<i64> {
        let shift = scale.checked_sub(self.scale)?;
        self.mantissa
            .checked_mul(*POWERS_OF_TEN.get(usize::from(shift))?)
    }
}

/// The digits at the start of a number, up to its exponent or its end.
struct ParsedDigits {
    /// The digits as a whole number, without trailing zeros.
    mantissa: u64,
    /// The number of trailing zeros that `mantissa` leaves out.
    trailing_zeros: i64,
    /// The number of digits after the decimal point, trailing zeros included.
    fraction_digits: i64,
    /// The position after the last digit.
    end: usize,
}

impl ParsedDigits {
    fn parse(text: &[u8], start: usize) -> Result<Self, DecimalError> {
        let mut digits = Self {
            mantissa: 0,
            trailing_zeros: 0,
            fraction_digits: 0,
            end: start,
        };
        let (mut has_point, mut has_digits) = (false, false);
        while let Some(&byte) = text.get(digits.end) {
            match byte {
                b'0'..=b'9' => {
                    digits.push_digit(byte - b'0')?;
                    digits.fraction_digits += i64::from(has_point);
                    has_digits = true;
                }
                b'.' if !has_point && has_digits => has_point = true,
                _ => break,
            }
            digits.end += 1;
        }
        let ends_in_point = digits.end > start && text[digits.end - 1] == b'.';
        if !has_digits || ends_in_point {
            return Err(DecimalError::Malformed {
                position: digits.end,
            });
        }
        Ok(digits)
    }

    fn push_digit(&mut self, digit: u8) -> Result<(), DecimalError> {
        if digit == 0 {
            self.trailing_zeros += i64::from(self.mantissa != 0);
            return Ok(());
        }
        let shift =
            usize::try_from(self.trailing_zeros + 1).map_err(|_| DecimalError::TooManyDigits)?;
        let power = POWERS_OF_TEN
            .get(shift)
            .ok_or(DecimalError::TooManyDigits)?
            .unsigned_abs();
        self.mantissa = self
            .mantissa
            .checked_mul(power)
            .and_then(|shifted| shifted.checked_add(u64::from(digit)))
            .filter(|mantissa| *mantissa < POWERS_OF_TEN[18].unsigned_abs())
            .ok_or(DecimalError::TooManyDigits)?;
        self.trailing_zeros = 0;
        Ok(())
    }

    fn to_decimal(&self, negative: bool, exponent: i64) -> Result<Decimal, DecimalError> {
        if self.mantissa == 0 {
            return Ok(Decimal::ZERO);
        }
        let power = self.trailing_zeros + exponent - self.fraction_digits;
        let mantissa = i64::try_from(self.mantissa).map_err(|_| DecimalError::TooManyDigits)?;
        let mantissa = if negative { -mantissa } else { mantissa };
        let shift =
            usize::try_from(power.unsigned_abs()).map_err(|_| DecimalError::TooManyDigits)?;
        if shift > 18 {
            return Err(DecimalError::TooManyDigits);
        }
        if power <= 0 {
            let scale = u8::try_from(shift).map_err(|_| DecimalError::TooManyDigits)?;
            return Decimal::new(mantissa, scale);
        }
        let shifted = mantissa
            .checked_mul(POWERS_OF_TEN[shift])
            .ok_or(DecimalError::TooManyDigits)?;
        Decimal::new(shifted, 0)
    }
}

/// Greater exponents are reduced to this. No text has enough digits to make up for it, so the
/// result is an error either way.
const EXPONENT_LIMIT: i64 = 1_000_000_000_000;

fn parse_exponent(text: &[u8], start: usize) -> Result<i64, DecimalError> {
    if !matches!(text[start], b'e' | b'E') {
        return Err(DecimalError::Malformed { position: start });
    }
    let sign = text.get(start + 1);
    let signed = matches!(sign, Some(b'+' | b'-'));
    let first = start + 1 + usize::from(signed);
    if first == text.len() {
        return Err(DecimalError::Malformed { position: first });
    }
    let mut exponent = 0_i64;
    for (position, byte) in text.iter().enumerate().skip(first) {
        if !byte.is_ascii_digit() {
            return Err(DecimalError::Malformed { position });
        }
        exponent = (exponent * 10 + i64::from(byte - b'0')).min(EXPONENT_LIMIT);
    }
    Ok(if sign == Some(&b'-') {
        -exponent
    } else {
        exponent
    })
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.scale == other.scale {
            return self.mantissa.cmp(&other.mantissa);
        }
        let scale = self.scale.max(other.scale);
        let wide = |value: &Self| {
            i128::from(value.mantissa) * i128::from(POWERS_OF_TEN[usize::from(scale - value.scale)])
        };
        wide(self).cmp(&wide(other))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        Self::parse(text.as_bytes())
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.mantissa < 0 {
            out.write_str("-")?;
        }
        let size = self.mantissa.unsigned_abs();
        let power = POWERS_OF_TEN[usize::from(self.scale)].unsigned_abs();
        write!(out, "{}", size / power)?;
        if self.scale > 0 {
            let width = usize::from(self.scale);
            write!(out, ".{:0width$}", size % power)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
