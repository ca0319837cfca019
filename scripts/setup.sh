#!/usr/bin/env bash
# Sees that the tools are there which building (`build`) and testing (`test`) need.
#
#     scripts/setup.sh build test
#
# What is missing is installed with apt-get, where that is there and we may use it, and named
# otherwise. A machine that has everything sees no output and nothing changed.
set -euo pipefail
cd "$(dirname "$0")/.."

VENV=$(realpath -m -- "${VENV:-.venv}")
readonly VENV
readonly PYTHON=${CANDLEWICK_PYTHON:-$VENV/bin/python}
readonly REQUIREMENTS=scripts/oracle/requirements.txt

say() { printf 'setup: %s\n' "$*" >&2; }
fail() {
    say "$*"
    exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

# Prints how apt-get is called here; nothing where it may not be.
apt_command() {
    has apt-get || return 0
    if [ "$(id -u)" = 0 ]; then
        echo apt-get
    elif has sudo && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
        echo sudo apt-get
    fi
}

apt_updated=
# install REASON PACKAGE…
install() {
    local reason=$1 apt
    shift
    apt=$(apt_command)
    [ -n "$apt" ] || fail "$reason. Install it first; on Debian: apt-get install $*"
    say "$reason: installing $*"
    export DEBIAN_FRONTEND=noninteractive
    # $apt is one or two words, to be split.
    if [ -z "$apt_updated" ]; then
        # shellcheck disable=SC2086
        $apt update -qq >/dev/null || say "apt-get update failed; trying with the lists there are"
        apt_updated=yes
    fi
    # shellcheck disable=SC2086
    $apt install -y -qq --no-install-recommends "$@" >/dev/null </dev/null ||
        fail "apt-get install $* failed"
}

rust() {
    has cargo || fail "there is no Rust toolchain: see https://rustup.rs, then run this again"
    if has rustup; then
        # rust-toolchain.toml names the version and its components.
        cargo --version >/dev/null 2>&1 || rustup toolchain install ||
            fail "the toolchain that rust-toolchain.toml names could not be installed"
        if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
            rustup component add rustfmt clippy || fail "rustfmt and clippy could not be installed"
        fi
        return
    fi
    local needed found
    needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    found=$(cargo --version | cut -d' ' -f2)
    printf '%s\n%s\n' "$needed" "$found" | sort -VC ||
        fail "cargo is $found and $needed is needed: see https://rustup.rs"
}

# SQLite, zstd, ring and BLAKE3 bring C and assembly along.
compiler() {
    has cc || install "a C compiler is missing" gcc libc6-dev
}

# Python 3.11 is the first with all that the second fold uses.
is_recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
has_msgpack() { "$1" -c 'import msgpack' 2>/dev/null; }
has_zones() { "$1" -c 'import zoneinfo; zoneinfo.ZoneInfo("America/New_York")' 2>/dev/null; }

# Makes the virtual environment with what the tests import.
environment() {
    has python3 || install "python3 is missing" python3 python3-venv
    is_recent python3 ||
        fail "$(python3 --version) is too old: 3.11 is needed; name one in CANDLEWICK_PYTHON"
    if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
        install "python3 cannot make virtual environments" python3-venv
    fi
    say "making $VENV"
    rm -rf "$VENV"
    python3 -m venv "$VENV" || fail "python3 -m venv $VENV failed"
    "$VENV/bin/pip" install -q --disable-pip-version-check -r "$REQUIREMENTS" && return
    say "pip could not install $REQUIREMENTS; looking for the system's msgpack"
    has_msgpack /usr/bin/python3 || install "msgpack is missing" python3-msgpack
    rm -rf "$VENV"
    /usr/bin/python3 -m venv --system-site-packages "$VENV"
}

python() {
    if [ "$PYTHON" = "$VENV/bin/python" ]; then
        has_msgpack "$PYTHON" || environment
    fi
    is_recent "$PYTHON" || fail "$PYTHON (CANDLEWICK_PYTHON) is not a Python of 3.11 or later"
    has_msgpack "$PYTHON" || fail "$PYTHON lacks msgpack: $PYTHON -m pip install -r $REQUIREMENTS"
    has_zones "$PYTHON" || install "time zones are missing" tzdata
}

for part in "$@"; do
    case $part in
    build)
        rust
        compiler
        ;;
    test) python ;;
    *) fail "unknown part $part: expected build or test" ;;
    esac
done
