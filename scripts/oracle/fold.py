"""The second fold: trades to bars, written again from the rules and not from the engine's code.

    fold.py TAPE… [--intervals 1m,1h] [--day-start 22:00 --zone America/New_York]
            [--id-scope day] [--ids exact] [--ties log] [--full] [-o FOLDER | --keys]

Rules, with their reasons:

* Open is the price of the first trade, close that of the last, by time. Trades of equal time are
  ordered by id where ids are contiguous within the symbol or the day, because such ids rise as
  trades happen, and by place of delivery otherwise; `--ties id` and `--ties log` say which.
* In the order of ids those of digits compare as numbers and come before others, which compare as bytes; equal ids fall to
  the scope, then to the place of delivery. Trades without id come after those with one, by place.
* A trade without quantity is a trade: it counts, and its price counts, and it adds no volume.
* Volume is all quantities; buy and sell volume only those whose aggressor is known.
* Sums are exact. Decimals are added and multiplied in a context that traps rounding, so a sum that
  could not be exact would stop the fold instead of being off by little.
* The first delivery of an identity counts, later ones are counted as duplicates. Identity is
  (venue, symbol, scope, id), where the scope is the line's own or empty. `--id-scope day` adds the
  UTC day of the event time, `file` makes the file's name the scope of lines that name none, `none`
  says that ids identify nothing (they still order). `--ids exact` adds the UTC hour of the event
  time, as exact ids are kept by the hour. Without an id nothing can be a duplicate.
* Each interval is folded from the trades themselves: bars made of shorter bars are what the engine
  does, so the oracle does not.
* A window without trades has no row.

Output columns are those of the tapes' `expected` folder; `--full` adds sell_volume. Into a folder
it goes as SYMBOL-DATE-INTERVAL.csv (SYMBOL@VENUE-… where the venue is known), DATE being the UTC
date of the bars' starts. To standard output it goes as one table, with `--keys` led by venue,
symbol and interval, without which the table must be of one symbol and one interval. Counts go to
standard error.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tape import Malformed, Source, Tally, Trade, is_digits, is_number, read_tape
from windows import DAY, EPOCH_DAY, MINUTE, WIDTHS, StartOf, start_of

HOUR = 60 * MINUTE
ZERO = Decimal(0)
UTC_ZONE = ZoneInfo("UTC")
COLUMNS = (
    "start_us", "open", "high", "low", "close", "volume", "buy_volume", "notional",
    "trades", "first_trade_id", "last_trade_id",
)  # fmt: skip
KEYS = ("venue", "symbol", "interval")

EXACT = Context(prec=200, traps=[Inexact, Overflow, InvalidOperation, DivisionByZero])
add, multiply = EXACT.add, EXACT.multiply

Order = tuple[int, int, int, str, str, int]


class Series(NamedTuple):
    """What bars belong to, besides their start."""

    venue: str
    symbol: str
    interval: str


@dataclass(frozen=True)
class Rules:
    """What a run folds, and what makes two deliveries the same trade."""

    intervals: tuple[str, ...] = tuple(WIDTHS)
    day_start: time = time(0)
    zone: ZoneInfo = UTC_ZONE
    id_scope: str = "symbol"
    ids: str = "contiguous"
    ties: str = "id"


def order_of(trade: Trade, ties: str) -> Order:
    """The order of trades. Numbers without leading zeros compare by length, then as text."""
    if ties == "log":
        return trade.time, 0, 0, "", "", trade.place
    if not trade.id:
        return trade.time, 2, 0, "", "", trade.place
    if is_number(trade.id):
        return trade.time, 0, len(trade.id), trade.id, trade.scope, trade.place
    return trade.time, 1, 0, trade.id, trade.scope, trade.place


class Bar:
    """The fold of a set of trades, never empty."""

    __slots__ = (
        "buy_volume", "close", "first", "first_id", "high", "last", "last_id", "low",
        "notional", "open", "sell_volume", "trades", "volume",
    )  # fmt: skip

    def __init__(self, trade: Trade, order: Order) -> None:
        self.open = self.high = self.low = self.close = trade.price
        self.first = self.last = order
        self.first_id = self.last_id = trade.id
        self.volume = self.buy_volume = self.sell_volume = self.notional = ZERO
        self.trades = 0

    def add(self, trade: Trade, order: Order) -> None:
        price = trade.price
        if order < self.first:
            self.first, self.open, self.first_id = order, price, trade.id
        if order > self.last:
            self.last, self.close, self.last_id = order, price, trade.id
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.trades += 1
        if trade.quantity is not None:
            self._add_quantity(trade.quantity, price, trade.side)

    def _add_quantity(self, quantity: Decimal, price: Decimal, side: str) -> None:
        self.volume = add(self.volume, quantity)
        self.notional = add(self.notional, multiply(price, quantity))
        if side == "buy":
            self.buy_volume = add(self.buy_volume, quantity)
        elif side == "sell":
            self.sell_volume = add(self.sell_volume, quantity)

    def row(self, start: int, full: bool) -> list[str]:
        numbers = (
            self.open, self.high, self.low, self.close,
            self.volume, self.buy_volume, self.notional,
        )  # fmt: skip
        cells = [str(start // 1000), *map(text_of, numbers)]
        cells += [str(self.trades), self.first_id, self.last_id]
        return [*cells, text_of(self.sell_volume)] if full else cells


def text_of(number: Decimal) -> str:
    """One value, one text: no exponent, no trailing zeros, no minus zero."""
    if not number:
        return "0"
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


Bars = dict[Series, dict[int, Bar]]


def fold(trades: Iterable[Trade], rules: Rules, tally: Tally) -> Bars:
    """The bars of the trades, by series and start."""
    windows = [(name, start_of(name, rules.day_start, rules.zone)) for name in rules.intervals]
    instruments: dict[tuple[str, str], list[tuple[StartOf, dict[int, Bar]]]] = {}
    bars: Bars = {}
    for trade in first_deliveries(trades, rules, tally):
        instrument = trade.venue, trade.symbol
        if instrument not in instruments:
            instruments[instrument] = [
                (start, bars.setdefault(Series(*instrument, name), {})) for name, start in windows
            ]
        add_to_windows(instruments[instrument], trade, rules.ties)
    return bars


def add_to_windows(
    windows: list[tuple[StartOf, dict[int, Bar]]], trade: Trade, ties: str
) -> None:
    order = order_of(trade, ties)
    for start, bars in windows:
        at = start(trade.time)
        bar = bars.get(at)
        if bar is None:
            bar = bars[at] = Bar(trade, order)
        bar.add(trade, order)


def first_deliveries(trades: Iterable[Trade], rules: Rules, tally: Tally) -> Iterator[Trade]:
    seen: set[tuple[str, str, str, str, int]] = set()
    period = identity_period(rules)
    for trade in trades:
        if trade.id and rules.id_scope != "none":
            when = trade.time // period if period else 0
            identity = trade.venue, trade.symbol, trade.scope, trade.id, when
            if identity in seen:
                tally.duplicates += 1
                continue
            seen.add(identity)
        tally.trades += 1
        yield trade


def identity_period(rules: Rules) -> int:
    """How much event time an id is unique within, 0 for all of it. An hour implies its day."""
    if rules.ids == "exact":
        return HOUR
    return DAY if rules.id_scope == "day" else 0


def file_name(series: Series, start_us: int) -> str:
    """Names are quoted, so that no symbol can name another folder or another venue's file."""
    name = quote(series.symbol, safe=" ")
    if series.venue:
        name += "@" + quote(series.venue, safe=" ")
    return f"{name}-{utc_date(start_us)}-{series.interval}.csv"


