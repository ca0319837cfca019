use proptest::prelude::*;

use super::{LineCells, TradeLineError, UnquoteBuffer};

fn split(line: &[u8]) -> Result<Vec<Vec<u8>>, TradeLineError> {
    let mut buffer = UnquoteBuffer::default();
    let cells = LineCells::split(line, &mut buffer)?;
    Ok(cells.kept_cells().map(<[u8]>::to_vec).collect())
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(line in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = split(&line);
    }

    #[test]
    fn quoted_cells_read_back(cells in proptest::collection::vec("[a\",é ]{0,6}", 1..=8)) {
        let quoted: Vec<_> = cells.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
        let read = split(quoted.join(",").as_bytes()).unwrap();
        prop_assert_eq!(read, cells.into_iter().map(String::into_bytes).collect::<Vec<_>>());
    }
}

#[test]
fn commas_separate_cells_and_quotes_protect_commas() {
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
        assert_eq!(
            split(line.as_bytes()),
            Err(TradeLineError::UnclosedQuote),
            "{line}"
        );
    }
}

#[test]
fn cells_beyond_the_limit_are_counted() {
    let mut buffer = UnquoteBuffer::default();
    let cells = LineCells::split(b"1,2,3,4,5,6,7,8,9,10", &mut buffer).unwrap();
    assert_eq!((cells.count(), cells.kept_cells().count()), (10, 8));
    assert_eq!(cells.cell_or_empty(9), b"");
}
