//! A generated tape in the plain format.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// The number of symbols of the tape.
pub(super) const SYMBOLS: u64 = 100;
/// The number of trades of the tape.
pub(super) const TRADES: u64 = 3_000_000;
/// The time of the first trade: 2024-01-02T00:00:00Z.
const START_NS: u64 = 1_704_153_600_000_000_000;
/// A day in nanoseconds.
const DAY_NS: u64 = 86_400_000_000_000;

/// Writes a day of trades in order of time. The ids of each symbol are 1, 2, 3 and so on.
pub(super) fn write_generated_tape(path: &Path) -> std::io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    writeln!(out, "time,symbol,price,quantity,side,id")?;
    let mut ids = [0_u64; 100];
    let mut random = fastrand::Rng::with_seed(11);
    for number in 0..TRADES {
        let symbol = random.u64(..SYMBOLS);
        let id = &mut ids[usize::try_from(symbol).expect("small")];
        *id += 1;
        let time_ns = START_NS + number * (DAY_NS / TRADES);
        let (price, quantity) = (random.u64(10_000..15_000), random.u64(1..=900));
        let side = if random.bool() { "buy" } else { "sell" };
        let (whole, cents) = (price / 100, price % 100);
        writeln!(
            out,
            "{time_ns},S{symbol},{whole}.{cents:02},{quantity},{side},{id}"
        )?;
    }
    out.flush()
}
