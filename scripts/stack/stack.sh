#!/usr/bin/env bash
# The servers that a cluster of Candlewick needs, on loopback: Kafka, TimescaleDB, ClickHouse and
# Redis. NAME is the instance's name, by default `dev`; see instance.sh for the variables.
#
#   stack.sh up [NAME]        start the servers that do not run, and wait until all respond
#   stack.sh down [NAME]      clean stop; keeps the data
#   stack.sh reset [NAME]     stop, and delete the data; the instance's ports are free again
#   stack.sh status [NAME]    print a table of the servers; exit status 3 unless all run
#   stack.sh env [NAME]       print the variables with its addresses: eval "$(scripts/stack/stack.sh env)"
#   stack.sh install          download the servers; `up` does it too
#   stack.sh list             print the instances
#
#   STACK_SERVERS             the servers to act on; default all four
#   STACK_KAFKA_BROKERS       1 or 3: the number of brokers that `up` starts; default 1
set -euo pipefail
if [ -n "${2:-}" ]; then
    # A name on the command line overrides the environment's instance, and is next to it.
    if [ -n "${CANDLEWICK_STACK_DIR:-}" ]; then
        export CANDLEWICK_STACK=${CANDLEWICK_STACK:-$(dirname "$CANDLEWICK_STACK_DIR")}
        unset CANDLEWICK_STACK_DIR
    fi
    export CANDLEWICK_STACK_NAME=$2
fi
# shellcheck source=scripts/stack/instance.sh
. "$(dirname "$0")/instance.sh"
export CANDLEWICK_STACK_DIR=$INSTANCE CANDLEWICK_STACK_DIST=$DIST

read -ra MEANT <<<"${STACK_SERVERS:-kafka timescaledb clickhouse redis}"
for server in "${MEANT[@]}"; do
    case $server in
    kafka | timescaledb | clickhouse | redis) ;;
    *) fail "STACK_SERVERS: there is no server $server" ;;
    esac
done

# each COMMAND: runs a command for all servers at once, waits for all, and prints the output of those
# that fail.
each() {
    local command=$1 server outcome=0 logs
    local -A running=()
    logs=$(mktemp -d)
    for server in "${MEANT[@]}"; do
        "$SCRIPTS/$server.sh" "$command" >"$logs/$server" 2>&1 </dev/null &
        running[$server]=$!
    done
    for server in "${MEANT[@]}"; do
        if wait "${running[$server]}"; then
            # Only installations are worth reporting.
            grep ': installing ' "$logs/$server" >&2 || true
        else
            say "$server.sh $command failed:"
            sed 's/^/    /' "$logs/$server" >&2
            outcome=1
        fi
    done
    rm -rf "$logs"
    return "$outcome"
}

status() {
    local server outcome=0
    [ -s "$INSTANCE/ports" ] || { say "there is no instance in $INSTANCE" && return 3; }
    row server state pid memory address
    for server in "${MEANT[@]}"; do "$SCRIPTS/$server.sh" status || outcome=3; done
    echo "in $INSTANCE"
    return "$outcome"
}

setting() { printf 'export %s=%q\n' "$@"; }
environment() {
    local server first
    first=$(port kafka)
    for server in "${MEANT[@]}"; do
        case $server in
        kafka)
            # Known once the cluster is created.
            setting CANDLEWICK_KAFKA "$("$SCRIPTS/kafka.sh" bootstrap 2>/dev/null || echo "$HOST:$first")"
            ;;
        *) setting "CANDLEWICK_${server^^}" "$("$SCRIPTS/$server.sh" url)" ;;
        esac
    done
    setting CANDLEWICK_STACK_DIR "$INSTANCE"
    [ "$DIST" = "${INSTANCE%/*}/dist" ] || setting CANDLEWICK_STACK_DIST "$DIST"
    setting CANDLEWICK_STACK_SCRIPTS "$SCRIPTS"
}

reset() {
    if [ -e "$INSTANCE" ]; then
        each reset
        [ -n "${STACK_SERVERS:-}" ] || rm -rf "$INSTANCE"
    fi
}

list() {
    local ports
    for ports in "$STACK"/*/ports; do
        [ ! -e "$ports" ] || basename "${ports%/ports}"
    done
}

case ${1:-help} in
install) each install ;;
up)
    claim_ports
    each start || fail "the stack is not up"
    status
    ;;
down)
    [ ! -s "$INSTANCE/ports" ] || each stop
    if [ -s "$INSTANCE/ports" ]; then
        "$SCRIPTS/redis.sh" stop-all
        "$SCRIPTS/kafka.sh" secure stop
    fi
    ;;
reset) reset ;;
status) status ;;
env) environment ;;
list) list ;;
help | -h | --help) usage ;;
*) usage 64 >&2 ;;
esac
