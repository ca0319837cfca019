//! Reads a file line by line, mostly without copying.

use std::io::{self, BufRead, BufReader, Read};

/// The longest line that is parsed.
pub(crate) const LINE_LIMIT_BYTES: usize = 64 * 1024;

const BUFFER_BYTES: usize = 256 * 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One line, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TapeLine<'a> {
    /// Its bytes.
    Whole(&'a [u8]),
    /// It has more than [`LINE_LIMIT_BYTES`], and was skipped.
    TooLong,
}

/// Reads line by line. Bytes after the last line feed are a line as well. Bytes before a read error
/// are not, since that line may be incomplete.
pub(crate) struct LineReader<R> {
    input: BufReader<R>,
    /// The length of the last line in the buffer, its end included; not yet consumed.
    unconsumed_bytes: usize,
    /// A line that is not in the buffer as a whole.
    joined_line: Vec<u8>,
    last_line_number: u64,
}

impl<R: Read> LineReader<R> {
    /// Creates a reader at the beginning of `input`.
    pub(crate) fn new(input: R) -> Self {
        Self {
            input: BufReader::with_capacity(BUFFER_BYTES, input),
            unconsumed_bytes: 0,
            joined_line: Vec::new(),
            last_line_number: 0,
        }
    }

    /// Returns the number of the last line, from 1; 0 before the first.
    pub(crate) const fn last_line_number(&self) -> u64 {
        self.last_line_number
    }

    /// Returns the number of the next line, from 1, and the line; `None` after the last.
    ///
    /// # Errors
    /// If the file cannot be read or unpacked. The line after [`LineReader::last_line_number`] is
    /// then the first that is lost.
    pub(crate) fn next_line(&mut self) -> io::Result<Option<(u64, TapeLine<'_>)>> {
        self.input
            .consume(std::mem::take(&mut self.unconsumed_bytes));
        let end = self.input.buffer().iter().position(|byte| *byte == b'\n');
        let Some(end) = end else {
            return self.next_line_beyond_buffer();
        };
        self.last_line_number += 1;
        self.unconsumed_bytes = end + 1;
        if end > LINE_LIMIT_BYTES {
            return Ok(Some((self.last_line_number, TapeLine::TooLong)));
        }
        let line = strip_line_end_and_bom(&self.input.buffer()[..end], self.last_line_number);
        Ok(Some((self.last_line_number, TapeLine::Whole(line))))
    }

    /// Reads the next line, of which the buffer holds at most the beginning.
    fn next_line_beyond_buffer(&mut self) -> io::Result<Option<(u64, TapeLine<'_>)>> {
        self.joined_line.clear();
        let limit = LINE_LIMIT_BYTES as u64 + 1;
        let mut bounded = Read::by_ref(&mut self.input).take(limit);
        bounded.read_until(b'\n', &mut self.joined_line)?;
        if self.joined_line.is_empty() {
            return Ok(None);
        }
        if self.joined_line.last() == Some(&b'\n') {
            self.joined_line.pop();
        } else if self.joined_line.len() > LINE_LIMIT_BYTES {
            self.input.skip_until(b'\n')?;
            self.last_line_number += 1;
            return Ok(Some((self.last_line_number, TapeLine::TooLong)));
        }
        self.last_line_number += 1;
        let line = strip_line_end_and_bom(&self.joined_line, self.last_line_number);
        Ok(Some((self.last_line_number, TapeLine::Whole(line))))
    }
}

/// Removes the carriage returns at the end of a line, and the byte order mark of the first line.
fn strip_line_end_and_bom(mut line: &[u8], number: u64) -> &[u8] {
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

    use super::{LINE_LIMIT_BYTES, LineReader, TapeLine};

    fn read_lines(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = LineReader::new(bytes);
        let mut read = Vec::new();
        while let Some((_, line)) = lines.next_line().unwrap() {
            read.push(match line {
                TapeLine::Whole(line) => line.to_vec(),
                TapeLine::TooLong => b"too long".to_vec(),
            });
        }
        assert_eq!(lines.last_line_number(), read.len() as u64);
        read
    }

    proptest! {
        #[test]
        fn lines_are_the_text_between_line_feeds(lines in proptest::collection::vec("[a-c]{0,9}", 0..40)) {
            let mut text = lines.join("\n");
            text.push('\n');
            let expected: Vec<_> = text.lines().map(|line| line.as_bytes().to_vec()).collect();
            prop_assert_eq!(read_lines(text.as_bytes()), expected);
        }
    }

    #[test]
    fn carriage_returns_and_byte_order_marks_are_removed() {
        assert_eq!(read_lines(b""), Vec::<Vec<u8>>::new());
        assert_eq!(read_lines(b"a"), [b"a"]);
        let text = b"\xef\xbb\xbfa\r\n\xef\xbb\xbfb\r\r\n\n";
        assert_eq!(
            read_lines(text),
            [b"a".to_vec(), b"\xef\xbb\xbfb".to_vec(), b"".to_vec()]
        );
    }

    #[test]
    fn a_line_across_buffers_is_whole_and_one_that_is_too_long_is_skipped() {
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
        for four in read_lines(&text).chunks(4) {
            assert_eq!(four[0], b"a");
            assert_eq!(four[1], long);
            assert_eq!(four[2], b"too long");
            assert_eq!(four[3], b"b");
        }
        assert_eq!(read_lines(&vec![0; 9_000_000]), [b"too long"]);
    }

    #[test]
    fn bytes_before_a_read_error_are_not_a_line() {
        struct TornInput(&'static [u8]);
        impl Read for TornInput {
            fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
                match self.0.read(out)? {
                    0 => Err(io::Error::other("torn")),
                    read => Ok(read),
                }
            }
        }
        let mut lines = LineReader::new(TornInput(b"1,2\n3,4"));
        assert_eq!(
            lines.next_line().unwrap(),
            Some((1, TapeLine::Whole(b"1,2")))
        );
        assert_eq!(lines.next_line().unwrap_err().to_string(), "torn");
        assert_eq!(lines.last_line_number(), 1);
    }
}
