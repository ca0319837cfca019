"""Compares tables of bars by value and names each difference.

    compare.py EXPECTED_DIR_OR_FILE ACTUAL_CSV

Prices, volumes and counts compare as decimals, so 1.50 is 1.5; ids, venue, symbol and interval
compare as text, since an id like 1e5 is not the id 100000. Rows are found by their start, so their
order does not matter. A row or column that only one side has is a difference, as is a cell that
should be a number and is none, even if both sides have it.

Either side may be a folder of SYMBOL-DATE-INTERVAL.csv files, one file, or one table led by
venue, symbol and interval (`fold.py --keys`), which is then read as the files it stands for.
Against a folder, a file without such columns is compared with the folder's file of the same name.
An expected side without a single table is an error: comparing nothing proves nothing.

Prints a line for each difference, and how many there are; exits 0 only if all is equal, 1 if not,
and 2 if something cannot be read.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

from fold import KEYS, Series, file_name

START = "start_us"
TEXT_COLUMNS = {"first_trade_id", "last_trade_id", *KEYS}

Row = dict[str, str]


class Table(NamedTuple):
    """One file's columns, and its rows by start."""

    columns: tuple[str, ...]
    rows: dict[int, Row]


Tables = dict[str, Table]


class Difference(NamedTuple):
    file: str
    start: int | None
    column: str
    expected: str
    actual: str

    def __str__(self) -> str:
        where = self.file if self.start is None else f"{self.file}: start {self.start}"
        return f"{where}: {self.column}: expected {self.expected}, actual {self.actual}"


def load(path: Path) -> Tables:
    """The tables of a folder or a file, by file name."""
    if not path.is_dir():
        return load_file(path)
    tables: Tables = {}
    for file in sorted(path.glob("*.csv")):
        tables |= load_file(file)
    return tables


def load_file(path: Path) -> Tables:
    with path.open(newline="") as file:
        lines = csv.reader(file, strict=True)
        columns = tuple(next(lines, ()))
        if START not in columns or len(set(columns)) != len(columns):
            raise ValueError(f"{path}: not a table of bars: columns {list(columns)}")
        keyed = set(KEYS) <= set(columns)
        tables = {} if keyed else {path.name: Table(columns, {})}
        for cells in lines:
            if len(cells) != len(columns):
                raise ValueError(f"{path}:{lines.line_num}: {len(cells)} cells, not {len(columns)}")
            row = dict(zip(columns, cells, strict=True))
            put(tables, columns, row, None if keyed else path.name)
    return tables


def put(tables: Tables, columns: tuple[str, ...], row: Row, name: str | None) -> None:
    start = int(row[START])
    if name is None:
        columns = tuple(column for column in columns if column not in KEYS)
        name = file_name(Series(*(row.pop(key) for key in KEYS)), start)
    rows = tables.setdefault(name, Table(columns, {})).rows
    if start in rows:
        raise ValueError(f"{name}: start {start} comes twice")
    rows[start] = row


def differences(expected: Tables, actual: Tables) -> Iterator[Difference]:
    for name in sorted(expected.keys() | actual.keys()):
        if name not in actual:
            yield Difference(name, None, "file", "present", "missing")
        elif name not in expected:
            yield Difference(name, None, "file", "missing", "present")
        else:
            yield from table_differences(name, expected[name], actual[name])


def table_differences(name: str, expected: Table, actual: Table) -> Iterator[Difference]:
    for column in sorted(set(expected.columns) ^ set(actual.columns)):
        sides = ("present", "missing") if column in expected.columns else ("missing", "present")
        yield Difference(name, None, f"column {column}", *sides)
    common = [column for column in expected.columns if column in actual.columns]
    for start in sorted(expected.rows.keys() | actual.rows.keys()):
        if start not in actual.rows:
            yield Difference(name, start, "row", "present", "missing")
        elif start not in expected.rows:
            yield Difference(name, start, "row", "missing", "present")
        else:
            rows = expected.rows[start], actual.rows[start]
            yield from row_differences(name, start, common, *rows)


def row_differences(
    name: str, start: int, columns: list[str], expected: Row, actual: Row
) -> Iterator[Difference]:
    for column in columns:
        if not equal(column, expected[column], actual[column]):
            yield Difference(name, start, column, expected[column] or "''", actual[column] or "''")


def equal(column: str, expected: str, actual: str) -> bool:
    if column in TEXT_COLUMNS:
        return expected == actual
    try:
        left, right = Decimal(expected), Decimal(actual)
    except InvalidOperation:
        return False
    return left.is_finite() and right.is_finite() and left == right


def pair(expected: Path, actual: Path) -> tuple[Tables, Tables]:
    """Both sides under the same names."""
    right = load(actual)
    if expected.is_dir() and actual.name in right and actual.is_file():
        return load_file(expected / actual.name), right
    left = load(expected)
    if expected.is_file() and expected.name in left and actual.name in right:
        right = {expected.name: right[actual.name]}
    return left, right


def main() -> int:
    parser = argparse.ArgumentParser(description="Compares tables of bars by value.")
    parser.add_argument("expected", type=Path, metavar="EXPECTED_DIR_OR_FILE")
    parser.add_argument("actual", type=Path, metavar="ACTUAL_CSV")
    options = parser.parse_args()
    try:
        expected, actual = pair(options.expected, options.actual)
        if not expected:
            raise ValueError(f"{options.expected}: no tables: nothing to compare")
    except (ValueError, OSError, csv.Error) as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 2
    return report(list(differences(expected, actual)), expected)


def report(found: list[Difference], expected: Tables) -> int:
    for difference in found:
        print(difference)
    rows = sum(len(table.rows) for table in expected.values())
    print(f"{len(found)} differences in {len(expected)} tables of {rows} expected rows")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
