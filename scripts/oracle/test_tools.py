"""Tests of the generator, the comparison and the decoder of golden files."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import subprocess
import sys
import tempfile
import unittest
from collections import Counter
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import compare
import fold
import generate
from tape import Source, Tally, Trade, read_tape

HERE = Path(__file__).parent
HEAD = "start_us,open,trades,first_trade_id"


class Folder(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def write(self, name: str, *lines: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(line + "\n" for line in lines))
        return path


class Generator(Folder):
    def make(self, seed: int, kind: str, trades: int = 3000, symbols: int = 5) -> Path:
        path = self.folder / f"{seed}-{kind}.csv"
        argv = [
            "generate.py", "--seed", str(seed), "--trades", str(trades),
            "--symbols", str(symbols), "--ids", kind, "-o", str(path),
        ]  # fmt: skip
        with patch("sys.argv", argv):
            self.assertEqual(0, generate.main())
        return path

    def read(self, path: Path) -> list[Trade]:
        return list(read_tape(Source(path, "X"), Tally()))

    def distinct(self, trades: list[Trade]) -> list[Trade]:
        return list(fold.first_deliveries(trades, fold.Rules(), Tally()))

    def test_a_seed_gives_one_tape(self) -> None:
        for kind in generate.ID_KINDS:
            first = self.make(1, kind).read_bytes()
            self.assertEqual(first, self.make(1, kind).read_bytes())
            self.assertNotEqual(first, self.make(2, kind).read_bytes())

    def test_the_tape_is_hostile(self) -> None:
        trades = self.read(self.make(3, "contiguous"))
        self.assertEqual({"buy", "sell", ""}, {trade.side for trade in trades})
        self.assertTrue(any(trade.quantity is None for trade in trades))
        self.assertLess(min(trade.price for trade in trades), 1e-6)
        self.assertGreater(max(trade.price for trade in trades), 1e4)
        self.assertGreater(len(trades), 3000)  # redeliveries
        self.assertEqual(3000, len(self.distinct(trades)))
        self.assertLess(len({(t.venue, t.symbol, t.time) for t in trades}), 2900)  # ties
        late = [a.time - b.time for a, b in pairwise(trades)]
        self.assertGreater(max(late), generate.HOUR)
        self.assertEqual({"alpha", "beta", "gamma"}, {trade.venue for trade in trades})
        self.assertEqual(2, len({trade.symbol for trade in trades}))
        span = range(generate.BEGIN, generate.BEGIN + generate.SPAN)
        self.assertTrue(all(trade.time in span for trade in trades))

    def test_kinds_of_ids(self) -> None:
        for kind in ("contiguous", "holes"):
            ids = self.ids_by_instrument(kind)
            full = [sorted(found) == list(range(1, len(found) + 1)) for found in ids.values()]
            self.assertEqual([kind == "contiguous"] * len(full), full)
        self.assertEqual({""}, {trade.id for trade in self.read(self.make(4, "none"))})
        lengths = Counter(len(trade.id) for trade in self.read(self.make(4, "uuid")))
        self.assertEqual(36, lengths.most_common(1)[0][0])

    def ids_by_instrument(self, kind: str) -> dict[tuple[str, str], list[int]]:
        ids: dict[tuple[str, str], list[int]] = {}
        for trade in self.distinct(self.read(self.make(4, kind))):
            ids.setdefault((trade.venue, trade.symbol), []).append(int(trade.id))
        return ids

    def test_bars_do_not_depend_on_the_order_of_trades(self) -> None:
        for kind in ("contiguous", "holes", "uuid"):
            trades = self.distinct(self.read(self.make(5, kind)))
            self.assertEqual(self.bars(trades), self.bars(trades[::-1]), kind)

    def bars(self, trades: list[Trade]) -> list[list[str]]:
        bars = fold.fold(trades, fold.Rules(), Tally())
        return [[*series, *bar.row(at, full=True)] for series, at, bar in fold.in_order(bars)]

    def test_exact_ids_find_the_same_duplicates(self) -> None:
        trades = self.read(self.make(6, "uuid"))
        exact = list(fold.first_deliveries(trades, fold.Rules(ids="exact"), Tally()))
        self.assertEqual(self.distinct(trades), exact)


class Comparison(Folder):
    def compare(self, expected: Path, actual: Path) -> tuple[int, list[str]]:
        out = io.StringIO()
        argv = ["compare.py", str(expected), str(actual)]
        with (
            patch("sys.argv", argv),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(out),
        ):
            status = compare.main()
        return status, out.getvalue().splitlines()

    def files(self, expected: str, actual: str) -> tuple[int, list[str]]:
        return self.compare(self.write("e.csv", HEAD, expected), self.write("a.csv", HEAD, actual))

    def test_equal_as_decimals(self) -> None:
        self.assertEqual(0, self.files("0,1.50,2,7", "0,1.5,2.0,7")[0])
        self.assertEqual(1, self.files("0,1.50,2,7", "0,1.500000000000000000000000000001,2,7")[0])

    def test_names_the_difference(self) -> None:
        status, lines = self.files("0,1.5,2,7", "0,1.6,2,8")
        self.assertEqual(1, status)
        self.assertEqual("e.csv: start 0: open: expected 1.5, actual 1.6", lines[0])
        self.assertEqual("e.csv: start 0: first_trade_id: expected 7, actual 8", lines[1])

    def test_ids_compare_as_text(self) -> None:
        self.assertEqual(1, self.files("0,1,1,100000", "0,1,1,1e5")[0])

    def test_what_is_no_number_never_equals(self) -> None:
        for cell in ("", "NaN", "Infinity", "x"):
            self.assertEqual(1, self.files(f"0,{cell},1,1", f"0,{cell},1,1")[0], cell)

    def test_rows_and_columns_that_one_side_has(self) -> None:
        status, lines = self.files("0,1,1,1", "60,1,1,1")
        self.assertEqual(1, status)
        self.assertEqual("e.csv: start 0: row: expected present, actual missing", lines[0])
        self.assertEqual("e.csv: start 60: row: expected missing, actual present", lines[1])
        more = self.write("m.csv", HEAD + ",revision", "0,1,1,1,0")
        status, lines = self.compare(self.write("e.csv", HEAD, "0,1,1,1"), more)
        self.assertEqual(1, status)
        self.assertEqual("e.csv: column revision: expected missing, actual present", lines[0])

    def test_what_cannot_be_read(self) -> None:
        good = self.write("g.csv", HEAD, "0,1,1,1")
        for lines in ((), ("a,b",), (HEAD, "0,1"), (HEAD, "0,1,1,1", "0,1,1,1"), (HEAD, "x,1,1,1")):
            self.assertEqual(2, self.compare(good, self.write("b.csv", *lines))[0], lines)
        self.assertEqual(2, self.compare(good, self.folder / "none.csv")[0])

    def test_nothing_to_compare_is_an_error(self) -> None:
        (self.folder / "empty").mkdir()
        self.assertEqual(2, self.compare(self.folder / "empty", self.folder / "empty")[0])

    def test_a_folder_with_a_file_and_with_a_keyed_table(self) -> None:
        for interval in ("1m", "5m"):
            self.write(f"bars/X-1970-01-01-{interval}.csv", HEAD, "0,1,1,1")
        bars = self.folder / "bars"
        self.assertEqual(0, self.compare(bars, bars)[0])
        self.assertEqual(
            0, self.compare(bars, self.write("X-1970-01-01-1m.csv", HEAD, "0,1,1,1"))[0]
        )
        self.assertEqual(
            2, self.compare(bars, self.write("Y-1970-01-01-1m.csv", HEAD, "0,1,1,1"))[0]
        )
        keyed = "venue,symbol,interval," + HEAD, ",X,1m,0,1,1,1", ",X,5m,0,1,1,1"
        self.assertEqual(0, self.compare(bars, self.write("all.csv", *keyed))[0])
        status, lines = self.compare(bars, self.write("all.csv", *keyed[:2]))
        self.assertEqual(1, status)
        self.assertIn("X-1970-01-01-5m.csv: file: expected present, actual missing", lines)


@unittest.skipUnless(importlib.util.find_spec("msgpack"), "msgpack is only in make setup's .venv")
class Golden(Folder):
    def decode(self, data: bytes) -> subprocess.CompletedProcess[str]:
        path = self.folder / "g.msgpack"
        path.write_bytes(data)
        command = [sys.executable, str(HERE / "decode_golden.py"), str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def test_values(self) -> None:
        cases = {
            b"\x93\x01\xc0\xc3": [1, None, True],
            b"\xcf" + b"\xff" * 8: 2**64 - 1,
            b"\xd3\x80" + b"\0" * 7: -(2**63),
            b"\xc4\x02\x00\xff": "00ff",
            b"\xa2\xc3\xa9": "é",
            b"\x82\x02\xa1a\x01\xc4\x01\x0f": {"2": "a", "1": "0f"},
            b"\xd4\x05\x2a": {"ext": 5, "data": "2a"},
            b"\xd6\xff\x00\x00\x00\x07": {"seconds": 7, "nanoseconds": 0},
            b"\xcb\x3f\xf8" + b"\0" * 6: 1.5,
        }
        done = self.decode(b"".join(cases))
        self.assertEqual("", done.stderr)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(list(cases.values()), [line["value"] for line in lines])
        self.assertEqual(list(range(len(cases))), [line["index"] for line in lines])

    def test_errors(self) -> None:
        for data in (
            b"", b"\x92\x01", b"\x01\xc1", b"\xa1\xff", b"\x82\x01\x02\x01\x03",
            b"\x82\x01\x02\xa11\x03", b"\xcb\x7f\xf8" + b"\0" * 6, b"\x81\x90\x01",
        ):  # fmt: skip
            self.assertEqual(1, self.decode(data).returncode, data)


if __name__ == "__main__":
    unittest.main()
