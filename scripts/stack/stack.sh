#!/usr/bin/env bash
# The servers that a cluster of Candlewick talks to, on loopback: Kafka, TimescaleDB, ClickHouse and
# Redis. NAME is the instance's, `dev` unless told; see instance.sh for the variables.
#
#   stack.sh up [NAME]        starts what does not run, and waits until all answers
#   stack.sh down [NAME]      clean stop; data stays
#   stack.sh reset [NAME]     stop, and delete the data; the instance's ports are free again
#   stack.sh status [NAME]    a table of what runs where; 3 unless all runs
#   stack.sh env [NAME]       the variables that say where it is: eval "$(scripts/stack/stack.sh env)"
#   stack.sh install          fetch what the servers are; `up` does it too
#   stack.sh list             the instances there are
#
#   STACK_SERVERS             which servers are meant: all four unless told
#   STACK_KAFKA_BROKERS       1 or 3: how many brokers `up` makes; 1 unless told
set -euo pipefail
if [ -n "${2:-}" ]; then
    # The instance named goes before the one that the environment names, and lies beside it.
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

# each COMMAND: of all servers at once. What a failed one said is shown, and all are waited for.
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
            # Only what was installed is news.
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
            # Known once the cluster is made.
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
