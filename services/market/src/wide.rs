//! A 320-bit signed integer with the few operations that sums need.
//!
//! One product of two decimals, at scale 36, is below 10^72 in size; 2^64 of them are below
//! 10^92, and 2^319 is above 10^96. So no count of trades can overflow it.

use std::cmp::Ordering;

const LIMBS: usize = 5;
/// The greatest power of ten that a limb holds.
const CHUNK: u64 = 10_000_000_000_000_000_000;
const CHUNK_DIGITS: usize = 19;

/// Two's complement, least limb first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Wide([u64; LIMBS]);

impl Wide {
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
    fn times(&mut self, factor: u64) {
        let mut carry = 0_u128;
        for limb in &mut self.0 {
            let product = u128::from(*limb) * u128::from(factor) + carry;
            *limb = product as u64;
            carry = product >> 64;
        }
    }

    pub(crate) fn times_power_of_ten(mut self, mut exponent: usize) -> Self {
        while exponent > 0 {
            let step = exponent.min(CHUNK_DIGITS);
            self.times(10_u64.pow(u32::try_from(step).expect("a step is at most 19")));
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

    pub(crate) fn size(self) -> Self {
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

    /// Divides a size (not a negative number), and answers the remainder.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a remainder is below its divisor"
    )]
    fn divide(&mut self, divisor: u64) -> u64 {
        let mut remainder = 0_u128;
        for limb in self.0.iter_mut().rev() {
            let dividend = (remainder << 64) | u128::from(*limb);
            *limb = (dividend / u128::from(divisor)) as u64;
            remainder = dividend % u128::from(divisor);
        }
        remainder as u64
    }

    /// The decimal digits of its size, without leading zeros; "0" for nought.
    pub(crate) fn digits(self) -> String {
        let mut rest = self.size();
        let mut chunks = Vec::new();
        while !rest.is_zero() {
            chunks.push(rest.divide(CHUNK));
        }
        let mut text = chunks.pop().unwrap_or(0).to_string();
        for chunk in chunks.iter().rev() {
            text.push_str(&format!("{chunk:019}"));
        }
        text
    }

    /// Reads at most 96 decimal digits.
    pub(crate) fn from_digits(digits: &[u8]) -> Option<Self> {
        let mut value = Self::ZERO;
        if digits.len() > 96 {
            return None;
        }
        for digit in digits {
            if !digit.is_ascii_digit() {
                return None;
            }
            value.times(10);
            value.add(Self::from_i128(i128::from(digit - b'0')));
        }
        (!value.is_negative()).then_some(value)
    }
}

impl Ord for Wide {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |value: &Self| !value.is_negative();
        sign(self)
            .cmp(&sign(other))
            .then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}

impl PartialOrd for Wide {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
