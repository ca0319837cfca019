#!/usr/bin/env bash
# Every test. `make test` calls it, after setup and with the variables it reads:
# CARGO, CARGOFLAGS, CANDLEWICK_PYTHON, CANDLEWICK_TAPES.
#
# A test that reads the tapes has `of_the_tapes` in its name. Where there are no tapes those are
# left out, which is said; where CANDLEWICK_TAPES names a folder they run, and fail if it lacks one.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly CARGO=${CARGO:-cargo}
readonly PYTHON=${CANDLEWICK_PYTHON:-$PWD/.venv/bin/python}
read -ra FLAGS <<<"${CARGOFLAGS:-}"
readonly ORACLE=scripts/oracle

# unittest chooses by what a name has, not by what it lacks.
readonly WITHOUT_TAPES='
import sys, unittest
def chosen(tests):
    for test in tests:
        if isinstance(test, unittest.TestSuite):
            yield from chosen(test)
        elif "of_the_tapes" not in test.id():
            yield test
suite = unittest.TestSuite(chosen(unittest.defaultTestLoader.discover(".")))
sys.exit(not unittest.TextTestRunner().run(suite).wasSuccessful())
'

failed=()
# part NAME COMMAND…: runs it, and remembers whether it failed, so that one run tells all.
part() {
    local name=$1
    shift
    echo "== $name"
    "$@" || failed+=("$name")
}
in_oracle() { (cd "$ORACLE" && "$PYTHON" "$@"); }
start_binary() {
    # With the tests, so that nothing is compiled again with fewer features.
    "$CARGO" build -q ${FLAGS[@]+"${FLAGS[@]}"} --workspace --bins --tests &&
        "$PYTHON" scripts/smoke.py
}

skip=()
oracle=(-m unittest)
if [ -z "${CANDLEWICK_TAPES:-}" ]; then
    unset CANDLEWICK_TAPES
    echo "CANDLEWICK_TAPES is not set and ../shared/tapes is not there: tests of the tapes are LEFT OUT"
    skip=(--skip of_the_tapes)
    oracle=(-c "$WITHOUT_TAPES")
fi

part "Rust" "$CARGO" test ${FLAGS[@]+"${FLAGS[@]}"} --workspace --no-fail-fast -- ${skip[@]+"${skip[@]}"}
part "the second fold" in_oracle "${oracle[@]}"
part "a start of the binary" start_binary

if [ ${#failed[@]} -gt 0 ]; then
    printf 'FAILED: %s\n' "${failed[@]}"
    exit 1
fi
echo "all tests passed"
