"""Starts the binary as a newcomer does, waits for bars over REST, and stops it.

    smoke.py [BINARY]

The binary is that of the last `cargo build`. It runs on a free port, in a folder of its own that
is removed. Exit status 0 only when bars came, everything was ready, and SIGTERM ended it with 0.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

SYMBOLS = ("EURUSD", "BTCUSDT")
BARS_WITHIN_S = 30
STOPPED_WITHIN_S = 30


def binary() -> Path:
    if len(sys.argv) > 1:
        return Path(sys.argv[1])
    target = os.environ.get("CARGO_TARGET_DIR") or Path(__file__).parent.parent / "target"
    return Path(target) / "debug" / "candlewick"


def start(folder: str) -> subprocess.Popen[str]:
    # Whatever of the caller's environment configures the binary is left out.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CANDLEWICK_")}
    arguments = ["standalone", "--feed", "synthetic", "--symbols", ",".join(SYMBOLS)]
    return subprocess.Popen(
        [binary(), *arguments, "--data", folder, "--listen", "127.0.0.1:0"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )


class Output(threading.Thread):
    """What the process prints, read as it comes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.lines: list[str] = []
        self.address: str | None = None
        self.start()

    def run(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            found = re.search(r"http://(127\.0\.0\.1:\d+)/", line)
            if found and self.address is None:
                self.address = found[1]


def get(address: str, path: str) -> object:
    with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as response:
        return json.load(response)


def bars(address: str, symbol: str) -> list[dict[str, object]]:
    answer = get(address, f"/api/v1/bars/synthetic/{symbol}?interval=1m")
    assert isinstance(answer, dict)
    return list(answer["data"])


def wait_for_bars(process: subprocess.Popen[str], output: Output) -> str:
    deadline = time.monotonic() + BARS_WITHIN_S
    last = "it did not say where it listens"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return f"it ended with {process.returncode}"
        if output.address:
            try:
                found = {symbol: bars(output.address, symbol) for symbol in SYMBOLS}
                get(output.address, "/readyz")
                if all(found.values()):
                    print(f"  {SYMBOLS[0]}: {json.dumps(found[SYMBOLS[0]][-1])}")
                    return ""
                last = "no bars"
            except (OSError, ValueError, KeyError) as error:
                last = str(error)
        time.sleep(0.1)
    return f"after {BARS_WITHIN_S} s: {last}"


def stop(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGTERM)
    try:
        status = process.wait(STOPPED_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return f"it was told to stop and had not after {STOPPED_WITHIN_S} s"
    return "" if status == 0 else f"it was told to stop and ended with {status}"


def main() -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="candlewick-smoke-") as folder:
        process = start(folder)
        output = Output(process)
        try:
            wrong = wait_for_bars(process, output)
            wrong = wrong or stop(process)
        finally:
            process.kill()
            process.wait()
    if wrong:
        output.join(5)
        sys.stdout.writelines(f"  | {line}" for line in output.lines[-40:])
        print(f"smoke: failed: {wrong}")
        return 1
    print(f"smoke: bars came, and it stopped cleanly ({time.monotonic() - began:.1f} s in all)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
