use num_bigint::BigInt;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{ExactSum, weighted_mean_text};
use crate::Decimal;
use crate::strategies::{decimals, format_units, units_at_scale_36};

/// One operation on a sum.
#[derive(Debug, Clone)]
enum Operation {
    Add(Decimal),
    AddProduct(Decimal, Decimal),
    Merge(Vec<(Decimal, Decimal)>),
    Double,
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let step = prop_oneof![
        4 => decimals().prop_map(Operation::Add),
        4 => (decimals(), decimals()).prop_map(|(left, right)| Operation::AddProduct(left, right)),
        1 => vec((decimals(), decimals()), 0..4).prop_map(Operation::Merge),
        1 => Just(Operation::Double),
    ];
    vec(step, 0..40)
}

fn product_at_36(left: Decimal, right: Decimal) -> BigInt {
    units_at_scale_36(left) * units_at_scale_36(right) / BigInt::from(10).pow(36)
}

/// Applies operations. Returns the sum, and the same number computed in units of 10^-36.
fn apply(steps: &[Operation]) -> (ExactSum, BigInt) {
    let (mut sum, mut expected) = (ExactSum::default(), BigInt::ZERO);
    for step in steps {
        match step {
            Operation::Add(value) => {
                sum.add(*value);
                expected += units_at_scale_36(*value);
            }
            Operation::AddProduct(left, right) => {
                sum.add_product(*left, *right);
                expected += product_at_36(*left, *right);
            }
            Operation::Merge(products) => {
                let mut other = ExactSum::default();
                for (left, right) in products {
                    other.add_product(*left, *right);
                    expected += product_at_36(*left, *right);
                }
                sum.merge(&other);
            }
            Operation::Double => {
                let copy = sum;
                sum.merge(&copy);
                expected *= 2;
            }
        }
    }
    (sum, expected)
}

