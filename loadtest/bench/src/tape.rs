//! A made-up tape in the plain format.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Symbols of the tape.
pub(super) const SYMBOLS: u64 = 100;
/// Trades of the tape.
pub(super) const TRADES: u64 = 3_000_000;
/// The tape's first trade: 2024-01-02T00:00:00Z.
const START_NS: u64 = 1_704_153_600_000_000_000;
/// A day in nanoseconds.
const DAY_NS: u64 = 86_400_000_000_000;

/// Writes a day of trades, in order of time, ids of each symbol 1, 2, 3 …
pub(super) fn write(path: &Path) -> std::io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    writeln!(out, "time,symbol,price,quantity,side,id")?;
    let mut ids = [0_u64; 100];
    let mut state = 11_u64;
    for number in 0..TRADES {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let dice = state >> 33;
        let symbol = dice % SYMBOLS;
        let id = &mut ids[usize::try_from(symbol).expect("small")];
        *id += 1;
        let time_ns = START_NS + number * (DAY_NS / TRADES);
        let (price, quantity) = (10_000 + dice % 5_000, 1 + dice / 7 % 900);
        let side = if dice & 1 == 0 { "buy" } else { "sell" };
        let (whole, cents) = (price / 100, price % 100);
        writeln!(
            out,
            "{time_ns},S{symbol},{whole}.{cents:02},{quantity},{side},{id}"
        )?;
    }
    out.flush()
}
