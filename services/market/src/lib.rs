//! Exact market values: decimals, trades, intervals, windows, days and bars.
