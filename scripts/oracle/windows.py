"""Which window a trade belongs to: tumbling, `[start, end)`, labelled by its start in UTC.

The fixed intervals divide the UTC day, so a start is a multiple of the width since 1970.

A day may start at any quarter hour of any zone. It runs from that local time to the next day's, so
it has 23 or 25 hours where the clocks change. A local start that does not exist moves forward by
the gap, and one that comes twice is the first (Temporal's 'compatible'): both are what Python's
`fold=0` means, since it reads a time in the gap with the offset from before it. Starts that fall
within a minute (local mean time) are refused, as no bars divide such days.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

MINUTE = 60 * 10**9
DAY = 24 * 60 * MINUTE
WIDTHS = {
    "1m": MINUTE,
    "5m": 5 * MINUTE,
    "15m": 15 * MINUTE,
    "30m": 30 * MINUTE,
    "1h": 60 * MINUTE,
    "4h": 240 * MINUTE,
    "1d": DAY,
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = date(1970, 1, 1).toordinal()

StartOf = Callable[[int], int]


def start_of(interval: str, day_start: time, zone: ZoneInfo) -> StartOf:
    """The function from a trade's time to its window's start, both in UTC nanoseconds."""
    if interval == "1d":
        return LocalDays(day_start, zone).start_of
    width = WIDTHS[interval]
    return lambda at: at - at % width


class LocalDays:
    """Days that begin at a local time of a zone."""

    def __init__(self, day_start: time, zone: ZoneInfo) -> None:
        if day_start != time(day_start.hour, day_start.minute // 15 * 15):
            raise ValueError(f"a day starts at a quarter hour, not at {day_start}")
        self._day_start = day_start
        self._zone = zone
        self._start = lru_cache(maxsize=None)(self._compute_start)
        self._last = (0, 0)  # trades mostly come in order: the window of the one before

    def start_of(self, at: int) -> int:
        if not self._last[0] <= at < self._last[1]:
            self._last = self._find(at)
        return self._last[0]

    def _find(self, at: int) -> tuple[int, int]:
        # A zone is at most a day away from UTC, and the start at most a day into the local day.
        day = at // DAY + EPOCH_DAY + 2
        while self._start(day) > at:
            day -= 1
        return self._start(day), self._start(day + 1)

    def _compute_start(self, day: int) -> int:
        local = datetime.combine(date.fromordinal(day), self._day_start, self._zone)
        seconds = (local.astimezone(UTC) - EPOCH) // timedelta(seconds=1)
        if seconds % 60:
            raise ValueError(f"{local} is within a minute of UTC: no interval divides such days")
        return seconds * 10**9