/// Returns `total / weight` with 18 significant digits, rounded half to even, by other arithmetic.
fn exact_mean(total: &BigInt, weight: &BigInt) -> String {
    let digits = |value: &BigInt| i32::try_from(value.magnitude().to_string().len()).unwrap();
    let ten = |power: i32| BigInt::from(10).pow(u32::try_from(power.max(0)).unwrap());
    // A scale at which the quotient has 18 or 19 whole digits, then exactly 18.
    let mut scale = 18 - (digits(total) - digits(weight));
    let scaled = |scale: i32| {
        let numerator = BigInt::from(total.magnitude().clone()) * ten(scale);
        let denominator = BigInt::from(weight.magnitude().clone()) * ten(-scale);
        (numerator, denominator)
    };
    let (numerator, denominator) = scaled(scale);
    if numerator / denominator >= ten(18) {
        scale -= 1;
    }
    let (numerator, denominator) = scaled(scale);
    let mut quotient = &numerator / &denominator;
    let twice = (numerator % &denominator) * 2;
    if twice > denominator || (twice == denominator && &quotient % 2 == BigInt::from(1)) {
        quotient += 1;
    }
    if (total < &BigInt::ZERO) != (weight < &BigInt::ZERO) {
        quotient = -quotient;
    }
    format_units(
        &(quotient * ten(-scale)),
        usize::try_from(scale.max(0)).unwrap(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn sums_are_exact(steps in operations()) {
        let (sum, expected) = apply(&steps);
        prop_assert_eq!(sum.to_string(), format_units(&expected, 36));
        prop_assert_eq!(sum.is_zero(), expected == BigInt::ZERO);
    }

    #[test]
    fn a_formatted_sum_parses_as_the_same_value(steps in operations()) {
        let (sum, _) = apply(&steps);
        let again: ExactSum = sum.to_string().parse().unwrap();
        prop_assert_eq!(again, sum);
        prop_assert_eq!(again.to_string(), sum.to_string());
    }

    #[test]
    fn equality_depends_only_on_the_value(steps in operations(), other in operations()) {
        let ((sum, expected), (other, other_expected)) = (apply(&steps), apply(&other));
        prop_assert_eq!(sum == other, expected == other_expected);
        // Brings the sum to the greatest scale, and then back to its value.
        let mut raised = sum;
        let least = Decimal::new(1, 18).unwrap();
        raised.add_product(least, least);
        prop_assert_ne!(raised, sum);
        raised.add_product(least, Decimal::new(-1, 18).unwrap());
        prop_assert_eq!(raised, sum);
    }

    #[test]
    fn means_have_18_digits_rounded_half_to_even(total in operations(), weight in operations()) {
        let ((total, exact_total), (weight, exact_weight)) = (apply(&total), apply(&weight));
        let expected = (exact_weight != BigInt::ZERO)
            .then(|| exact_mean(&exact_total, &exact_weight));
        prop_assert_eq!(weighted_mean_text(&total, &weight), expected);
    }

    #[test]
    fn no_text_causes_a_panic(text in prop_oneof![any::<String>(), "-?[0-9.-]{0,99}", "-?0{0,40}[0-9]{0,70}\\.[0-9]{0,40}"]) {
        if let Ok(sum) = text.parse::<ExactSum>() {
            prop_assert_eq!(sum.to_string().parse::<ExactSum>().unwrap(), sum);
        }
    }
}

#[test]
fn two_to_the_64_of_the_greatest_products_do_not_overflow() {
    let greatest = Decimal::new(999_999_999_999_999_999, 0).unwrap();
    let least = Decimal::new(1, 18).unwrap();
    for sign in [1, -1] {
        let left = Decimal::new(greatest.mantissa() * sign, 0).unwrap();
        let (mut sum, mut expected) = (ExactSum::default(), BigInt::ZERO);
        for (left, right) in [(left, greatest), (least, least)] {
            sum.add_product(left, right);
            expected += product_at_36(left, right);
        }
        for _ in 0..64 {
            let copy = sum;
            sum.merge(&copy);
            expected *= 2;
            assert_eq!(sum.to_string(), format_units(&expected, 36));
        }
        assert_eq!(sum.to_string().parse::<ExactSum>().unwrap(), sum);
        // The greatest over the least, and the least over the greatest.
        let mut tiny = ExactSum::default();
        tiny.add_product(least, least);
        assert_eq!(
            weighted_mean_text(&sum, &tiny).unwrap(),
            exact_mean(&expected, &BigInt::from(1))
        );
        assert_eq!(
            weighted_mean_text(&tiny, &sum).unwrap(),
            exact_mean(&BigInt::from(1), &expected)
        );
    }
}

#[test]
fn the_greatest_sum_fits_the_arithmetic_of_a_mean() {
    // 2^64 products below 10^36, at scale 36; the mean needs ten times that; 320 bits, signed.
    let greatest = (BigInt::from(1) << 64) * BigInt::from(10).pow(72);
    assert!(greatest * 10 < (BigInt::from(1) << 319));
    // The same holds for the greatest sum that a text can give.
    assert!(BigInt::from(10).pow(56 + 36 + 1) < (BigInt::from(1) << 319));
}

#[test]
fn the_longest_text_can_be_compared_and_divided() {
    let nines = "9".repeat(56);
    let greatest: ExactSum = nines.parse().unwrap();
    let tiny: ExactSum = format!("0.{}1", "0".repeat(35)).parse().unwrap();
    assert_ne!(greatest, tiny);
    assert_eq!(
        weighted_mean_text(&greatest, &tiny).unwrap(),
        format!("1{}", "0".repeat(92))
    );
    assert!(format!("9{nines}").parse::<ExactSum>().is_err());
    assert!(
        format!("0.{}1", "0".repeat(36))
            .parse::<ExactSum>()
            .is_err()
    );
}

#[test]
fn halves_round_to_even() {
    let mean = |total: &str, weight: &str| {
        weighted_mean_text(&total.parse().unwrap(), &weight.parse().unwrap()).unwrap()
    };
    assert_eq!(mean("1", "3"), "0.333333333333333333");
    assert_eq!(mean("2", "3"), "0.666666666666666667");
    assert_eq!(mean("-2", "3"), "-0.666666666666666667");
    assert_eq!(mean("100000000000000000.5", "1"), "100000000000000000");
    assert_eq!(mean("100000000000000001.5", "1"), "100000000000000002");
    assert_eq!(
        mean("100000000000000000.5000001", "1"),
        "100000000000000001"
    );
    assert_eq!(mean("999999999999999999.5", "1"), "1000000000000000000");
    assert_eq!(mean("0", "-7"), "0");
    assert_eq!(mean("6", "2"), "3");
}

#[test]
fn other_texts_than_plain_numbers_are_refused() {
    for text in [
        "", "-", ".", ".5", "5.", "+1", "--1", "1e3", "1.2.3", "1 ", "１", "1._",
    ] {
        assert!(text.parse::<ExactSum>().is_err(), "{text}");
    }
    assert_eq!("-0.00".parse::<ExactSum>().unwrap().to_string(), "0");
    assert_eq!("007.50".parse::<ExactSum>().unwrap().to_string(), "7.5");
}
