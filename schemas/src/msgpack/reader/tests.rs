use proptest::prelude::*;
use rmp::encode::{write_array_len, write_bin, write_bool, write_sint, write_str, write_uint};

use super::MessagePackReader;
use crate::msgpack::{MessagePackError, ValueKind};

proptest! {
    #[test]
    fn what_another_encoder_wrote_is_read(
        unsigned: u64,
        signed: i64,
        text in ".{0,300}",
        binary in any::<Vec<u8>>(),
        boolean: bool,
    ) {
        let mut bytes = Vec::new();
        write_array_len(&mut bytes, 6).unwrap();
        write_uint(&mut bytes, unsigned).unwrap();
        write_sint(&mut bytes, signed).unwrap();
        write_str(&mut bytes, &text).unwrap();
        write_bin(&mut bytes, &binary).unwrap();
        write_bool(&mut bytes, boolean).unwrap();
        rmp::encode::write_nil(&mut bytes).unwrap();
        let mut reader = MessagePackReader::new(&bytes);
        prop_assert_eq!(reader.clone().skip_value(1), Ok(()));
        prop_assert_eq!(reader.read_array_length(), Ok(6));
        prop_assert_eq!(reader.read_integer(), Ok(unsigned));
        prop_assert_eq!(reader.read_integer(), Ok(signed));
        prop_assert_eq!(reader.read_text(), Ok(&*text));
        prop_assert_eq!(reader.read_binary(), Ok(&*binary));
        prop_assert_eq!(reader.read_nil_if_next(), Ok(false));
        prop_assert_eq!(reader.read_boolean(), Ok(boolean));
        prop_assert_eq!(reader.read_nil_if_next(), Ok(true));
        prop_assert_eq!(reader.read_nil_if_next(), Err(MessagePackError::EndOfInput));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
        let reader = MessagePackReader::new(&bytes);
        let _ = reader.clone().skip_value(8);
        let _ = reader.clone().read_integer::<u8>();
        let _ = reader.clone().read_text();
        let _ = reader.clone().read_binary();
        let _ = reader.clone().read_array_length();
        let _ = reader.clone().read_map_length();
        let _ = reader.clone().read_boolean();
    }
}

#[test]
fn a_value_of_another_kind_or_range_is_named() {
    let expected = ValueKind::Array;
    let found = ValueKind::Integer;
    let mut reader = MessagePackReader::new(&[0xff]);
    let wrong = MessagePackError::WrongKind { expected, found };
    assert_eq!(reader.read_array_length(), Err(wrong));
    assert_eq!(
        reader.read_integer::<u64>(),
        Err(MessagePackError::IntegerRange)
    );
    assert_eq!(reader.read_integer(), Ok(-1_i64));
    let mut reserved = MessagePackReader::new(&[0xc1]);
    assert_eq!(reserved.skip_value(9), Err(MessagePackError::Reserved));
    let mut nested = MessagePackReader::new(&[0x91, 0x91, 0xc0]);
    assert_eq!(nested.clone().skip_value(1), Err(MessagePackError::TooDeep));
    assert_eq!(nested.skip_value(2), Ok(()));
}

#[test]
fn every_kind_is_skipped_whole() {
    let values: [&[u8]; 20] = [
        &[0xc0],
        &[0xc3],
        &[0x7f],
        &[0xcf, 0, 0, 0, 0, 0, 0, 0, 1],
        &[0xd3, 0, 0, 0, 0, 0, 0, 0, 1],
        &[0xca, 0, 0, 0, 0],
        &[0xcb, 0, 0, 0, 0, 0, 0, 0, 0],
        &[0xa1, 0xff],
        &[0xd9, 1, 0xff],
        &[0xda, 0, 1, 0xff],
        &[0xdb, 0, 0, 0, 1, 0xff],
        &[0xc4, 1, 9],
        &[0xc6, 0, 0, 0, 1, 9],
        &[0xdd, 0, 0, 0, 1, 1],
        &[0xdf, 0, 0, 0, 1, 1, 2],
        &[0xd4, 5, 9],
        &[0xd8, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[0xc7, 1, 5, 9],
        &[0xc8, 0, 1, 5, 9],
        &[0xc9, 0, 0, 0, 1, 5, 9],
    ];
    for value in values {
        let bytes = [value, &[7]].concat();
        let mut reader = MessagePackReader::new(&bytes);
        assert_eq!(reader.skip_value(1), Ok(()), "{value:x?}");
        assert_eq!(reader.rest(), [7], "{value:x?}");
        for end in 0..value.len() {
            let mut cut = MessagePackReader::new(&value[..end]);
            assert_eq!(
                cut.skip_value(1),
                Err(MessagePackError::EndOfInput),
                "{value:x?}"
            );
        }
    }
}
