"""Writes hostile tapes in the plain format, the same for the same seed and options.

    generate.py --seed N --trades M --symbols K -o FILE.csv [--ids contiguous|uuid|holes|none]

What makes them hostile, each because a fold can be wrong about it:

* equal times, with ids in another order than the lines; times on a window's edge and just before;
* trades without quantity, without aggressor, with up to 18 digits, from 1e-8 to 1e6 in size;
* disorder: every line may swap with its neighbours, some trades are late by minutes or hours;
* redeliveries, some long after, some with another price (the first delivery counts); with
  `--ids none` these are trades of their own, as nothing tells;
* the same symbol and the same ids at several venues, interleaved;
* one instant written as nanoseconds or RFC 3339, with any offset and any number of digits;
* 48 hours around 2024-03-10, so that New York's day of 23 hours is whole in them.

Ids: `contiguous` are 1, 2, 3 … within a symbol; `holes` leaves some out; `uuid` are UUIDs, with a
few ids of digits among them (some longer than 64 bits), as these order first, and some with
leading zeros, which are no numbers.

M counts trades; redeliveries come on top. Prices stay above zero and sizes within 1e6, which every
venue's settings allow: what is rejected is another test's matter.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import TypeVar
from uuid import UUID

T = TypeVar("T")

SECOND = 10**9
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
SPAN = 48 * HOUR
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BEGIN = (datetime(2024, 3, 9, 12, tzinfo=UTC) - EPOCH) // timedelta(seconds=1) * SECOND

HEADER = ("time", "price", "quantity", "side", "id", "scope", "venue", "symbol")
VENUES = ("alpha", "beta", "gamma")
BASES = ("BTC", "ETH", "SOL", "DOGE", "PEPE", "XAU", "EUR", "JPY")
ID_KINDS = ("contiguous", "uuid", "holes", "none")
OFFSET_MINUTES = (-570, -300, -240, 0, 60, 180, 330, 345, 840)
MAX_DIGITS = 18


@dataclass(frozen=True)
class Instrument:
    """A symbol at a venue, with prices of `digits` digits of which `scale` are decimals."""

    venue: str
    symbol: str
    digits: int
    scale: int


@dataclass(frozen=True)
class Delivery:
    """A trade on its way: `due` is when it is written, in event time's nanoseconds."""

    due: int
    time: int
    price: str
    quantity: str
    side: str
    id: str
    instrument: Instrument


def make_instruments(rng: Random, count: int) -> list[Instrument]:
    """Neighbours share their symbol's name, at different venues."""
    return [make_instrument(rng, number, count) for number in range(count)]


def make_instrument(rng: Random, number: int, count: int) -> Instrument:
    name = number // len(VENUES)
    symbol = f"{BASES[name % len(BASES)]}{name // len(BASES) or ''}-USD"
    # Spread evenly, so that even a few symbols reach from 1e-8 to nearly 1e6.
    magnitude = -8 + round(13 * number / max(count - 1, 1))
    # A number of n digits and scale s is about 10^(n - 1 - s).
    scale = rng.randint(max(0, -magnitude), 10 - max(0, magnitude))
    return Instrument(VENUES[number % len(VENUES)], symbol, magnitude + scale + 1, scale)


def make_times(rng: Random, count: int) -> list[int]:
    """Times of one symbol, ascending: bursts, ties, and edges of windows."""
    times = sorted(BEGIN + burst_time(rng) for _ in range(count))
    for i in range(1, count):
        if rng.random() < 0.2:
            times[i] = times[i - 1]
    return times


def burst_time(rng: Random) -> int:
    unit = rng.choice((1, 1000, 10**6, SECOND))
    at = rng.randrange(SPAN)
    if rng.random() < 0.5:  # within a few seconds of a full quarter hour
        at = at // (15 * MINUTE) * 15 * MINUTE + rng.randrange(5 * SECOND)
    edge = rng.random()
    if edge < 0.03:
        return at // MINUTE * MINUTE
    if edge < 0.05:
        return at // MINUTE * MINUTE + MINUTE - 1
    return at // unit * unit


def make_ids(rng: Random, kind: str, count: int) -> list[str]:
    """Ids in about the order of the trades, so that ties meet ids out of order."""
    if kind == "none":
        return [""] * count
    if kind == "uuid":
        return [make_unique_id(rng) for _ in range(count)]
    ids: list[int] = []
    last = 0
    for _ in range(count):
        last += rng.randint(2, 50) if kind == "holes" and rng.random() < 0.05 else 1
        ids.append(last)
    return [str(id_) for id_ in shuffle_locally(rng, ids, 3)]


def make_unique_id(rng: Random) -> str:
    if rng.random() < 0.05:
        zeros = "0" * rng.choice((0, 0, 2))
        return zeros + str(rng.randrange(10 ** rng.choice((12, 18, 20, 30)), 10**31))
    return str(UUID(int=rng.getrandbits(128), version=4))


