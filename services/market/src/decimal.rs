//! Prices and quantities.

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

/// A price or a quantity: `mantissa / 10^scale`, with the mantissa below 10^18 in size and a
/// scale of 0 to 18. Always held with the least scale, so equal values are equal bit for bit
/// and print as the same text.
///
/// | operation | overflow | rounding |
/// |---|---|---|
/// | parse, [`Decimal::new`] | an error | never: too many digits are an error |
/// | compare | cannot (128 bits) | never |
/// | product, into a [`crate::Sum`] | cannot (below 10^36) | never |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Decimal {
    mantissa: i64,
    scale: u8,
}

/// Why a text or a pair of integers is not a [`Decimal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// There is nothing to read.
    #[error("is empty; a decimal number such as 1.25 is expected")]
    Empty,
    /// A character that no number has.
    #[error("is not a decimal number: unexpected character at position {position}")]
    Malformed {
        /// Counted in bytes from 0.
        position: usize,
    },
    /// More digits than a decimal can hold.
    #[error("has too many digits: at most 18 digits, of which at most 18 after the point")]
    TooManyDigits,
}

impl Decimal {
    /// Nought.
    pub const ZERO: Self = Self {
        mantissa: 0,
        scale: 0,
    };

    /// `mantissa / 10^scale`.
    ///
    /// # Errors
    /// [`DecimalError::TooManyDigits`] where the mantissa, less the zeros that the scale does
    /// not need, is not below 10^18 in size, or the scale is above 18.
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

    /// Reads plain or scientific notation, such as `-0.5`, `12`, `1e-7`.
    ///
    /// # Errors
    /// [`DecimalError`], which says where the text stops being a number.
    pub fn parse(text: &[u8]) -> Result<Self, DecimalError> {
        let negative = text.first() == Some(&b'-');
        let start = usize::from(negative);
        if text.len() == start {
            return Err(DecimalError::Empty);
        }
        let digits = Digits::read(text, start)?;
        let exponent = match digits.end {
            end if end == text.len() => 0,
            end => parse_exponent(text, end)?,
        };
        digits.value(negative, exponent)
    }

    /// The value times 10^[`scale`](Self::scale), a whole number.
    #[must_use]
    pub const fn mantissa(self) -> i64 {
        self.mantissa
    }

    /// How many digits stand after the point.
    #[must_use]
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// Whether it is below nought.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.mantissa < 0
    }

    /// Whether it is nought.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// The mantissa at a greater scale, where that fits 64 bits.
    #[must_use]
    pub fn mantissa_at(self, scale: u8) -> Option<i64> {
        let shift = scale.checked_sub(self.scale)?;
        self.mantissa
            .checked_mul(*POWERS_OF_TEN.get(usize::from(shift))?)
    }
}

/// The digits of a number, read as far as they go.
struct Digits {
    /// Without the zeros that follow the last other digit.
    mantissa: u64,
    /// How many such zeros there are.
    zeros: i64,
    /// How many digits stand after the point.
    fraction: i64,
    /// Where reading stopped.
    end: usize,
}

impl Digits {
    fn read(text: &[u8], start: usize) -> Result<Self, DecimalError> {
        let mut digits = Self {
            mantissa: 0,
            zeros: 0,
            fraction: 0,
            end: start,
        };
        let (mut point, mut seen) = (false, false);
        while let Some(&byte) = text.get(digits.end) {
            match byte {
                b'0'..=b'9' => {
                    digits.push(byte - b'0')?;
                    digits.fraction += i64::from(point);
                    seen = true;
                }
                b'.' if !point && seen => point = true,
                _ => break,
            }
            digits.end += 1;
        }
        let ends_in_point = digits.end > start && text[digits.end - 1] == b'.';
        if !seen || ends_in_point {
            return Err(DecimalError::Malformed {
                position: digits.end,
            });
        }
        Ok(digits)
    }

    fn push(&mut self, digit: u8) -> Result<(), DecimalError> {
        if digit == 0 {
            self.zeros += i64::from(self.mantissa != 0);
            return Ok(());
        }
        let shift = usize::try_from(self.zeros + 1).map_err(|_| DecimalError::TooManyDigits)?;
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
        self.zeros = 0;
        Ok(())
    }

    fn value(&self, negative: bool, exponent: i64) -> Result<Decimal, DecimalError> {
        if self.mantissa == 0 {
            return Ok(Decimal::ZERO);
        }
        let power = self.zeros + exponent - self.fraction;
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

/// No text is long enough to make up for an exponent beyond this.
const EXPONENT_LIMIT: i64 = 1_000_000_000_000;

fn parse_exponent(text: &[u8], end: usize) -> Result<i64, DecimalError> {
    if !matches!(text[end], b'e' | b'E') {
        return Err(DecimalError::Malformed { position: end });
    }
    let sign = text.get(end + 1);
    let signed = matches!(sign, Some(b'+' | b'-'));
    let first = end + 1 + usize::from(signed);
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