def utc_date(start_us: int) -> str:
    return date.fromordinal(EPOCH_DAY + start_us * 1000 // DAY).isoformat()


def write_folder(bars: Bars, folder: Path, full: bool) -> None:
    files: dict[str, list[list[str]]] = {}
    for series, start, bar in in_order(bars):
        files.setdefault(file_name(series, start // 1000), []).append(bar.row(start, full))
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in files.items():
        with (folder / name).open("w", newline="") as file:
            write_rows(file, header(full), rows)


def write_stream(bars: Bars, file: IO[str], full: bool, keys: bool) -> None:
    if not keys and len(bars) > 1:
        raise Malformed(f"{len(bars)} tables (symbol, interval): name a folder or use --keys")
    rows = (
        [*series, *bar.row(start, full)] if keys else bar.row(start, full)
        for series, start, bar in in_order(bars)
    )
    write_rows(file, (*KEYS, *header(full)) if keys else header(full), rows)


def in_order(bars: Bars) -> Iterator[tuple[Series, int, Bar]]:
    widths = list(WIDTHS)
    for series in sorted(bars, key=lambda s: (s.venue, s.symbol, widths.index(s.interval))):
        for start in sorted(bars[series]):
            yield series, start, bars[series][start]


def header(full: bool) -> tuple[str, ...]:
    return (*COLUMNS, "sell_volume") if full else COLUMNS


def write_rows(file: IO[str], head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)


def symbol_of(path: Path) -> str:
    """Archives are named SYMBOL-trades-DATE; of other names, all before the first point."""
    stem = path.name.split(".", 1)[0]
    return stem.split("-trades-", 1)[0]


def parse_intervals(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(text.split(",")))
    unknown = [name for name in names if name not in WIDTHS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown}: not of {', '.join(WIDTHS)}")
    return names


def parse_day_start(text: str) -> time:
    hours, colon, minutes = text.partition(":")
    if len(hours) == len(minutes) == 2 and colon and is_digits(hours + minutes):
        try:
            return time(int(hours), int(minutes))
        except ValueError:
            pass
    raise argparse.ArgumentTypeError(f"{text!r}: not HH:MM")


def parse_zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise argparse.ArgumentTypeError(f"{text!r}: no such zone") from error


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Folds tapes into bars, exactly.")
    parser.add_argument("tapes", nargs="+", type=Path, metavar="TAPE", help="in delivery order")
    parser.add_argument("--intervals", type=parse_intervals, default=tuple(WIDTHS))
    parser.add_argument("--day-start", type=parse_day_start, default=time(0), metavar="HH:MM")
    parser.add_argument("--zone", type=parse_zone, default=UTC_ZONE, metavar="AREA/CITY")
    parser.add_argument("--id-scope", choices=("symbol", "day", "file", "none"), default="symbol")
    parser.add_argument("--ids", choices=("contiguous", "exact"), default="contiguous")
    parser.add_argument("--ties", choices=("id", "log"), help="default: id if ids are contiguous")
    parser.add_argument("--symbol", help="of lines that name none (else from the file's name)")
    parser.add_argument("--skip-bad", action="store_true", help="count malformed lines, go on")
    parser.add_argument("--full", action="store_true", help="with sell_volume")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("-o", "--output", type=Path, metavar="FOLDER")
    output.add_argument("--keys", action="store_true", help="lead rows by venue,symbol,interval")
    return parser


def source_of(path: Path, options: argparse.Namespace) -> Source:
    symbol = options.symbol or symbol_of(path)
    return Source(path, symbol, options.id_scope == "file", options.skip_bad)


def default_ties(options: argparse.Namespace) -> str:
    rises = options.ids == "contiguous" and options.id_scope in ("symbol", "day")
    return "id" if rises else "log"


def run(options: argparse.Namespace) -> Tally:
    tally = Tally()
    rules = Rules(
        options.intervals,
        options.day_start,
        options.zone,
        options.id_scope,
        options.ids,
        options.ties or default_ties(options),
    )
    trades = (
        trade for path in options.tapes for trade in read_tape(source_of(path, options), tally)
    )
    bars = fold(trades, rules, tally)
    if options.output:
        write_folder(bars, options.output, options.full)
    else:
        write_stream(bars, sys.stdout, options.full, options.keys)
    return tally


def main() -> int:
    try:
        tally = run(arguments().parse_args())
    except (ValueError, OSError) as error:
        print(f"fold.py: {error}", file=sys.stderr)
        return 1
    print(
        f"lines {tally.lines} trades {tally.trades} "
        f"duplicates {tally.duplicates} malformed {tally.bad}",
        file=sys.stderr,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
