use num_bigint::BigInt;
use proptest::prelude::*;

use super::{Decimal, DecimalError, POWERS_OF_TEN};
use crate::strategies::{decimals, format_units, units_at_scale_36};

const MALFORMED: fn(usize) -> DecimalError = |position| DecimalError::Malformed { position };

/// Parses a text by another method: the outer option is `None` if the text is not
/// `-? digits (. digits)? ([eE] [+-]? digits)?`, the inner one if the number is not a decimal.
/// Returns the value times 10^18.
fn parse_independently(text: &str) -> Option<Option<BigInt>> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let size = text.strip_prefix('-').unwrap_or(text);
    let (number, exponent) = size.split_once(['e', 'E']).unwrap_or((size, "0"));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let plain = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if !(digits(whole) && digits(fraction) && digits(plain)) {
        return None;
    }
    let mut units: BigInt = format!("{whole}{fraction}").parse().unwrap();
    if units == BigInt::ZERO {
        return Some(Some(units));
    }
    let exponent: i64 = exponent.parse().unwrap_or(i64::MAX / 2);
    let power = exponent + 18 - i64::try_from(fraction.len()).unwrap();
    if power.abs() > 200 {
        return Some(None);
    }
    let power_of_ten = BigInt::from(10).pow(u32::try_from(power.abs()).unwrap());
    if power < 0 {
        if &units % &power_of_ten != BigInt::ZERO {
            return Some(None);
        }
        units /= power_of_ten;
    } else {
        units *= power_of_ten;
    }
    // The units are at scale 18; at the least scale the mantissa has to be below 10^18.
    let mut mantissa = units.clone();
    for _ in 0..18 {
        if &mantissa % 10 == BigInt::ZERO {
            mantissa /= 10;
        }
    }
    let sign = if size.len() == text.len() { 1 } else { -1 };
    Some((mantissa < BigInt::from(POWERS_OF_TEN[18])).then_some(units * sign))
}

