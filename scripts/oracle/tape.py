"""Reads tapes: files of trades, in the order in which they were delivered.

Two formats, told apart by the first line:

* Binance's trade archive has no header, so the first cell is a trade id (digits). Columns: id,
  price, quantity, quote quantity, time, is buyer maker, is best match. Time is in milliseconds in
  older archives and microseconds in newer ones; their magnitudes do not meet before the year 5138,
  so the number itself tells. The maker was there first, so "buyer is maker" means the seller took:
  the side is `sell`. The quote quantity is rounded by some venues, so notional never comes from it.
* The plain format has a header that names any of time, price, quantity, side, id, scope, venue and
  symbol (time and price are needed). Time is integer nanoseconds or RFC 3339: a bare number's unit
  is never guessed, as one wrong guess moves a trade by a thousand times its age.

Both may be plain, gzip or a zip of one CSV, told apart by content, as names lie.

A price or quantity is a mantissa below 10^18 in size with a scale of 0 to 18, judged by its value:
trailing zeros do not count. There is no exponent, no plus sign and no bare point, so that one
grammar can be the same in every reader. Prices may have any sign (whether a venue may send zero or
negative ones is its own setting); a quantity below zero is malformed.

This reader shares no code with the engine: agreeing with it has to mean something.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import IO, NamedTuple

PLAIN_COLUMNS = ("time", "price", "quantity", "side", "id", "scope", "venue", "symbol")
BINANCE_COLUMNS = 7
# Below this a Binance time is in milliseconds: as microseconds it would be in early 1973.
MICROSECONDS_FROM = 10**14
INT64 = range(-(2**63), 2**63)
MAX_DIGITS = 18
EPOCH = datetime(1970, 1, 1)

INTEGER = re.compile(r"-?[0-9]{1,30}")
NUMBER = re.compile(r"-?([0-9]+)(?:\.([0-9]+))?")
RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:\.([0-9]{1,9}))?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
FLAGS = {"True": True, "true": True, "False": False, "false": False}


class Malformed(ValueError):
    """A line that is not a trade, or a file that is not a tape."""


class Trade(NamedTuple):
    """One delivered trade. `place` counts deliveries over all files of a run."""

    time: int
    price: Decimal
    quantity: Decimal | None
    side: str
    id: str
    scope: str
    venue: str
    symbol: str
    place: int


@dataclass(frozen=True)
class Source:
    """A tape, and what its lines mean where they do not say so themselves."""

    path: Path
    symbol: str
    file_scope: bool = False
    skip_bad: bool = False

    @property
    def scope(self) -> str:
        """The scope of ids in lines that name none."""
        return self.path.name if self.file_scope else ""


@dataclass
class Tally:
    """Everything read is counted: nothing leaves a fold unseen."""

    lines: int = 0
    bad: int = 0
    duplicates: int = 0
    trades: int = 0


@lru_cache(maxsize=1 << 17)
def parse_number(text: str) -> Decimal:
    match = NUMBER.fullmatch(text)
    if match is None:
        raise Malformed(f"not a decimal: {text!r}")
    fraction = (match[2] or "").rstrip("0")
    if len(fraction) > MAX_DIGITS or len((match[1] + fraction).lstrip("0")) > MAX_DIGITS:
        raise Malformed(f"more than {MAX_DIGITS} digits: {text!r}")
    return Decimal(text)


def parse_quantity(text: str) -> Decimal:
    quantity = parse_number(text)
    if quantity < 0:
        raise Malformed(f"a negative quantity: {text!r}")
    return quantity


def parse_time(text: str) -> int:
    """Integer nanoseconds or RFC 3339, as UTC nanoseconds."""
    if INTEGER.fullmatch(text):
        return in_range(int(text), text)
    match = RFC3339.fullmatch(text)
    if match is None:
        raise Malformed(f"neither integer nanoseconds nor RFC 3339: {text!r}")
    return in_range(rfc3339_nanoseconds(match), text)


def rfc3339_nanoseconds(match: re.Match[str]) -> int:
    try:
        # Leap seconds (:60) are refused here: nanoseconds since 1970 have no place for them.
        year, month, day, hour, minute, second = map(int, match.group(1, 2, 3, 4, 5, 6))
        local = datetime(year, month, day, hour, minute, second)
    except ValueError as error:
        raise Malformed(f"no such time: {match[0]!r}: {error}") from error
    seconds = (local - EPOCH) // timedelta(seconds=1) - offset_seconds(match)
    return seconds * 10**9 + int((match[7] or "").ljust(9, "0"))


def offset_seconds(match: re.Match[str]) -> int:
    if match[8] is None:
        return 0
    hours, minutes = int(match[9]), int(match[10])
    if hours > 23 or minutes > 59:
        raise Malformed(f"no such offset: {match[0]!r}")
    seconds = hours * 3600 + minutes * 60
    return -seconds if match[8] == "-" else seconds


def parse_binance_time(text: str) -> int:
    if not INTEGER.fullmatch(text):
        raise Malformed(f"not an integer time: {text!r}")
    time = int(text)
    unit = 10**3 if abs(time) >= MICROSECONDS_FROM else 10**6
    return in_range(time * unit, text)


def in_range(nanoseconds: int, text: str) -> int:
    if nanoseconds not in INT64:
        raise Malformed(f"time does not fit 64 bits of nanoseconds: {text!r}")
    return nanoseconds


def is_digits(text: str) -> bool:
    """ASCII digits only: `str.isdigit` alone also accepts other scripts and superscripts."""
    return text.isascii() and text.isdigit()


def is_number(text: str) -> bool:
    """A canonical number: digits without a leading zero. 007 is a text, and another id than 7."""
    return is_digits(text) and (text == "0" or not text.startswith("0"))


def utf8(text: str) -> str:
    """Refuses bytes that were not UTF-8. Code points then order as their bytes do."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise Malformed(f"not UTF-8: {text!r}") from error
    return text


