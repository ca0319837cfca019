//! Counting trades in windows, and closing the windows.

use market::{Bar, BarRow, Instrument, Interval, Position, Trade, VenueSettings};

use super::{Oracle, SymbolState};

impl Oracle {
    /// Moves every symbol's watermark to the current append time, and closes windows.
    pub(super) fn pass_time(&mut self, offset: u64) {
        for instrument in self.symbols.keys().cloned().collect::<Vec<_>>() {
            let settings = self.settings(&instrument).unwrap();
            let symbol = self.symbols.get_mut(&instrument).unwrap();
            let silence_ns = self.append_time_ns - symbol.last_append_ns;
            let runs_ns = if silence_ns >= settings.idle_ns {
                silence_ns
            } else {
                0
            };
            let closed_ns = symbol.watermark_ns + runs_ns - settings.lateness_ns;
            symbol.closed_until_ns = symbol.closed_until_ns.max(closed_ns);
            self.close_windows(&instrument, offset);
        }
    }

    pub(super) fn close_windows(&mut self, instrument: &Instrument, offset: u64) {
        let closed_until_ns = self.symbols[instrument].closed_until_ns;
        let Some(open) = self.open.get_mut(instrument) else {
            return;
        };
        let (closed, open): (Vec<_>, Vec<_>) = std::mem::take(open)
            .into_iter()
            .partition(|window| window.end_ns() <= closed_until_ns);
        self.open.insert(instrument.clone(), open);
        for window in closed {
            let key = (instrument.clone(), window);
            let row = self.bars.get_mut(&key).expect("an open window has a bar");
            row.closed = true;
            row.through = Position {
                epoch: self.epoch,
                offset,
            };
            self.changed.push(key);
        }
    }

    pub(super) fn count_trade(
        &mut self,
        instrument: &Instrument,
        trade: &Trade,
        settings: &VenueSettings,
        offset: u64,
    ) {
        let through = Position {
            epoch: self.epoch,
            offset,
        };
        let closed_until_ns = self
            .symbols
            .get(instrument)
            .map_or(i64::MIN, |symbol| symbol.closed_until_ns);
        let one = Bar::from_trade(trade, through, self.append_time_ns);
        for interval in Interval::ALL {
            let window = interval.window_containing(trade.time_ns);
            let key = (instrument.clone(), window);
            self.changed.push(key.clone());
            let row = match self.bars.get_mut(&key) {
                Some(row) => {
                    let first_append_ns = match row.bar.admitted {
                        0 => self.append_time_ns,
                        _ => row.bar.first_append_ns,
                    };
                    row.bar.merge(&one, settings.ties);
                    row.bar.first_append_ns = first_append_ns;
                    row
                }
                None => {
                    let closed = window.end_ns() <= closed_until_ns;
                    if !closed {
                        self.open
                            .entry(instrument.clone())
                            .or_default()
                            .push(window);
                    }
                    self.bars.entry(key).or_insert(BarRow {
                        window,
                        bar: one.clone(),
                        closed,
                        revision: 0,
                        provable: true,
                        through,
                    })
                }
            };
            row.revision += u64::from(row.closed);
            row.through = through;
        }
        let append_ns = self.append_time_ns;
        let symbol = self
            .symbols
            .entry(instrument.clone())
            .or_insert(SymbolState {
                watermark_ns: i64::MIN,
                last_append_ns: append_ns,
                closed_until_ns: i64::MIN,
            });
        let silence_ns = append_ns - symbol.last_append_ns;
        if silence_ns >= settings.idle_ns && symbol.watermark_ns != i64::MIN {
            symbol.watermark_ns += silence_ns;
        }
        symbol.watermark_ns = symbol.watermark_ns.max(trade.time_ns);
        symbol.last_append_ns = append_ns;
        symbol.closed_until_ns = symbol
            .closed_until_ns
            .max(symbol.watermark_ns - settings.lateness_ns);
        self.close_windows(instrument, offset);
    }
}