fn assert_parses_alike(text: &str) -> Result<(), TestCaseError> {
    let found = Decimal::parse(text.as_bytes());
    match parse_independently(text) {
        None => prop_assert!(
            matches!(
                found,
                Err(DecimalError::Malformed { .. }
                    | DecimalError::Empty
                    | DecimalError::TooManyDigits)
            ),
            "{text:?} gave {found:?}"
        ),
        Some(None) => prop_assert_eq!(found, Err(DecimalError::TooManyDigits), "{}", text),
        Some(Some(units)) => {
            let found = found.map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
            prop_assert_eq!(
                units_at_scale_36(found),
                units * BigInt::from(10).pow(18),
                "{}",
                text
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_formatted_decimal_parses_as_the_same_value(value in decimals()) {
        let text = value.to_string();
        prop_assert_eq!(text.parse(), Ok(value));
        prop_assert_eq!(text, format_units(&units_at_scale_36(value), 36));
    }

    #[test]
    fn no_bytes_cause_a_panic(bytes in any::<Vec<u8>>()) {
        if let Ok(value) = Decimal::parse(&bytes) {
            prop_assert_eq!(value.to_string().parse(), Ok(value));
        }
    }

    #[test]
    fn only_the_grammar_is_accepted(text in "[-+0-9.eEx]{0,24}") {
        assert_parses_alike(&text)?;
    }

    #[test]
    fn numbers_are_parsed_exactly(
        text in "-?[0-9]{1,22}(\\.[0-9]{1,22})?",
        zeros in "0{0,25}",
        exponent in "([eE][+-]?[0-9]{1,3})?",
    ) {
        assert_parses_alike(&format!("{text}{exponent}"))?;
        assert_parses_alike(&format!("{text}{zeros}{exponent}"))?;
        assert_parses_alike(&format!("0.{zeros}{}{exponent}", text.replace(['-', '.'], "")))?;
    }

    #[test]
    fn equal_values_have_equal_parts(value in decimals(), zeros in 0_u8..18) {
        let raised = value.scale().saturating_add(zeros);
        if let Some(mantissa) = value.mantissa_at_scale(raised)
            && let Ok(again) = Decimal::new(mantissa, raised)
        {
            prop_assert_eq!((again.mantissa(), again.scale()), (value.mantissa(), value.scale()));
        }
    }

    #[test]
    fn decimals_compare_as_exact_numbers(left in decimals(), right in decimals()) {
        prop_assert_eq!(left.cmp(&right), units_at_scale_36(left).cmp(&units_at_scale_36(right)));
        prop_assert_eq!(left == right, units_at_scale_36(left) == units_at_scale_36(right));
    }
}

#[test]
fn up_to_18_digits_are_accepted() {
    let cases = [
        ("0", "0"),
        ("-0", "0"),
        ("-0.000", "0"),
        ("0e400", "0"),
        ("0e99999999999999999999", "0"),
        ("1e-18", "0.000000000000000001"),
        ("5E+3", "5000"),
        ("1e17", "100000000000000000"),
        ("12.5e-1", "1.25"),
        ("0012.500", "12.5"),
        ("999999999999999999", "999999999999999999"),
        ("-0.999999999999999999", "-0.999999999999999999"),
        ("1.000000000000000000000000000000", "1"),
        ("1000000000000000000000e-21", "1"),
        ("1e0000000000000000000000003", "1000"),
    ];
    for (text, expected) in cases {
        let value: Decimal = text
            .parse()
            .unwrap_or_else(|error| panic!("{text} {error}"));
        assert_eq!(value.to_string(), expected, "{text}");
    }
}

#[test]
fn errors_name_the_reason_and_the_position() {
    let too_many = DecimalError::TooManyDigits;
    let cases = [
        ("", DecimalError::Empty),
        ("-", DecimalError::Empty),
        ("+1", MALFORMED(0)),
        (" 1", MALFORMED(0)),
        (".5", MALFORMED(0)),
        ("-.5", MALFORMED(1)),
        ("5.", MALFORMED(2)),
        ("5.e3", MALFORMED(2)),
        ("1.2.3", MALFORMED(3)),
        ("1,5", MALFORMED(1)),
        ("1e", MALFORMED(2)),
        ("1e+", MALFORMED(3)),
        ("1e+-5", MALFORMED(3)),
        ("1e5x", MALFORMED(3)),
        ("NaN", MALFORMED(0)),
        ("inf", MALFORMED(0)),
        ("0x10", MALFORMED(1)),
        ("１", MALFORMED(0)),
        ("1e400", too_many),
        ("1e-19", too_many),
        ("1e18", too_many),
        ("1e-99999999999999999999", too_many),
        ("1000000000000000000", too_many),
        ("0.1234567890123456789", too_many),
        ("1.0000000000000000001", too_many),
        ("99999999999999999999999999999999999999999", too_many),
    ];
    for (text, expected) in cases {
        assert_eq!(text.parse::<Decimal>(), Err(expected), "{text}");
    }
    assert_eq!(Decimal::new(1, 19), Err(too_many));
    assert_eq!(Decimal::new(POWERS_OF_TEN[18], 0), Err(too_many));
    assert_eq!(Decimal::new(POWERS_OF_TEN[18] + 1, 18), Err(too_many));
    assert_eq!(Decimal::new(POWERS_OF_TEN[18], 18), Decimal::new(1, 0));
    assert_eq!(Decimal::new(i64::MAX, 18), Err(too_many));
    assert_eq!(Decimal::new(i64::MIN, 0), Err(too_many));
}

#[test]
fn a_mantissa_is_returned_at_greater_scales_that_fit() {
    let value: Decimal = "-1.5".parse().unwrap();
    assert_eq!(value.mantissa_at_scale(0), None);
    assert_eq!(value.mantissa_at_scale(3), Some(-1_500));
    assert_eq!(
        value.mantissa_at_scale(18),
        Some(-1_500_000_000_000_000_000)
    );
    assert_eq!(value.mantissa_at_scale(19), None);
    assert_eq!(value.mantissa_at_scale(255), None);
    assert_eq!(Decimal::ZERO.mantissa_at_scale(18), Some(0));
}