def parse_flag(text: str) -> bool:
    try:
        return FLAGS[text]
    except KeyError:
        raise Malformed(f"neither true nor false: {text!r}") from None


Parser = Callable[[list[str], int], Trade]


def binance_parser(source: Source) -> Parser:
    symbol, scope = source.symbol, source.scope

    def parse(row: list[str], place: int) -> Trade:
        if len(row) != BINANCE_COLUMNS:
            raise Malformed(f"{len(row)} cells, not {BINANCE_COLUMNS}")
        id_, price, quantity, quote, time, buyer_is_maker, best = row
        if not is_digits(id_):
            raise Malformed(f"not a trade id: {id_!r}")
        if NUMBER.fullmatch(quote) is None:
            raise Malformed(f"not a decimal: {quote!r}")
        parse_flag(best)
        side = "sell" if parse_flag(buyer_is_maker) else "buy"
        return Trade(
            parse_binance_time(time), parse_number(price), parse_quantity(quantity),
            side, utf8(id_), scope, "", symbol, place,
        )  # fmt: skip

    return parse


def plain_parser(header: list[str], source: Source) -> Parser:
    check_header(header)
    # A column that is not named reads as the empty cell appended to each row.
    columns = [header.index(name) if name in header else len(header) for name in PLAIN_COLUMNS]
    width = len(header)

    def parse(row: list[str], place: int) -> Trade:
        if len(row) != width:
            raise Malformed(f"{len(row)} cells, the header has {width}")
        cells = [*row, ""]
        time, price, quantity, side, id_, scope, venue, symbol = (cells[i] for i in columns)
        if side not in ("buy", "sell", ""):
            raise Malformed(f"neither buy, sell nor empty: {side!r}")
        return Trade(
            parse_time(time), parse_number(price), parse_quantity(quantity) if quantity else None,
            side, utf8(id_), utf8(scope) or source.scope, utf8(venue),
            utf8(symbol) or source.symbol, place,
        )  # fmt: skip

    return parse


def check_header(header: list[str]) -> None:
    unknown = [name for name in header if name not in PLAIN_COLUMNS]
    if unknown:
        raise Malformed(f"columns that the plain format does not have: {unknown}")
    if len(set(header)) != len(header):
        raise Malformed("a column is named twice")
    missing = {"time", "price"} - set(header)
    if missing:
        raise Malformed(f"columns that are missing: {sorted(missing)}")


def open_tape(path: Path) -> IO[bytes] | gzip.GzipFile:
    """The tape's CSV bytes, unpacked if need be."""
    with path.open("rb") as file:
        magic = file.read(4)
    if magic.startswith(b"\x1f\x8b"):
        return gzip.open(path)
    if magic == b"PK\x03\x04":
        return open_zip(path)
    return path.open("rb")


def open_zip(path: Path) -> IO[bytes]:
    archive = zipfile.ZipFile(path)
    names = [name for name in archive.namelist() if name.lower().endswith(".csv")]
    if len(names) != 1:
        raise Malformed(f"{path}: holds {len(names)} CSV files, not one")
    return archive.open(names[0])


def read_tape(source: Source, tally: Tally) -> Iterator[Trade]:
    """The tape's trades in file order. A bad line raises, or is counted when they are skipped."""
    try:
        with open_tape(source.path) as raw:
            # Bytes that are no UTF-8 pass as surrogates, so that they spoil their own line only.
            lines = io.TextIOWrapper(raw, "utf-8-sig", errors="surrogateescape", newline="\n")
            yield from read_lines(lines, source, tally)
    except (EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise Malformed(f"{source.path}: {error}") from error


def read_lines(lines: Iterable[str], source: Source, tally: Tally) -> Iterator[Trade]:
    parse: Parser | None = None
    for number, raw in enumerate(lines, 1):
        line = raw.rstrip("\r\n")
        if not line:
            continue
        try:
            if parse is None and not is_digits(line.split(",", 1)[0]):
                parse = plain_parser(split(line), source)
                continue
            parse = parse or binance_parser(source)
            tally.lines += 1
            trade = parse(split(line), tally.lines)
        except Malformed as error:
            # Without its header a tape says nothing, so that is never skipped.
            if parse is None or not source.skip_bad:
                raise Malformed(f"{source.path}:{number}: {error}") from error
            tally.bad += 1
            continue
        yield trade


def split(line: str) -> list[str]:
    """A line is a record: cells do not span lines, so a stray quote spoils its own line only."""
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error as error:
        raise Malformed(str(error)) from error
