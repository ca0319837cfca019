//! The lines of a file, without copying them.

use std::io::{self, BufRead, BufReader, Read};

/// The longest line that can be a trade.
pub(crate) const LINE_LIMIT_BYTES: usize = 64 * 1024;

const BUFFER_BYTES: usize = 256 * 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One line, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// Its bytes.
    Whole(&'a [u8]),
    /// It has more than [`LINE_LIMIT_BYTES`]; the rest of it is passed over.
    TooLong,
}

/// Reads line by line. What follows the last line's end, if anything, is a line as well; what
/// stands before a failure to read is none, as it may be cut.
pub(crate) struct Lines<R> {
    input: BufReader<R>,
    /// How much of the buffer the last line took.
    taken: usize,
    /// A line that did not lie in the buffer as a whole.
    joined: Vec<u8>,
    number: u64,
}

impl<R: Read> Lines<R> {
    /// The lines of `input`.
    pub(crate) fn new(input: R) -> Self {
        Self {
            input: BufReader::with_capacity(BUFFER_BYTES, input),
            taken: 0,
            joined: Vec::new(),
            number: 0,
        }
    }

    /// The number of the last line, from 1.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// The next line and its number, from 1; none after the last.
    ///
    /// # Errors
    /// Where the file cannot be read, or does not unpack: the line after [`Lines::number`] is
    /// then the first that is lost.
    pub(crate) fn next(&mut self) -> io::Result<Option<(u64, Line<'_>)>> {
        self.input.consume(std::mem::take(&mut self.taken));
        let end = self.input.buffer().iter().position(|byte| *byte == b'\n');
        let Some(end) = end else {
            return self.next_joined();
        };
        self.number += 1;
        self.taken = end + 1;
        if end > LINE_LIMIT_BYTES {
            return Ok(Some((self.number, Line::TooLong)));
        }
        let line = trim(&self.input.buffer()[..end], self.number);
        Ok(Some((self.number, Line::Whole(line))))
    }

    /// The next line, of which the buffer holds the beginning at most.
    fn next_joined(&mut self) -> io::Result<Option<(u64, Line<'_>)>> {
        self.joined.clear();
        let limit = LINE_LIMIT_BYTES as u64 + 1;
        let mut bounded = Read::by_ref(&mut self.input).take(limit);
        bounded.read_until(b'\n', &mut self.joined)?;
        if self.joined.is_empty() {
            return Ok(None);
        }
        if self.joined.last() == Some(&b'\n') {
            self.joined.pop();
        } else if self.joined.len() > LINE_LIMIT_BYTES {
            self.input.skip_until(b'\n')?;
            self.number += 1;
            return Ok(Some((self.number, Line::TooLong)));
        }
        self.number += 1;
        let line = trim(&self.joined, self.number);
        Ok(Some((self.number, Line::Whole(line))))
    }
}

/// Takes off the carriage returns before the line's end, and the mark before the first line.
fn trim(mut line: &[u8], number: u64) -> &[u8] {
    while let Some(shorter) = line.strip_suffix(b"\r") {
        line = shorter;
    }
    match number {
        1 => line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line),
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use proptest::prelude::*;

    use super::{LINE_LIMIT_BYTES, Line, Lines};

    fn read(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Lines::new(bytes);
        let mut read = Vec::new();
        while let Some((_, line)) = lines.next().unwrap() {
            read.push(match line {
                Line::Whole(line) => line.to_vec(),
                Line::TooLong => b"too long".to_vec(),
            });
        }
        assert_eq!(lines.number(), read.len() as u64);
        read
    }

    proptest! {
        #[test]
        fn lines_are_what_stands_between_their_ends(lines in proptest::collection::vec("[a-c]{0,9}", 0..40)) {
            let mut text = lines.join("\n");
            text.push('\n');
            let expected: Vec<_> = text.lines().map(|line| line.as_bytes().to_vec()).collect();
            prop_assert_eq!(read(text.as_bytes()), expected);
        }
    }

    #[test]
    fn ends_and_marks_are_taken_off() {
        assert_eq!(read(b""), Vec::<Vec<u8>>::new());
        assert_eq!(read(b"a"), [b"a"]);
        let text = b"\xef\xbb\xbfa\r\n\xef\xbb\xbfb\r\r\n\n";
        assert_eq!(
            read(text),
            [b"a".to_vec(), b"\xef\xbb\xbfb".to_vec(), b"".to_vec()]
        );
    }

    #[test]
    fn a_line_across_buffers_is_whole_and_one_without_end_is_passed_over() {
        let long = vec![b'x'; LINE_LIMIT_BYTES];
        let mut text = Vec::new();
        for line in [&b"a"[..], &long, &vec![b'y'; super::BUFFER_BYTES + 9], b"b"]
            .into_iter()
            .cycle()
            .take(40)
        {
            text.extend_from_slice(line);
            text.push(b'\n');
        }
        for four in read(&text).chunks(4) {
            assert_eq!(four[0], b"a");
            assert_eq!(four[1], long);
            assert_eq!(four[2], b"too long");
            assert_eq!(four[3], b"b");
        }
        assert_eq!(read(&vec![0; 9_000_000]), [b"too long"]);
    }

    #[test]
    fn what_stands_before_a_failure_is_no_line() {
        struct Torn(&'static [u8]);
        impl Read for Torn {
            fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
                match self.0.read(out)? {
                    0 => Err(io::Error::other("torn")),
                    read => Ok(read),
                }
            }
        }
        let mut lines = Lines::new(Torn(b"1,2\n3,4"));
        assert_eq!(lines.next().unwrap(), Some((1, Line::Whole(b"1,2"))));
        assert_eq!(lines.next().unwrap_err().to_string(), "torn");
        assert_eq!(lines.number(), 1);
    }
}
