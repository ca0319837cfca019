//! A 320-bit signed integer with the few operations that exact sums need.
//!
//! One product of two decimals, at scale 36, has an absolute value below 10^72. 2^64 of them are
//! below 10^92, and 2^319 is above 10^96, so no number of trades can overflow the integer.

use std::cmp::Ordering;

const LIMBS: usize = 5;
/// The greatest power of ten that fits a limb.
const GREATEST_POWER_OF_TEN: u64 = 10_000_000_000_000_000_000;
/// The number of zeros of [`GREATEST_POWER_OF_TEN`].
const DIGITS_PER_LIMB: usize = 19;

/// A 320-bit signed integer: two's complement, least significant limb first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Int320([u64; LIMBS]);

impl Int320 {
    pub(crate) const ZERO: Self = Self([0; LIMBS]);

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "splits limbs"
    )]
    pub(crate) const fn from_i128(value: i128) -> Self {
        let sign = (value >> 127) as u64;
        Self([value as u64, (value >> 64) as u64, sign, sign, sign])
    }

    pub(crate) fn add(&mut self, other: Self) {
        let mut carry = false;
        for (limb, addend) in self.0.iter_mut().zip(other.0) {
            let (sum, first) = limb.overflowing_add(addend);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            *limb = sum;
            carry = first | second;
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "splits a product into limbs"
    )]
    fn multiply_by(&mut self, factor: u64) {
        let mut carry = 0_u128;
        for limb in &mut self.0 {
            let product = u128::from(*limb) * u128::from(factor) + carry;
            *limb = product as u64;
            carry = product >> 64;
        }
    }

    pub(crate) fn multiplied_by_power_of_ten(mut self, mut exponent: usize) -> Self {
        while exponent > 0 {
            let step = exponent.min(DIGITS_PER_LIMB);
            self.multiply_by(10_u64.pow(u32::try_from(step).expect("a step is at most 19")));
            exponent -= step;
        }
        self
    }

    pub(crate) const fn is_negative(self) -> bool {
        self.0[LIMBS - 1] >> 63 == 1
    }

    pub(crate) fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    pub(crate) fn negated(self) -> Self {
        let mut inverse = Self(self.0.map(|limb| !limb));
        inverse.add(Self::from_i128(1));
        inverse
    }

    /// Returns the absolute value.
    pub(crate) fn magnitude(self) -> Self {
        if self.is_negative() {
            self.negated()
        } else {
            self
        }
    }

    pub(crate) fn minus(mut self, other: Self) -> Self {
        self.add(other.negated());
        self
    }

    /// Divides a number that is not negative, and returns the remainder.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a remainder is below its divisor"
    )]
    fn divide_by_and_return_remainder(&mut self, divisor: u64) -> u64 {
        let mut remainder = 0_u128;
        for limb in self.0.iter_mut().rev() {
            let dividend = (remainder << 64) | u128::from(*limb);
            *limb = (dividend / u128::from(divisor)) as u64;
            remainder = dividend % u128::from(divisor);
        }
        remainder as u64
    }

    /// Returns the decimal digits of the absolute value, without leading zeros; "0" for zero.
    pub(crate) fn magnitude_to_decimal_digits(self) -> String {
        let mut remaining = self.magnitude();
        let mut chunks = Vec::new();
        while !remaining.is_zero() {
            chunks.push(remaining.divide_by_and_return_remainder(GREATEST_POWER_OF_TEN));
        }
        let mut text = chunks.pop().unwrap_or(0).to_string();
        for chunk in chunks.iter().rev() {
            text.push_str(&format!("{chunk:019}"));
        }
        text
    }

    /// Parses at most 96 decimal digits, or `None` if there are more, or other characters.
    pub(crate) fn from_decimal_digits(digits: &[u8]) -> Option<Self> {
        let mut value = Self::ZERO;
        if digits.len() > 96 {
            return None;
        }
        for digit in digits {
            if !digit.is_ascii_digit() {
                return None;
            }
            value.multiply_by(10);
            value.add(Self::from_i128(i128::from(digit - b'0')));
        }
        (!value.is_negative()).then_some(value)
    }
}

impl Ord for Int320 {
    fn cmp(&self, other: &Self) -> Ordering {
        let is_positive = |value: &Self| !value.is_negative();
        is_positive(self)
            .cmp(&is_positive(other))
            .then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}

impl PartialOrd for Int320 {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
