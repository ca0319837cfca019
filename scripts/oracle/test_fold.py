"""Tests of the second fold: `cd scripts/oracle && python3 -m unittest`.

The tapes are those of CANDLEWICK_TAPES, and their expected bars were made by DuckDB. Without that
variable the test of the tapes fails: a proof that is silently not run is none. The other cases are
small enough to be computed by hand.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import os
import tempfile
import unittest
import zipfile
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

import compare
import fold
from tape import Malformed, parse_number, parse_time

SYMBOLS = ("AIG", "BAC", "IBM", "SPY")
INTERVALS = "1m,5m,1h,1d"
HEADER = "time,price,quantity,side,id,scope,venue,symbol"
SECOND = 10**9
Row = dict[str, str]


def ns(text: str) -> int:
    return parse_time(text)


def us(text: str) -> str:
    return str(ns(text) // 1000)


class Folding(unittest.TestCase):
    """Folds what is written into a folder of its own."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.errors = ""

    def write(self, name: str, *lines: str) -> Path:
        path = self.folder / name
        path.write_text("".join(line + "\n" for line in lines))
        return path

    def run_fold(self, *arguments: str | Path) -> str:
        out, err = io.StringIO(), io.StringIO()
        argv = ["fold.py", *map(str, arguments)]
        with (
            patch("sys.argv", argv),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            status = fold.main()
        self.errors = err.getvalue()
        if status:
            raise Malformed(self.errors)
        return out.getvalue()

    def rows(self, path: Path, *options: str) -> list[Row]:
        return list(csv.DictReader(io.StringIO(self.run_fold(path, *options, "--full"))))

    def fold(self, *lines: str, options: tuple[str, ...] = ("--intervals", "1m")) -> list[Row]:
        """Folds lines of time,price,quantity,side,id."""
        path = self.write("X.csv", "time,price,quantity,side,id", *lines)
        return self.rows(path, *options)

    def check(self, row: Row, **expected: str | int) -> None:
        self.assertEqual({name: row[name] for name in expected}, {
            name: str(value) for name, value in expected.items()
        })  # fmt: skip


class Tapes(Folding):
    def tapes(self) -> Path:
        folder = os.environ.get("CANDLEWICK_TAPES")
        if not folder:
            self.fail("CANDLEWICK_TAPES is not set: it names the folder of the tapes")
        return Path(folder)

    def test_bars_of_the_tapes_are_the_expected_ones(self) -> None:
        tapes = self.tapes()
        paths = [tapes / f"{symbol}-trades-2013-10-08.zip" for symbol in SYMBOLS]
        self.run_fold(*paths, "--intervals", INTERVALS, "-o", self.folder / "bars")
        self.assertIn("trades 654140 duplicates 0 malformed 0", self.errors)
        expected = compare.load(tapes / "expected")
        names = {f"{s}-2013-10-08-{i}.csv" for s in SYMBOLS for i in INTERVALS.split(",")}
        self.assertEqual(set(expected), names)
        found = list(compare.differences(expected, compare.load(self.folder / "bars")))
        self.assertEqual([], [str(difference) for difference in found[:10]])


class OneBar(Folding):
    def test_sums_and_sides(self) -> None:
        rows = self.fold(
            "0,10,1,buy,1",
            "1,12.5,0.25,sell,2",
            "2,9,3,,3",
            "3,11,,buy,4",
        )
        self.assertEqual(1, len(rows))
        # 10 * 1 + 12.5 * 0.25 + 9 * 3 = 40.125; the trade without quantity only counts.
        self.check(
            rows[0], start_us=0, open="10", high="12.5", low="9", close="11", volume="4.25",
            buy_volume="1", sell_volume="0.25", notional="40.125", trades=4,
            first_trade_id=1, last_trade_id=4,
        )  # fmt: skip

    def test_sums_are_exact(self) -> None:
        rows = self.fold(
            "0,0.000000000000000001,0.000000000000000001,buy,1",
            "0,999999999999999999,999999999999999999,buy,2",
        )
        self.check(
            rows[0],
            volume="999999999999999999.000000000000000001",
            notional="999999999999999998000000000000000001.000000000000000000000000000000000001",
        )

    def test_a_trade_without_quantity_sets_prices(self) -> None:
        rows = self.fold("0,5,,,1", "1,7,,sell,2", "2,6,,buy,3")
        self.check(rows[0], open=5, high=7, low=5, close=6, volume=0, notional=0, trades=3)

    def test_negative_prices(self) -> None:
        rows = self.fold("0,-37.63,2,sell,1", "1,-0,1,buy,2")
        self.check(rows[0], open="-37.63", high=0, low="-37.63", notional="-75.26", volume=3)

    def test_prices_compare_as_numbers_and_print_without_trailing_zeros(self) -> None:
        rows = self.fold("0,9.500,10,buy,1", "1,10.10,0.50,buy,2")
        self.check(rows[0], open="9.5", high="10.1", low="9.5", volume="10.5", notional="100.05")


class Ties(Folding):
    def ends(self, *lines: str) -> tuple[str, str, str, str]:
        (row,) = self.fold(*lines)
        return row["open"], row["first_trade_id"], row["close"], row["last_trade_id"]

    def test_time_comes_before_id(self) -> None:
        self.assertEqual(("2", "9", "1", "1"), self.ends("5,1,1,buy,1", "4,2,1,buy,9"))

    def test_digits_compare_as_numbers(self) -> None:
        self.assertEqual(("2", "9", "1", "10"), self.ends("5,1,1,buy,10", "5,2,1,buy,9"))

    def test_digits_longer_than_64_bits_compare_as_numbers(self) -> None:
        long, longer = "9" * 30, "1" + "0" * 30
        lines = f"5,1,1,buy,{longer}", f"5,2,1,buy,{long}"
        self.assertEqual(("2", long, "1", longer), self.ends(*lines))

    def test_digits_come_before_others(self) -> None:
        self.assertEqual(("2", "77", "1", "!"), self.ends("5,1,1,buy,!", "5,2,1,buy,77"))

    def test_others_compare_as_bytes(self) -> None:
        self.assertEqual(("2", "Z", "1", "a"), self.ends("5,1,1,buy,a", "5,2,1,buy,Z"))
        self.assertEqual(("2", "a10", "1", "a9"), self.ends("5,1,1,buy,a9", "5,2,1,buy,a10"))

    def test_only_ascii_digits_are_digits(self) -> None:
        self.assertEqual(("2", "a", "1", "²"), self.ends("5,1,1,buy,²", "5,2,1,buy,a"))

    def test_digits_with_leading_zeros_are_texts(self) -> None:
        self.assertEqual(("1", "0009", "2", "08"), self.ends("5,1,1,buy,0009", "5,2,1,buy,08"))
        self.assertEqual(("1", "9", "2", "08"), self.ends("5,1,1,buy,9", "5,2,1,buy,08"))

    def test_without_id_comes_last_and_in_file_order(self) -> None:
        lines = "5,1,1,buy,", "5,2,1,buy,zz", "5,3,1,buy,", "5,4,1,buy,1"
        self.assertEqual(("4", "1", "3", ""), self.ends(*lines))
        self.assertEqual(("1", "", "2", ""), self.ends("5,1,1,buy,", "5,2,1,buy,"))

    def test_the_log_alone_orders_ties_where_ids_carry_no_order(self) -> None:
        lines = "5,1,1,buy,b", "5,2,1,buy,a", "5,3,1,buy,10"
        path = self.write("X.csv", "time,price,quantity,side,id", *lines)
        for options in (("--ids", "exact"), ("--id-scope", "file"), ("--ties", "log")):
            (row,) = self.rows(path, "--intervals", "1m", *options)
            self.check(row, open=1, close=3)
        (row,) = self.rows(path, "--intervals", "1m", "--ids", "exact", "--ties", "id")
        self.check(row, open=3, close=1)

    def test_equal_ids_fall_to_the_scope(self) -> None:
        lines = "time,price,id,scope", "5,1,7,B", "5,2,7,A"
        (row,) = self.rows(self.write("X.csv", *lines), "--intervals", "1m")
        self.check(row, open=2, close=1, trades=2)

    def test_the_order_of_lines_does_not_matter(self) -> None:
        lines = [f"{i // 3},{7 * i % 11 + 1},{i}.5,buy,{i * 5 % 12}" for i in range(12)]
        self.assertEqual(self.fold(*lines), self.fold(*reversed(lines)))


class Identity(Folding):
    DAY = 86_400 * SECOND

    def volumes(self, *options: str, lines: tuple[str, ...]) -> list[str]:
        rows = self.fold(*lines, options=("--intervals", "1d", *options))
        return [row["volume"] for row in rows]

    def test_the_first_delivery_counts(self) -> None:
        lines = "5,1,1,buy,1", "5,2,10,sell,1", "5,2,100,buy,1"
        self.assertEqual(["1"], self.volumes(lines=lines))
        self.assertIn("lines 3 trades 1 duplicates 2", self.errors)

    def test_symbol_scope_spans_days(self) -> None:
        lines = "0,1,1,buy,1", f"{self.DAY},1,10,buy,1"
        self.assertEqual(["1"], self.volumes(lines=lines))

    def test_day_scope(self) -> None:
        lines = "0,1,1,buy,1", f"{self.DAY - 1},1,10,buy,1", f"{self.DAY},1,100,buy,1"
        self.assertEqual(["1", "100"], self.volumes("--id-scope", "day", lines=lines))

    def test_exact_ids_are_kept_by_the_hour(self) -> None:
        hour = 3600 * SECOND
        lines = "0,1,1,buy,a", f"{hour - 1},1,10,buy,a", f"{hour},1,100,buy,a"
        self.assertEqual(["101"], self.volumes("--ids", "exact", lines=lines))

    def test_without_scope_nothing_is_a_duplicate(self) -> None:
        lines = "0,1,1,buy,1", "0,1,10,buy,1"
        self.assertEqual(["11"], self.volumes("--id-scope", "none", lines=lines))

    def test_without_id_nothing_is_a_duplicate(self) -> None:
        self.assertEqual(["2"], self.volumes(lines=("0,1,1,buy,", "0,1,1,buy,")))

    def test_scope_venue_and_symbol_are_part_of_identity(self) -> None:
        lines = ["0,1,1,buy,1,,,", "0,1,1,buy,1,s,,", "0,1,1,buy,1,,v,", "0,1,1,buy,1,,,Y"]
        path = self.write("X.csv", HEADER, *lines, *lines)
        rows = self.rows(path, "--intervals", "1m", "--keys")
        found = [(row["venue"], row["symbol"], row["trades"]) for row in rows]
        self.assertEqual([("", "X", "2"), ("", "Y", "1"), ("v", "X", "1")], found)
        self.assertIn("duplicates 4", self.errors)

    def test_file_scope(self) -> None:
        one, two = (self.write(name, "time,price,id", "0,1,1") for name in ("X.1.csv", "X.2.csv"))
        self.run_fold(one, two, "--intervals", "1m")
        self.assertIn("trades 1 duplicates 1", self.errors)
        self.run_fold(one, two, "--intervals", "1m", "--id-scope", "file")
        self.assertIn("trades 2 duplicates 0", self.errors)

    def test_a_malformed_line_does_not_take_an_id(self) -> None:
        lines = "0,x,1,buy,1", "0,2,1,buy,1"
        options = ("--intervals", "1m", "--skip-bad")
        (row,) = self.fold(*lines, options=options)
        self.check(row, open=2, trades=1)


class Windows(Folding):
    def starts(self, times: list[str], *options: str) -> list[str]:
        """The starts of the bars of trades at these times."""
        path = self.write("X.csv", "time,price", *(f"{time},1" for time in times))
        return [row["start_us"] for row in self.rows(path, *options)]

    def day_starts(self, day_start: str, zone: str, *edges: str) -> None:
        """Each edge starts a day, and the nanosecond before the next still is of it."""
        times = [str(t) for edge in edges for t in (ns(edge) - 1, ns(edge))][1:]
        options = "--intervals", "1d", "--day-start", day_start, "--zone", zone
        self.assertEqual([us(edge) for edge in edges], self.starts(times, *options))

    def test_windows_hold_their_start_and_not_their_end(self) -> None:
        self.day_starts("00:00", "UTC", "2024-03-10T00:00:00Z", "2024-03-11T00:00:00Z")
        minute = 60 * SECOND
        self.assertEqual(["0", "60000000"], self.starts(
            ["0", str(minute - 1), str(minute)], "--intervals", "1m"
        ))  # fmt: skip

    def test_every_interval(self) -> None:
        at = "2024-03-10T23:59:59.999999999Z"
        expected = {
            "1m": "23:59", "5m": "23:55", "15m": "23:45", "30m": "23:30",
            "1h": "23:00", "4h": "20:00", "1d": "00:00",
        }  # fmt: skip
        for interval, start in expected.items():
            found = self.starts([at], "--intervals", interval)
            self.assertEqual([us(f"2024-03-10T{start}:00Z")], found, interval)

    def test_before_1970(self) -> None:
        self.assertEqual(["-60000000"], self.starts(["-1"], "--intervals", "1m"))

    def test_new_york_day_of_23_hours(self) -> None:
        self.day_starts(
            "00:00", "America/New_York",
            "2024-03-09T05:00:00Z", "2024-03-10T05:00:00Z", "2024-03-11T04:00:00Z",
        )  # fmt: skip

    def test_new_york_day_of_25_hours(self) -> None:
        self.day_starts(
            "00:00", "America/New_York",
            "2024-11-03T04:00:00Z", "2024-11-04T05:00:00Z", "2024-11-05T05:00:00Z",
        )  # fmt: skip

    def test_new_york_start_that_does_not_exist_moves_forward(self) -> None:
        # 02:30 is skipped on the 10th: 03:30 EDT is 07:30 UTC, the next 02:30 EDT 06:30 UTC.
        self.day_starts(
            "02:30", "America/New_York",
            "2024-03-09T07:30:00Z", "2024-03-10T07:30:00Z", "2024-03-11T06:30:00Z",
        )  # fmt: skip

    def test_new_york_start_that_comes_twice_is_the_first(self) -> None:
        # 01:30 comes as EDT (05:30 UTC) and as EST (06:30 UTC) on the 3rd.
        self.day_starts(
            "01:30", "America/New_York",
            "2024-11-02T05:30:00Z", "2024-11-03T05:30:00Z", "2024-11-04T06:30:00Z",
        )  # fmt: skip

    def test_new_york_22_00(self) -> None:
        self.day_starts(
            "22:00", "America/New_York",
            "2024-03-09T03:00:00Z", "2024-03-10T03:00:00Z", "2024-03-11T02:00:00Z",
        )  # fmt: skip

    def test_utc_22_00(self) -> None:
        self.day_starts("22:00", "UTC", "2024-03-09T22:00:00Z", "2024-03-10T22:00:00Z")

    def test_istanbul_has_no_dst_now(self) -> None:
        self.day_starts(
            "00:00", "Europe/Istanbul",
            "2024-03-29T21:00:00Z", "2024-03-30T21:00:00Z", "2024-03-31T21:00:00Z",
        )  # fmt: skip

    def test_istanbul_spring_of_2015(self) -> None:
        # At 01:00 UTC on March 29th 03:00 became 04:00; 03:30 moves to 04:30, which is 01:30 UTC.
        self.day_starts(
            "00:00", "Europe/Istanbul",
            "2015-03-27T22:00:00Z", "2015-03-28T22:00:00Z", "2015-03-29T21:00:00Z",
        )  # fmt: skip
        self.day_starts(
            "03:30", "Europe/Istanbul",
            "2015-03-28T01:30:00Z", "2015-03-29T01:30:00Z", "2015-03-30T00:30:00Z",
        )  # fmt: skip

    def test_istanbul_late_autumn_of_2015(self) -> None:
        # Turkey put the change off by two weeks, to November 8th: 04:00 became 03:00 at 01:00 UTC.
        self.day_starts(
            "00:00", "Europe/Istanbul",
            "2015-10-24T21:00:00Z", "2015-10-25T21:00:00Z", "2015-10-26T21:00:00Z",
        )  # fmt: skip
        self.day_starts(
            "03:30", "Europe/Istanbul",
            "2015-11-07T00:30:00Z", "2015-11-08T00:30:00Z", "2015-11-09T01:30:00Z",
        )  # fmt: skip

    def test_istanbul_stays_on_summer_time_in_2016(self) -> None:
        self.day_starts(
            "22:00", "Europe/Istanbul",
            "2016-10-29T19:00:00Z", "2016-10-30T19:00:00Z", "2016-10-31T19:00:00Z",
        )  # fmt: skip

    def test_a_day_that_samoa_skipped(self) -> None:
        # December 30th 2011 does not exist there: its start is the 31st's, and it holds nothing.
        self.day_starts(
            "00:00", "Pacific/Apia",
            "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z",
        )  # fmt: skip

    def test_local_mean_time_is_refused(self) -> None:
        options = "--intervals", "1d", "--zone", "America/New_York"
        with self.assertRaisesRegex(Malformed, "no interval divides"):
            self.starts(["1800-01-01T00:00:00Z"], *options)

    def test_a_start_off_the_quarter_hour_is_refused(self) -> None:
        with self.assertRaisesRegex(Malformed, "quarter hour"):
            self.starts(["0"], "--intervals", "1d", "--day-start", "09:31")


class Formats(Folding):
    BINANCE = (
        "7,48.80,5,244.0,1381232396477,False,True",
        "8,48.90,2,97.8,1381232396478000,true,false",
    )

    def check_binance(self, path: Path) -> None:
        (row,) = self.rows(path, "--intervals", "1m")
        self.check(
            row, start_us=1381232340000000, open="48.8", close="48.9", volume=7, buy_volume=5,
            sell_volume=2, notional="341.8", first_trade_id=7, last_trade_id=8,
        )  # fmt: skip

    def test_binance_plain_gzip_and_zip(self) -> None:
        plain = self.write("AIG-trades-2013-10-08.csv", *self.BINANCE)
        self.check_binance(plain)
        packed = self.folder / "AIG.csv.gz"
        packed.write_bytes(gzip.compress(plain.read_bytes()))
        self.check_binance(packed)
        with zipfile.ZipFile(self.folder / "AIG.zip", "w") as archive:
            archive.write(plain, "AIG.csv")
        self.check_binance(self.folder / "AIG.zip")

    def test_a_broken_archive_is_an_error(self) -> None:
        packed = self.folder / "X.csv.gz"
        packed.write_bytes(gzip.compress("\n".join(self.BINANCE).encode())[:-12])
        with self.assertRaises(Malformed):
            self.run_fold(packed, "--intervals", "1m")

    def test_columns_in_any_order(self) -> None:
        path = self.write("X.csv", "side,price,time,quantity", "sell,3,0,2")
        (row,) = self.rows(path, "--intervals", "1m")
        self.check(row, open=3, sell_volume=2, buy_volume=0, first_trade_id="")

    def test_times(self) -> None:
        at = 1710057600_123456789
        for text in (
            "1710057600123456789",
            "2024-03-10T08:00:00.123456789Z",
            "2024-03-10T08:00:00.123456789+00:00",
            "2024-03-10T04:00:00.123456789-04:00",
            "2024-03-10T13:45:00.123456789+05:45",
        ):
            self.assertEqual(at, parse_time(text), text)
        self.assertEqual(500_000_000, parse_time("1970-01-01T00:00:00.5Z"))
        self.assertEqual(-1, parse_time("1969-12-31T23:59:59.999999999Z"))

    def test_malformed_times(self) -> None:
        for text in (
            "", "1.5", "1e9", "2024-03-10", "2024-03-10T08:00:00", "2024-03-10 08:00:00Z",
            "2024-02-30T08:00:00Z", "2024-03-10T24:00:00Z", "2024-03-10T08:00:60Z",
            "2024-03-10T08:00:00.1234567890Z", "2024-03-10T08:00:00.Z",
            "2024-03-10T08:00:00+24:00", "9223372036854775808", "2262-04-11T23:47:16.854775808Z",
        ):  # fmt: skip
            with self.assertRaises(Malformed, msg=text):
                parse_time(text)

    def test_numbers(self) -> None:
        for text in ("0.000000000000000001", "999999999999999999", "-5", "007", "1.50"):
            self.assertEqual(Decimal(text), parse_number(text))
        self.assertEqual(1, parse_number("1." + "0" * 30))
        for text in (
            "", "+1", "1e3", ".5", "5.", "1,5", " 1", "NaN", "Infinity", "١", "1_000",
            "1000000000000000000", "0.0000000000000000001", "1.000000000000000001",
        ):  # fmt: skip
            with self.assertRaises(Malformed, msg=text):
                parse_number(text)

    def test_malformed_lines_are_errors_or_counted(self) -> None:
        bad = (
            "0,1,-1,buy,1", "0,1,1,BUY,1", "0,1,1,buy", "0,1,1,buy,1,2", "x,1,1,buy,1",
            "0,,1,buy,1", '0,1,1,buy,"1', "0,1,1,buy,\udcff",
        )  # fmt: skip
        good = "0,5,2,buy,9"
        for line in bad:
            path = self.folder / "X.csv"
            lines = "\n".join(("time,price,quantity,side,id", line, good, ""))
            path.write_bytes(lines.encode(errors="surrogateescape"))
            with self.assertRaisesRegex(Malformed, r"X\.csv:2: ", msg=line):
                self.run_fold(path, "--intervals", "1m")
            (row,) = self.rows(path, "--intervals", "1m", "--skip-bad")
            self.check(row, open=5, trades=1)
            self.assertIn("lines 2 trades 1 duplicates 0 malformed 1", self.errors)

    def test_malformed_binance_lines(self) -> None:
        for line in (
            "8,1,1,1,1381232396477,False", "x,1,1,1,1381232396477,False,True",
            "8,1,,1,1381232396477,False,True", "8,1,1,1,1381232396477,FALSE,True",
            "8,1,1,1,2013-10-08T00:00:00Z,False,True", "8,1,1,,1381232396477,False,True",
        ):  # fmt: skip
            path = self.write("X.csv", self.BINANCE[0], line)
            with self.assertRaisesRegex(Malformed, r"X\.csv:2: ", msg=line):
                self.run_fold(path, "--intervals", "1m")

    def test_headers_that_are_none(self) -> None:
        for header in ("time,quantity", "time,price,price", "time,price,amount", "x"):
            path = self.write("X.csv", header, "0,1")
            with self.assertRaisesRegex(Malformed, r"X\.csv:1: ", msg=header):
                self.run_fold(path, "--intervals", "1m", "--skip-bad")


class Output(Folding):
    def test_files_by_symbol_venue_date_and_interval(self) -> None:
        lines = "0,1,1,buy,1,,,", f"{86400 * SECOND},1,1,buy,2,,,", "0,1,1,buy,1,,v,A/B"
        path = self.write("X.csv", HEADER, *lines)
        self.run_fold(path, "--intervals", "1m,1d", "-o", self.folder / "bars")
        names = sorted(file.name for file in (self.folder / "bars").iterdir())
        stems = ("A%2FB@v-1970-01-01", "X-1970-01-01", "X-1970-01-02")
        self.assertEqual([f"{s}-{i}.csv" for s in stems for i in ("1d", "1m")], names)

    def test_one_table_holds_one_series_or_has_keys(self) -> None:
        path = self.write("X.csv", "time,price", "0,1")
        with self.assertRaisesRegex(Malformed, "--keys"):
            self.run_fold(path, "--intervals", "1m,5m")
        text = self.run_fold(path, "--intervals", "1m,5m", "--keys")
        self.assertEqual(3, len(text.splitlines()))
        self.assertTrue(text.startswith("venue,symbol,interval,start_us,open,"))

    def test_columns_are_those_of_the_expected_bars(self) -> None:
        path = self.write("X.csv", "time,price,quantity,side", "0,1.50,2,sell")
        self.assertEqual(
            "start_us,open,high,low,close,volume,buy_volume,notional,trades,first_trade_id,"
            "last_trade_id\n0,1.5,1.5,1.5,1.5,2,0,3,1,,\n",
            self.run_fold(path, "--intervals", "1m"),
        )


if __name__ == "__main__":
    unittest.main()
