#!/usr/bin/env bash
# Installs the tools that building (`build`), testing (`test`) and the servers of scripts/stack
# (`stack`) need.
#
#     scripts/setup.sh build test stack
#
# What is missing is installed with apt-get if it exists and the user may run it; otherwise the
# script names it and fails. On a machine that has everything it prints and changes nothing.
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

# Prints the command that runs apt-get, or nothing if the user may not run it.
apt_command() {
    has apt-get || return 0
    if [ "$(id -u)" = 0 ]; then
        echo apt-get
    elif has sudo && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
        echo sudo apt-get
    fi
}

apt_updated=
# install REASON PACKAGE…: installs packages, or fails with the reason.
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

# includes HEADER: whether C can include it.
includes() { echo "#include <$1>" | cc -E - >/dev/null 2>&1; }

# SQLite, zstd, ring and BLAKE3 contain C and assembly; librdkafka is C and C++, is built by make, and
# uses the system's zlib and OpenSSL.
compiler() {
    has cc || install "a C compiler is missing" gcc libc6-dev
    has c++ || install "a C++ compiler is missing" g++
    has make || install "make is missing" make
    has pkg-config || install "pkg-config is missing" pkg-config
    includes zlib.h || install "zlib's headers are missing" zlib1g-dev
    pkg-config --exists openssl || install "OpenSSL's headers are missing" libssl-dev
}

# Python 3.11 is the first version with everything that the second fold uses.
is_recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
has_msgpack() { "$1" -c 'import msgpack' 2>/dev/null; }
has_zones() { "$1" -c 'import zoneinfo; zoneinfo.ZoneInfo("America/New_York")' 2>/dev/null; }

# Creates the virtual environment with the packages that the tests import.
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

java_is_recent() {
    local version
    version=$(java -version 2>&1 | sed -nE 's/.*version "([0-9]+).*/\1/p')
    [ "${version:-0}" -ge 17 ]
}

kafka() {
    java_is_recent || install "Java 17 or later is missing" default-jre-headless
    java_is_recent || fail "java is older than 17, which Kafka needs"
    has mvn || install "Maven is missing, which fetches Kafka" maven
    has openssl || install "openssl is missing, which makes certificates" openssl
}
timescaledb() {
    if ! has apt-get || ! has dpkg-deb; then
        fail "TimescaleDB is unpacked from Debian's packages, and there is no apt-get: $OWN_SERVERS"
    fi
    has setpriv || install "setpriv is missing" util-linux
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] ||
        install "the keys of Debian's packages are missing" debian-archive-keyring
    [ -e /usr/share/zoneinfo/America/New_York ] || install "time zones are missing" tzdata
}
clickhouse() {
    has npm || install "npm is missing, which fetches ClickHouse" npm
}
redis() {
    # Either program is the server: see redis.sh.
    has redis-server || has redis-check-rdb || install "Redis is missing" redis-tools
    has redis-cli || install "redis-cli is missing" redis-tools
}

readonly OWN_SERVERS="name servers of your own in CANDLEWICK_KAFKA, CANDLEWICK_TIMESCALEDB, \
CANDLEWICK_CLICKHOUSE and CANDLEWICK_REDIS instead, see docs/stack.md"

# Installs what scripts/stack needs for the servers whose address no variable gives.
stack() {
    local server variable missing=()
    for server in kafka timescaledb clickhouse redis; do
        variable=CANDLEWICK_${server^^}
        [ -n "${!variable:-}" ] || missing+=("$server")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    [ "$(uname -sm)" = "Linux x86_64" ] ||
        fail "the servers for tests are to be had for Linux on x86-64 only: $OWN_SERVERS"
    has flock || install "flock is missing" util-linux
    for server in "${missing[@]}"; do "$server"; done
}

for part in "$@"; do
    case $part in
    build)
        rust
        compiler
        ;;
    test) python ;;
    stack) stack ;;
    *) fail "unknown part $part: expected build, test or stack" ;;
    esac
done
