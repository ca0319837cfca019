#!/usr/bin/env bash
# Every test. `make test` calls it, after setup and with the variables it reads:
# CARGO, CARGOFLAGS, CANDLEWICK_PYTHON, CANDLEWICK_TAPES.
#
# A test that reads the tapes has `of_the_tapes` in its name. Without CANDLEWICK_TAPES these tests are
# left out, and the script says so; with it they run, and fail if a tape is missing.
#
# Tests that need a server get its address from CANDLEWICK_KAFKA, CANDLEWICK_TIMESCALEDB,
# CANDLEWICK_CLICKHOUSE, CANDLEWICK_REDIS, CANDLEWICK_REDIS_SENTINEL and CANDLEWICK_REDIS_CLUSTER, and
# those with TLS and passwords from CANDLEWICK_KAFKA_SECURE and CANDLEWICK_TIMESCALEDB_SECURE. For
# variables that are not set an instance of scripts/stack is started, with its own ports and data, and
# removed at the end. If the servers do not start nothing is tested, and the script fails.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly CARGO=${CARGO:-cargo}
readonly PYTHON=${CANDLEWICK_PYTHON:-$PWD/.venv/bin/python}
read -ra FLAGS <<<"${CARGOFLAGS:-}"
readonly ORACLE=scripts/oracle
readonly STACK=scripts/stack/stack.sh

# unittest can select tests by a part of their name, but not exclude them.
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
# part NAME COMMAND…: runs the command and records a failure, so that one run reports all failures.
part() {
    local name=$1
    shift
    echo "== $name"
    "$@" || failed+=("$name")
}
in_oracle() { (cd "$ORACLE" && "$PYTHON" "$@"); }
start_binary() {
    # Built together with the tests, so that nothing is compiled again with fewer features.
    "$CARGO" build -q ${FLAGS[@]+"${FLAGS[@]}"} --workspace --bins --tests &&
        "$PYTHON" scripts/smoke.py
}

# Runs the real processes over real servers with twenty faults. The binaries are built by now.
torture() {
    "${CARGO_TARGET_DIR:-target}/debug/candlewick-torture" --seed 12 --count 20 --stack "torture-$$"
}

# Removes instances of earlier runs that were killed: an instance is named by the process id of its
# run.
remove_left_over() {
    local name
    for name in $("$STACK" list); do
        if [[ $name =~ ^(test|torture)-([0-9]+)$ ]] && [ ! -e "/proc/${BASH_REMATCH[2]}" ]; then
            "$STACK" reset "$name"
        fi
    done
}

instance=
start_servers() {
    local server variable missing=() sets=()
    for server in kafka timescaledb clickhouse redis \
        redis_sentinel redis_cluster kafka_secure timescaledb_secure; do
        variable=CANDLEWICK_${server^^}
        if [ -n "${!variable:-}" ]; then
            echo "$variable is set: tests use the server there"
        elif [[ $server = *_* ]]; then
            sets+=("$server")
        else
            missing+=("$server")
        fi
    done
    [ $((${#missing[@]} + ${#sets[@]})) -gt 0 ] || return 0
    unset CANDLEWICK_STACK_NAME "${!STACK_@}"
    remove_left_over
    instance=test-$$
    if ! start_missing "${missing[*]}" "${sets[@]}"; then
        echo "FAILED: the servers that tests need did not start, and nothing was tested"
        exit 1
    fi
}

# in_instance COMMAND…: runs a command for this run's instance, whatever instance the environment names.
in_instance() (
    if [ -n "${CANDLEWICK_STACK_DIR:-}" ]; then
        export CANDLEWICK_STACK=${CANDLEWICK_STACK:-$(dirname "$CANDLEWICK_STACK_DIR")}
        unset CANDLEWICK_STACK_DIR
    fi
    CANDLEWICK_STACK_NAME=$instance "$@"
)

# start_missing SERVERS [SERVER_SET…]: starts servers of the instance and exports their addresses.
# It is called in a condition, in which bash does not stop at a command that fails.
start_missing() {
    local servers=$1 set environment address
    shift
    if [ -n "$servers" ]; then
        STACK_SERVERS=$servers "$STACK" up "$instance" || return
        environment=$(STACK_SERVERS=$servers "$STACK" env "$instance") || return
        eval "$environment"
    fi
    for set in "$@"; do
        address=$(in_instance "scripts/stack/${set%_*}.sh" "${set#*_}" start) || return
        export "CANDLEWICK_${set^^}=$address"
    done
}

stop_servers() {
    local status=$?
    trap '' INT TERM HUP
    if [ -n "$instance" ]; then
        "$STACK" reset "$instance" || status=1
    fi
    if "$STACK" list | grep -qx "torture-$$"; then
        "$STACK" reset "torture-$$" || status=1
    fi
    exit "$status"
}
trap stop_servers EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

skip=()
oracle=(-m unittest)
if [ -z "${CANDLEWICK_TAPES:-}" ]; then
    unset CANDLEWICK_TAPES
    echo "CANDLEWICK_TAPES is not set and ../shared/tapes is not there: tests of the tapes are LEFT OUT"
    skip=(--skip of_the_tapes)
    oracle=(-c "$WITHOUT_TAPES")
fi

start_servers
part "Rust" "$CARGO" test ${FLAGS[@]+"${FLAGS[@]}"} --workspace --no-fail-fast -- ${skip[@]+"${skip[@]}"}
part "the second fold" in_oracle "${oracle[@]}"
part "a start of the binary" start_binary
part "torture" torture

if [ ${#failed[@]} -gt 0 ]; then
    printf 'FAILED: %s\n' "${failed[@]}"
    exit 1
fi
echo "all tests passed"
