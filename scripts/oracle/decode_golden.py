"""Prints golden MessagePack files as JSON lines, decoded by the reference Python decoder.

    decode_golden.py FILE…

A Rust test compares what it prints with what the engine meant to write, so that our encoder is
checked by a decoder that is not ours. Each object of each file is a line:

    {"file": NAME, "index": POSITION IN THE FILE, "value": …}

Bytes are printed as lower-case hex, maps in the order of the wire, their integer keys as text,
floats as Python's shortest text, extensions as {"ext": CODE, "data": HEX} and timestamps (ext -1)
as {"seconds": …, "nanoseconds": …}. Text that is no UTF-8, a key that comes twice, NaN and
infinities, and bytes left over after the last object are errors: a golden file has no excuse.

The only thing here beyond the standard library is the `msgpack` package. `make setup` puts it into
a virtual environment, never into the system's Python:

    python3 -m venv .venv
    .venv/bin/pip install -r scripts/oracle/requirements.txt
    .venv/bin/python scripts/oracle/decode_golden.py FILE…
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

try:
    import msgpack  # type: ignore[import-untyped]
except ImportError:
    sys.exit("decode_golden.py: needs msgpack: run `make setup` and use .venv/bin/python")


def unique_keys(pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
    """A map with keys as JSON has them. Two keys that print alike would hide one another."""
    keyed = {key_text(key): value for key, value in pairs}
    if len(keyed) != len(pairs):
        raise ValueError(f"a key comes twice: {[key for key, _ in pairs]}")
    return keyed


def key_text(key: Any) -> str:
    if isinstance(key, bytes):
        return key.hex()
    if isinstance(key, str):
        return key
    if isinstance(key, int) and not isinstance(key, bool):
        return str(key)
    raise ValueError(f"a map's key is neither text, bytes nor an integer: {key!r}")


def as_json(value: Any) -> Any:
    """What `json` cannot print itself."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, msgpack.ExtType):
        return {"ext": value.code, "data": value.data.hex()}
    if isinstance(value, msgpack.Timestamp):
        return {"seconds": value.seconds, "nanoseconds": value.nanoseconds}
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    return value


def objects(data: bytes) -> Iterator[Any]:
    unpacker = msgpack.Unpacker(
        BytesIO(data),
        object_pairs_hook=unique_keys,
        strict_map_key=False,
        max_buffer_size=max(len(data), 1),
    )
    end = 0
    for value in unpacker:
        end = unpacker.tell()
        yield as_json(value)
    if end != len(data):
        raise ValueError(f"{len(data) - end} bytes after the last object")


def print_file(path: Path) -> None:
    data = path.read_bytes()
    if not data:
        raise ValueError("holds nothing")
    for index, value in enumerate(objects(data)):
        line = {"file": path.name, "index": index, "value": value}
        print(json.dumps(line, allow_nan=False, ensure_ascii=False))


def main() -> int:
    parser = argparse.ArgumentParser(description="Prints golden MessagePack files as JSON lines.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    for path in parser.parse_args().files:
        try:
            print_file(path)
        except (ValueError, OSError, msgpack.UnpackException) as error:
            print(f"decode_golden.py: {path}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
