#!/usr/bin/env bash
# Shared by the scripts of the stack, to be sourced: selects the instance, its files and ports, and
# starts, finds and ends its processes.
#
# An instance is a folder with the data of one set of servers. Installed software is in `dist`, which
# all instances share.
#
#   CANDLEWICK_STACK       the folder of all instances; default ~/.local/share/candlewick-stack,
#                          for root /var/lib/candlewick-stack
#   CANDLEWICK_STACK_NAME  the instance; default `dev`
#   CANDLEWICK_STACK_DIR   the same by its folder, as `stack.sh env` prints it; overrides the name
#   CANDLEWICK_STACK_DIST  the installed software; default `dist` next to the instances
#
# Ports are chosen when the instance is created, and stay until it is reset. `dev` has 19000 and up,
# other names any free block of 40 from 20000 to 31999, below the kernel's ephemeral ports.
#
#   STACK_PORTS            the first port of the block
#   STACK_KAFKA_PORT       +0: broker I has this + 2 (I - 1), and the next for its controller; the
#                          secure one has this + 14 to + 19
#   STACK_TIMESCALEDB_PORT +10
#   STACK_CLICKHOUSE_PORT  +11: HTTP
#   STACK_REDIS_PORT       +12: the single server
#   STACK_SENTINEL_PORT    +20: three sentinels, then two servers
#   STACK_CLUSTER_PORT     +30: three nodes, then their three ports among themselves
set -euo pipefail
umask 022

SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034 # the scripts that source this use it
readonly SCRIPTS
readonly HOST=127.0.0.1

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
fail() {
    say "$*"
    exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

# Prints the comment at the head of the called script.
usage() {
    sed -n '2,${/^#/!q;s/^# \{0,1\}//p}' "$0"
    exit "${1:-0}"
}

# ---- the instance

# PostgreSQL refuses to run as root, and no other account may enter root's home.
default_stack() {
    if [ "$(id -u)" = 0 ]; then
        echo /var/lib/candlewick-stack
    else
        echo "${HOME:?}/.local/share/candlewick-stack"
    fi
}

choose_instance() {
    local dir=${CANDLEWICK_STACK_DIR:-} name=${CANDLEWICK_STACK_NAME:-dev}
    [[ $name =~ ^[A-Za-z0-9][A-Za-z0-9_.-]*$ && $name != dist ]] || fail "'$name' is no name for an instance"
    STACK=${CANDLEWICK_STACK:-}
    if [ -z "$STACK" ]; then
        if [ -n "$dir" ]; then STACK=$(dirname "$dir"); else STACK=$(default_stack); fi
    fi
    STACK=$(realpath -m -- "$STACK")
    INSTANCE=$(realpath -m -- "${dir:-$STACK/$name}")
    DIST=$(realpath -m -- "${CANDLEWICK_STACK_DIST:-$STACK/dist}")
    # Kafka, PostgreSQL and Redis read these paths from files in which blanks and commas separate values.
    [[ "$INSTANCE$DIST" =~ ^[A-Za-z0-9/._+-]+$ ]] ||
        fail "only letters, digits and / . _ + - may be in the folders' names: $INSTANCE, $DIST"
}
choose_instance

# lock SERVER: allows one start or stop of a server at a time. Servers do not inherit descriptor 9.
lock() {
    mkdir -p "$INSTANCE"
    exec 9>"$INSTANCE/.$1.lock"
    flock -w 300 9 || fail "$INSTANCE/.$1.lock is held by another process"
}

# install_once FOLDER FUNCTION…: creates DIST/FOLDER if it is missing. FUNCTION gets the path and fills
# it; an interrupted installation starts again.
install_once() {
    local folder=$DIST/$1
    shift
    [ ! -e "$folder/installed" ] || return 0
    mkdir -p "$DIST"
    exec 8>"$folder.lock"
    flock 8
    if [ ! -e "$folder/installed" ]; then
        say "installing into $folder"
        rm -rf "$folder"
        mkdir "$folder"
        "$@" "$folder"
        touch "$folder/installed"
    fi
    exec 8>&-
}

# ---- ports

readonly SERVERS="kafka timescaledb clickhouse redis sentinel cluster"
readonly BLOCK=40
offset() {
    case $1 in
    kafka) echo 0 ;;
    timescaledb) echo 10 ;;
    clickhouse) echo 11 ;;
    redis) echo 12 ;;
    sentinel) echo 20 ;;
    cluster) echo 30 ;;
    esac
}

listening() { (exec 3<>"/dev/tcp/$HOST/$1") 2>/dev/null; }

