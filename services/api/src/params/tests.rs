use proptest::prelude::*;

use super::*;

fn read(query: &str) -> Result<QueryParams, Problem> {
    let uri: Uri = format!("/list?{query}").parse().unwrap();
    QueryParams::read(&uri, &["start", "end", "limit"])
}

#[test]
fn unknown_and_repeated_parameters_are_problems() {
    let unknown = read("interval=1m").err().unwrap();
    assert_eq!(unknown.code(), ErrorCode::UnknownParameter);
    let repeated = read("limit=1&limit=2").err().unwrap();
    assert_eq!(repeated.code(), ErrorCode::InvalidParameter);
}

#[test]
fn limits_have_bounds() {
    assert_eq!(read("").unwrap().limit().unwrap(), 500);
    assert_eq!(read("limit=10000").unwrap().limit().unwrap(), 10_000);
    assert_eq!(read("limit=05").unwrap().limit().unwrap(), 5);
    for bad in [
        "0",
        "10001",
        "-1",
        "+5",
        "%2B5",
        "%205",
        "1.0",
        "",
        "99999999999999999999",
    ] {
        assert!(
            read(&format!("limit={bad}")).unwrap().limit().is_err(),
            "{bad}"
        );
    }
}

#[test]
fn broken_percent_encoding_is_a_problem_that_shows_it() {
    for (query, shown) in [
        ("start=%zz", "%zz"),
        ("start=1%", "% "),
        ("start=%4", "%4 "),
        ("st%art=1", "%ar"),
        ("start=%C3%A9%-1", "%-1"),
    ] {
        let problem = read(query).err().unwrap();
        assert_eq!(problem.code(), ErrorCode::InvalidParameter);
        let detail = problem.into_json().detail;
        assert!(detail.starts_with(shown), "{detail}");
    }
    assert_eq!(read("%6cimit=%31").unwrap().limit().unwrap(), 1);
}

#[test]
fn a_range_does_not_end_before_it_starts() {
    assert!(read("start=2&end=1").unwrap().start_and_end().is_err());
    assert_eq!(
        read("start=2&end=2").unwrap().start_and_end().unwrap(),
        (Some(2), Some(2))
    );
}

#[test]
fn an_integer_in_another_unit_is_a_problem_that_names_the_unit() {
    for (time, unit) in [
        ("1709251200", "seconds"),
        ("1709251200000", "milliseconds"),
        ("1709251200000000", "microseconds"),
    ] {
        for name in ["start", "end"] {
            let problem = read(&format!("{name}={time}")).unwrap().start_and_end();
            let problem = problem.unwrap_err().into_json();
            assert_eq!(
                problem.detail,
                format!(
                    "integers are nanoseconds since 1970, and as {unit} this is \
                     2024-03-01T00:00:00Z"
                )
            );
            assert_eq!(problem.field.as_deref(), Some(name));
        }
    }
    let whole = read("start=0&end=1709251200000000000").unwrap();
    let expected = (Some(0), Some(1_709_251_200_000_000_000));
    assert_eq!(whole.start_and_end().unwrap(), expected);
}

proptest! {
    #[test]
    fn both_forms_of_a_time_are_the_same(time_ns in 0..END_OF_TIME_NS) {
        if market::describe_plausible_unit(time_ns).is_none() {
            prop_assert_eq!(parse_time(&time_ns.to_string()), Ok(time_ns));
        }
        prop_assert_eq!(parse_time(&market::format_time(time_ns)), Ok(time_ns));
    }

    #[test]
    fn hostile_queries_are_problems(query in "[ -~]{0,60}") {
        if let Ok(uri) = format!("/list?{query}").parse::<Uri>() {
            let _ = QueryParams::read(&uri, &["start"]).and_then(|params| params.start_and_end());
        }
    }
}
