use proptest::prelude::*;

use super::{Cells, LineError, Scratch, decimal, integer, quantity};

fn split(line: &[u8]) -> Result<Vec<Vec<u8>>, LineError> {
    let mut scratch = Scratch::default();
    let cells = Cells::split(line, &mut scratch)?;
    Ok(cells.iter().map(<[u8]>::to_vec).collect())
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(line in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = split(&line);
        let _ = decimal("price", &line);
        let _ = quantity(&line);
        let _ = integer(&line);
    }

    #[test]
    fn quoted_cells_read_back(cells in proptest::collection::vec("[a\",é ]{0,6}", 1..=8)) {
        let quoted: Vec<_> = cells.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
        let read = split(quoted.join(",").as_bytes()).unwrap();
        prop_assert_eq!(read, cells.into_iter().map(String::into_bytes).collect::<Vec<_>>());
    }
}

#[test]
fn commas_part_cells_and_quotes_keep_them() {
    let cases: [(&str, &[&str]); 6] = [
        ("", &[""]),
        ("a,,b", &["a", "", "b"]),
        ("\"a,b\",c", &["a,b", "c"]),
        ("\"say \"\"so\"\"\",", &["say \"so\"", ""]),
        ("a\"b,c", &["a\"b", "c"]),
        ("\"\"", &[""]),
    ];
    for (line, expected) in cases {
        let read = split(line.as_bytes()).unwrap();
        assert_eq!(
            read,
            expected
                .iter()
                .map(|cell| cell.as_bytes())
                .collect::<Vec<_>>(),
            "{line}"
        );
    }
    for line in ["\"a", "a,\"b", "\"a\"b", "\"", "\"a\" ,b"] {
        assert_eq!(split(line.as_bytes()), Err(LineError::Quote), "{line}");
    }
}

#[test]
fn cells_beyond_the_most_are_counted() {
    let mut scratch = Scratch::default();
    let cells = Cells::split(b"1,2,3,4,5,6,7,8,9,10", &mut scratch).unwrap();
    assert_eq!((cells.count(), cells.iter().count()), (10, 8));
    assert_eq!(cells.get(9), b"");
}

#[test]
fn integers_are_digits_with_or_without_a_minus() {
    assert_eq!(integer(b"-12"), Some(Ok(-12)));
    assert!(integer(b"9223372036854775808").unwrap().is_err());
    for text in ["", "-", "+1", "1.0", "1e3", " 1"] {
        assert_eq!(integer(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn a_message_shows_what_the_cell_holds() {
    let error = decimal("price", b"4\xff\n").unwrap_err();
    let expected =
        "price \"4\\xff\\n\" is not a decimal number: unexpected character at position 1";
    assert_eq!(error.to_string(), expected);
    let error = decimal("price", &[b'x'; 41]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&format!("\"{}\"…", "x".repeat(40)))
    );
}
