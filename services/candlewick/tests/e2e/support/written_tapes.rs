//! Tapes that tests write.

use std::fmt::Write;
use std::path::Path;

/// A line of a tape in the plain format.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) time_ns: i64,
    pub(crate) price: String,
    pub(crate) quantity: String,
    pub(crate) id: String,
    pub(crate) symbol: String,
}

/// Writes a tape in the plain format. The aggressor of every trade is the buyer.
pub(crate) fn write_plain(path: &Path, lines: &[Line]) {
    let mut text = "time,price,quantity,side,id,symbol\n".to_owned();
    for line in lines {
        let Line {
            time_ns,
            price,
            quantity,
            id,
            symbol,
        } = line;
        writeln!(text, "{time_ns},{price},{quantity},buy,{id},{symbol}").unwrap();
    }
    std::fs::write(path, text).unwrap();
}