block_is_free() {
    local first=$1 port
    # Reserved by an instance that may not be running now.
    if cat "$STACK"/*/ports 2>/dev/null |
        awk -v a="$first" -v n=$BLOCK '$2 >= a && $2 < a + n { found = 1 } END { exit !found }'; then
        return 1
    fi
    for ((port = first; port < first + BLOCK; port++)); do
        ! listening "$port" || return 1
    done
}

free_block() {
    local tries first
    for ((tries = 0; tries < 50; tries++)); do
        first=$((20000 + RANDOM % (12000 / BLOCK) * BLOCK))
        if block_is_free "$first"; then
            echo "$first"
            return
        fi
    done
    fail "no free block of $BLOCK ports found between 20000 and 31999"
}

variable() { local name=STACK_${1^^}_PORT && echo "${!name:-}"; }

claim_ports() {
    local server first wanted
    mkdir -p "$INSTANCE"
    exec 7>"$STACK/.ports.lock"
    flock 7
    if [ ! -s "$INSTANCE/ports" ]; then
        first=${STACK_PORTS:-}
        if [ -z "$first" ]; then
            if [ "${INSTANCE##*/}" = dev ]; then first=19000; else first=$(free_block); fi
        fi
        for server in $SERVERS; do
            wanted=$(variable "$server")
            echo "$server ${wanted:-$((first + $(offset "$server")))}"
        done >"$INSTANCE/ports.new"
        mv "$INSTANCE/ports.new" "$INSTANCE/ports"
    fi
    exec 7>&-
    for server in $SERVERS; do
        wanted=$(variable "$server")
        if [ -n "$wanted" ] && [ "$wanted" != "$(port "$server")" ]; then
            fail "$INSTANCE has $server on port $(port "$server"), not $wanted: 'stack.sh reset' first"
        fi
    done
}

# port SERVER: prints the port of a server.
port() {
    [ -s "$INSTANCE/ports" ] || fail "there is no instance in $INSTANCE: 'stack.sh up' makes it"
    awk -v server="$1" '$1 == server { print $2 }' "$INSTANCE/ports"
}

# A socket may outlive its killed process for a moment.
require_free() {
    wait_until 5 not_listening "$1" || fail "port $1 is taken by another program"
}
not_listening() { ! listening "$1"; }

# ---- processes

# wait_until SECONDS COMMAND…: retries the command until it succeeds or the time is over.
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -le "$end" ] || return 1
        sleep 0.05
    done
}

# start_in FOLDER COMMAND…: runs the command in the background, in its own session so that Ctrl-C does
# not reach it, with FOLDER as its working directory and its process id in FOLDER/pid.
start_in() {
    local folder=$1
    shift
    rm -f "$folder/pid"
    # shellcheck disable=SC2016
    (cd "$folder" && exec setsid bash -c 'echo $$ >pid; exec "$@"' _ "$@") \
        </dev/null >"$folder/output.log" 2>&1 9>&- &
    wait_until 5 test -s "$folder/pid" || fail "nothing started in $folder"
}

# pid_in FOLDER [FILE]: prints the process id in FILE, if that process runs with FOLDER as its working
# directory. The directory is checked because the system reuses process ids.
pid_in() {
    local folder=$1 pid
    pid=$(head -n 1 "${2:-$folder/pid}" 2>/dev/null) || return 1
    [[ $pid =~ ^[0-9]+$ ]] || return 1
    [ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$folder" ] || return 1
    echo "$pid"
}
gone() { ! pid_in "$@"; }

# end_in SIGNAL SECONDS FOLDER [FILE]: signals the process, and kills it after SECONDS.
end_in() {
    local signal=$1 seconds=$2 pid
    shift 2
    pid=$(pid_in "$@") || return 0
    kill "-$signal" "$pid" 2>/dev/null || true
    kill -CONT "$pid" 2>/dev/null || true
    if ! wait_until "$seconds" gone "$@"; then
        say "process $pid did not end within $seconds s and is killed"
        kill -KILL "$pid" 2>/dev/null || true
        wait_until 10 gone "$@" || fail "process $pid does not end"
    fi
}

# signal_in SIGNAL FOLDER [FILE]: signals the process.
signal_in() {
    local signal=$1 pid
    shift
    pid=$(pid_in "$@") || fail "it does not run"
    kill "-$signal" "$pid"
}

row() { printf '%-18s %-8s %8s %9s  %s\n' "$@"; }

# status_row NAME ADDRESS FOLDER [FILE]: prints a line of the table; returns 3 unless the server runs.
status_row() {
    local name=$1 address=$2 pid state=running memory
    shift 2
    if ! pid=$(pid_in "$@"); then
        row "$name" stopped - - "$address"
        return 3
    fi
    if grep -q '^State:[[:space:]]*T' "/proc/$pid/status"; then state=paused; fi
    memory=$(awk '/^VmRSS:/ { printf "%d MiB", $2 / 1024 }' "/proc/$pid/status")
    row "$name" "$state" "$pid" "$memory" "$address"
    [ "$state" = running ] || return 3
}
