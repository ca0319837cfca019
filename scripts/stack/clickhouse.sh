#!/usr/bin/env bash
# A real ClickHouse on loopback: the one in chDB's library, with its own HTTP listener. See
# instance.sh for the variables of all servers.
#
#   clickhouse.sh start      start, and wait until it responds
#   clickhouse.sh stop       clean stop; keeps the data
#   clickhouse.sh kill       SIGKILL; acknowledged data stays
#   clickhouse.sh pause      SIGSTOP: connections stay open, without responses
#   clickhouse.sh resume     SIGCONT
#   clickhouse.sh status     prints a line; exit status 3 unless it runs
#   clickhouse.sh reset      stop, and delete the data
#   clickhouse.sh install    fetch and compile only (start does it too)
#   clickhouse.sh url        the URL for clients: user `default` without a password, or `candlewick` with the
#                            password `candlewick`
#   clickhouse.sh query SQL  run a query and print the result as text
#   clickhouse.sh log        print the end of its log
#
#   RUSTC                    a rustc other than the one on PATH

# shellcheck source=scripts/stack/instance.sh
. "$(dirname "$0")/instance.sh"

readonly PACKAGE=@chdb/lib-linux-x64-gnu VERSION=26.7.3-stable.1
readonly INTEGRITY=XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw==
readonly HOME_DIR=$INSTANCE/clickhouse
readonly LIBRARY_DIR=clickhouse-$VERSION
readonly SOURCE=$SCRIPTS/clickhouse/launcher.rs

# ---- installation

sha512() { sha512sum "$1" | cut -d ' ' -f 1; }
expected_sha512() { base64 -d <<<"$INTEGRITY" | od -An -v -tx1 | tr -d ' \n'; }

# No code of the package is run: one file is extracted from it, after its digest was verified.
fetch_library() {
    local folder=$1
    [ "$(uname -sm)" = "Linux x86_64" ] || fail "ClickHouse's library is fetched for Linux on x86-64 only"
    has npm || fail "there is no npm, which fetches ClickHouse's library"
    if ! (cd "$folder" && npm pack --silent --ignore-scripts "$PACKAGE@$VERSION") >"$folder/npm.log" 2>&1 </dev/null; then
        tail -n 5 "$folder/npm.log" >&2
        fail "npm could not fetch $PACKAGE@$VERSION"
    fi
    [ "$(sha512 "$folder"/*.tgz)" = "$(expected_sha512)" ] ||
        fail "$PACKAGE@$VERSION is not what it should be: its SHA-512 differs"
    tar -xzf "$folder"/*.tgz -C "$folder" --no-same-owner --strip-components=1 package/libchdb.so
    rm "$folder"/*.tgz
}

compile_launcher() {
    local rustc=${RUSTC:-rustc}
    has "$rustc" || fail "there is no $rustc, which compiles ClickHouse's launcher"
    # In the checkout, whose rust-toolchain.toml selects the compiler.
    (cd "$SCRIPTS" && "$rustc" --edition 2024 -O -o "$1/launcher" "$SOURCE") ||
        fail "$SOURCE could not be compiled"
}

launcher_dir() { echo "launcher-$(cksum <"$SOURCE" | cut -d ' ' -f 1)"; }

install() {
    install_once "$LIBRARY_DIR" fetch_library
    install_once "$(launcher_dir)" compile_launcher
}

# ---- the server

url() { echo "http://$HOST:$(port clickhouse)"; }

# request PATH [BODY]: prints the body of the response; fails unless its status is 200.
request() {
    local path=$1 body=${2:-} line
    {
        printf 'POST %s HTTP/1.0\r\nContent-Length: %s\r\n\r\n%s' "$path" "$(printf %s "$body" | wc -c)" "$body" >&3
        read -r line <&3 && [[ $line == *" 200 "* ]] || return 1
        while read -r line <&3 && [ "$line" != $'\r' ]; do :; done
        cat <&3
    } 3<>"/dev/tcp/$HOST/$(port clickhouse)"
}
answers() { request / "SELECT 1"; }
answers_or_dead() { answers || gone "$HOME_DIR"; }

start() {
    install
    claim_ports
    if gone "$HOME_DIR" >/dev/null; then
        require_free "$(port clickhouse)"
        mkdir -p "$HOME_DIR/data"
        # Copied, because a running server reads them again, and the checkout may change or be removed.
        cp "$SCRIPTS"/clickhouse/*.xml "$HOME_DIR"
        LIBCHDB=$DIST/$LIBRARY_DIR/libchdb.so start_in "$HOME_DIR" "$DIST/$(launcher_dir)/launcher" \
            --config-file "$HOME_DIR/config.xml" --path "$HOME_DIR/data" \
            --http_port "$(port clickhouse)" --logger.log "$HOME_DIR/server.log" \
            --query "SYSTEM START LISTEN HTTP; SELECT line FROM file('/dev/stdin', LineAsString) FORMAT Null"
    fi
    if ! wait_until 60 answers_or_dead || ! answers >/dev/null 2>&1; then
        tail -n 20 "$HOME_DIR/output.log" >&2
        fail "ClickHouse did not start"
    fi
    url
}

command=${1:-help}
[ $# = 0 ] || shift
case $command in
install) install ;;
start)
    lock clickhouse
    start
    ;;
stop)
    lock clickhouse
    end_in TERM 60 "$HOME_DIR"
    ;;
kill)
    lock clickhouse
    end_in KILL 10 "$HOME_DIR"
    ;;
pause) signal_in STOP "$HOME_DIR" ;;
resume) signal_in CONT "$HOME_DIR" ;;
status) status_row clickhouse "$HOST:$(port clickhouse)" "$HOME_DIR" ;;
reset)
    lock clickhouse
    end_in TERM 60 "$HOME_DIR"
    rm -rf "$HOME_DIR"
    ;;
url) url ;;
query) request / "$*" || fail "it does not answer, or not with success" ;;
log) tail -n 100 "$HOME_DIR/server.log" ;;
help | -h | --help) usage ;;
*) usage 64 >&2 ;;
esac