def shuffle_locally(rng: Random, items: list[T], reach: float) -> list[T]:
    """Each item moves at most `reach` places."""
    places = [i + rng.random() * reach for i in range(len(items))]
    return [items[i] for i in sorted(range(len(items)), key=places.__getitem__)]


def make_trades(rng: Random, instrument: Instrument, count: int, kind: str) -> list[Delivery]:
    low, high = 10 ** (instrument.digits - 1), 10**instrument.digits - 1
    mantissa = rng.randint(low, high)
    trades = []
    for time, id_ in zip(make_times(rng, count), make_ids(rng, kind, count), strict=True):
        step = max(1, mantissa // 500)
        mantissa = min(max(mantissa + rng.randint(-step, step), low), high)
        trades.append(
            Delivery(
                due=time + delay(rng),
                time=time,
                price=decimal_text(mantissa, instrument.scale),
                quantity=make_quantity(rng),
                side=rng.choices(("buy", "sell", ""), (45, 45, 10))[0],
                id=id_,
                instrument=instrument,
            )
        )
    return trades


def make_quantity(rng: Random) -> str:
    kind = rng.random()
    if kind < 0.05:
        return ""
    if kind < 0.5:
        return decimal_text(rng.randint(1, 10_000), rng.choice((0, 0, 1, 2)))
    digits = rng.randint(1, MAX_DIGITS)
    scale = rng.randint(max(0, digits - 6), min(MAX_DIGITS, digits + 7))
    return decimal_text(rng.randint(10 ** (digits - 1), 10**digits - 1), scale)


def decimal_text(mantissa: int, scale: int) -> str:
    if scale == 0:
        return str(mantissa)
    digits = str(mantissa).rjust(scale + 1, "0")
    return f"{digits[:-scale]}.{digits[-scale:]}"


def delay(rng: Random) -> int:
    lateness = rng.random()
    if lateness < 0.003:
        return rng.randrange(HOUR, 6 * HOUR)
    if lateness < 0.02:
        return rng.randrange(MINUTE, 45 * MINUTE)
    return rng.randrange(3 * SECOND) if lateness < 0.4 else 0


def redeliver(rng: Random, trade: Delivery) -> Delivery:
    """The same trade again: the same identity and time, not always the same words."""
    again = replace(trade, due=trade.due + delay(rng))
    if trade.id and rng.random() < 0.2:
        again = replace(again, price=decimal_text(rng.randint(1, 10**6), rng.randint(0, 8)))
    return again


def time_text(rng: Random, at: int) -> str:
    """One of the ways to write an instant."""
    if rng.random() < 0.7:
        return str(at)
    minutes = 0 if rng.random() < 0.6 else rng.choice(OFFSET_MINUTES)
    zone = timezone(timedelta(minutes=minutes))
    seconds, nanoseconds = divmod(at, SECOND)
    local = (EPOCH + timedelta(seconds=seconds)).astimezone(zone).isoformat()
    fraction = f"{nanoseconds:09}"
    if rng.random() < 0.7:
        fraction = fraction.rstrip("0")
    suffix = "Z" if minutes == 0 and rng.random() < 0.8 else local[19:]
    return local[:19] + ("." + fraction if fraction else "") + suffix


def make_deliveries(rng: Random, trades: int, symbols: int, kind: str) -> list[Delivery]:
    instruments = make_instruments(rng, symbols)
    weights = [1 / (1 + number) for number in range(symbols)]
    counts = [0] * symbols
    for number in rng.choices(range(symbols), weights, k=trades):
        counts[number] += 1
    made = [
        trade
        for instrument, count in zip(instruments, counts, strict=True)
        for trade in make_trades(rng, instrument, count, kind)
    ]
    made += [redeliver(rng, trade) for trade in made if rng.random() < 0.03]
    made.sort(key=lambda delivery: delivery.due)
    return shuffle_locally(rng, made, 6)


def row_of(rng: Random, trade: Delivery) -> tuple[str, ...]:
    instrument = trade.instrument
    return (
        time_text(rng, trade.time), trade.price, trade.quantity, trade.side, trade.id,
        "", instrument.venue, instrument.symbol,
    )  # fmt: skip


def generate(seed: int, trades: int, symbols: int, kind: str) -> Iterable[tuple[str, ...]]:
    """The tape's rows, without the header."""
    rng = Random(seed)
    return [row_of(rng, trade) for trade in make_deliveries(rng, trades, symbols, kind)]


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number}: not above zero")
    return number


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes a hostile tape.")
    parser.add_argument("--seed", type=int, required=True, metavar="N")
    parser.add_argument("--trades", type=positive, required=True, metavar="M")
    parser.add_argument("--symbols", type=positive, required=True, metavar="K")
    parser.add_argument("--ids", choices=ID_KINDS, default="contiguous")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.csv")
    options = parser.parse_args()
    rows = generate(options.seed, options.trades, options.symbols, options.ids)
    with options.output.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
