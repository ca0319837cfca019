#!/usr/bin/env bash
# A real Redis on loopback, without persistence: alone, under Sentinel, or as a cluster. See
# instance.sh for the variables of all servers.
#
#   redis.sh start|stop|status|url       the single server
#   redis.sh kill                        SIGKILL; it is empty after a restart
#   redis.sh pause|resume                SIGSTOP and SIGCONT
#   redis.sh cli ARGUMENTS…              redis-cli, to the single server
#   redis.sh sentinel start|stop|status  a master, a replica and three sentinels, of which two agree
#   redis.sh sentinel url                print the sentinels and the master's name
#   redis.sh sentinel master             print the address of the present master
#   redis.sh sentinel kill-master        SIGKILL of it; the replica takes over after about 2 s
#   redis.sh sentinel revive             restart the killed server as a replica
#   redis.sh cluster start|stop|status   three masters that share all slots
#   redis.sh cluster kill I              SIGKILL of node 1, 2 or 3, whose slots are then not served
#   redis.sh cluster start-one I         restart it, empty
#   redis.sh cluster url                 print its nodes
#   redis.sh reset                       stop all of these, and delete their files
#
#   STACK_REDIS_MEMORY                   largest memory of a server; default 256mb. Writes beyond it
#                                        fail

# shellcheck source=scripts/stack/instance.sh
. "$(dirname "$0")/instance.sh"

readonly MASTER=candlewick
readonly HOME_DIR=$INSTANCE/redis
readonly DOWN_AFTER_MS=1000

# Debian's redis-tools contains the server too: redis-check-rdb is the same program, which acts by the
# name it is called with. Unlike redis-server, the package starts no service.
install() {
    has redis-cli || fail "there is no redis-cli: install redis-tools"
    local program
    program=$(command -v redis-server || command -v redis-check-rdb) ||
        fail "there is neither redis-server nor redis-check-rdb: install redis-tools"
    SERVER=$HOME_DIR/bin/redis-server
    mkdir -p "${SERVER%/*}"
    ln -sfn "$(realpath "$program")" "$SERVER"
}

# ---- one process, identified by its port

folder() { echo "$HOME_DIR/$1"; }
cli() {
    local port=$1
    shift
    redis-cli -h "$HOST" -p "$port" "$@"
}
answers() { [ "$(cli "$1" ping 2>/dev/null)" = PONG ]; }
answers_or_dead() { answers "$1" || gone "$(folder "$1")"; }

common_settings() {
    cat <<END
bind $HOST
port $1
protected-mode yes
dir $(folder "$1")
logfile $(folder "$1")/server.log
END
}

server_settings() {
    cat <<END
save ""
appendonly no
maxmemory ${STACK_REDIS_MEMORY:-256mb}
maxmemory-policy noeviction
repl-diskless-sync yes
repl-diskless-sync-delay 0
END
}

# launch PORT [OPTION…]: starts a server with the configuration on standard input, unless it runs.
launch() {
    local port=$1 folder settings
    shift
    settings=$(cat)
    folder=$(folder "$port")
    ! pid_in "$folder" >/dev/null || return 0
    require_free "$port"
    mkdir -p "$folder"
    { common_settings "$port" && echo "$settings"; } >"$folder/redis.conf"
    start_in "$folder" "$SERVER" "$folder/redis.conf" "$@"
    if ! wait_until 10 answers_or_dead "$port" || ! answers "$port"; then
        tail -n 10 "$folder/output.log" "$folder/server.log" >&2 || true
        fail "the Redis of port $port did not start"
    fi
}

end() { end_in "$1" 10 "$(folder "$2")"; }
end_all() {
    local port
    for port in "$@"; do end TERM "$port"; done
}

# rows NAME PORT…: prints lines of the status table.
rows() {
    local name=$1 port outcome=0
    shift
    for port in "$@"; do
        status_row "$name" "$HOST:$port" "$(folder "$port")" || outcome=3
    done
    return "$outcome"
}

addresses() {
    local port
    for port in "$@"; do echo "$HOST:$port"; done | paste -sd, -
}

count_running() {
    local port n=0
    for port in "$@"; do
        if pid_in "$(folder "$port")" >/dev/null; then n=$((n + 1)); fi
    done
    echo "$n"
}

# ---- under Sentinel

sentinels() { seq "$(port sentinel)" $(($(port sentinel) + 2)); }
replicated() { seq $(($(port sentinel) + 3)) $(($(port sentinel) + 4)); }
master() {
    local port address
    for port in $(sentinels); do
        address=$(cli "$port" sentinel get-master-addr-by-name $MASTER 2>/dev/null | sed -n 2p) || true
        if [ -n "$address" ]; then
            echo "$address"
            return
        fi
    done
    fail "no sentinel answers"
}

sentinel_settings() {
    cat <<END
sentinel monitor $MASTER $HOST $1 2
sentinel down-after-milliseconds $MASTER $DOWN_AFTER_MS
sentinel failover-timeout $MASTER 5000
sentinel parallel-syncs $MASTER 1
END
}

linked() { cli "$1" info replication | grep -q 'master_link_status:up'; }
launch_replica() {
    local port=$1 of=$2
    { server_settings && echo "replicaof $HOST $of"; } | launch "$port"
    wait_until 10 linked "$port" || fail "the replica on port $port has no link to its master"
}

sentinels_agree() {
    local port fields
    for port in $(sentinels); do
        fields=$(cli "$port" sentinel master $MASTER | paste -sd ' ' -)
        [[ $fields == *"num-slaves 1 "*"num-other-sentinels 2 "* ]] || return 1
    done
}

start_sentinel() {
    local port first second
    # shellcheck disable=SC2046
    if [ "$(count_running $(sentinels) $(replicated))" != 5 ]; then
        # The remaining servers may have another master by now, and remember it: all are started afresh.
        # shellcheck disable=SC2046
        end_all $(sentinels) $(replicated)
        read -r first second < <(replicated | paste -sd ' ' -)
        server_settings | launch "$first"
        launch_replica "$second" "$first"
        for port in $(sentinels); do sentinel_settings "$first" | launch "$port" --sentinel; done
        wait_until 20 sentinels_agree || fail "the sentinels did not find each other"
    fi
    sentinel_url
}

# shellcheck disable=SC2046
sentinel_url() { echo "redis+sentinel://$(addresses $(sentinels))/$MASTER"; }

revive() {
    local port now
    now=$(master)
    for port in $(replicated); do
        if gone "$(folder "$port")" >/dev/null; then
            [ "$port" != "$now" ] || fail "the master on port $port is dead, and none has taken over yet"
            launch_replica "$port" "$now"
        fi
    done
}

sentinel() {
    # shellcheck disable=SC2046
    case ${1:-} in
    start) start_sentinel ;;
    stop) end_all $(sentinels) $(replicated) ;;
    status)
        local outcome=0
        rows sentinel $(sentinels) || outcome=3
        rows "redis replicated" $(replicated) || outcome=3
        return "$outcome"
        ;;
    url) sentinel_url ;;
    master) addresses "$(master)" ;;
    kill-master) end KILL "$(master)" ;;
    revive) revive ;;
    *) usage 64 >&2 ;;
    esac
}

# ---- as a cluster

nodes() { seq "$(port cluster)" $(($(port cluster) + 2)); }
node() {
    [[ ${1:-} =~ ^[123]$ ]] || fail "which node? 1, 2 or 3"
    echo $(($(port cluster) + $1 - 1))
}
launch_node() {
    {
        server_settings
        echo "cluster-enabled yes"
        echo "cluster-config-file nodes.conf"
        echo "cluster-node-timeout 2000"
        echo "cluster-port $(($1 + 3))"
    } | launch "$1"
}
is_whole() {
    local port
    for port in $(nodes); do
        cli "$port" cluster info | grep -q 'cluster_state:ok' || return 1
    done
}

start_cluster() {
    local port
    if ! is_whole 2>/dev/null; then
        # shellcheck disable=SC2046
        end_all $(nodes)
        for port in $(nodes); do
            rm -f "$(folder "$port")/nodes.conf"
            require_free $((port + 3))
            launch_node "$port"
        done
        # shellcheck disable=SC2046
        cli "$(port cluster)" --cluster create $(addresses $(nodes) | tr , ' ') --cluster-yes \
            >"$HOME_DIR/cluster.log" 2>&1 || { tail "$HOME_DIR/cluster.log" >&2 && fail "no cluster was made"; }
        wait_until 20 is_whole || fail "the cluster does not serve all slots"
    fi
    cluster_url
}

# shellcheck disable=SC2046
cluster_url() { echo "redis+cluster://$(addresses $(nodes))"; }

cluster() {
    # shellcheck disable=SC2046
    case ${1:-} in
    start) start_cluster ;;
    stop) end_all $(nodes) ;;
    status) rows "redis cluster" $(nodes) ;;
    kill) end KILL "$(node "${2:-}")" ;;
    start-one)
        launch_node "$(node "${2:-}")"
        wait_until 20 is_whole || fail "the cluster does not serve all slots"
        ;;
    url) cluster_url ;;
    *) usage 64 >&2 ;;
    esac
}

# ---- commands

# Covers the single server, and the sets that were ever started.
status() {
    local outcome=0
    rows redis "$(port redis)" || outcome=3
    if [ -e "$(folder "$(port sentinel)")" ]; then sentinel status || true; fi
    if [ -e "$(folder "$(port cluster)")" ]; then cluster status || true; fi
    return "$outcome"
}

stop_all() {
    [ -s "$INSTANCE/ports" ] || return 0
    end TERM "$(port redis)"
    sentinel stop
    cluster stop
}

url() { echo "redis://$HOST:$(port redis)/0"; }

command=${1:-help}
[ $# = 0 ] || shift
case $command in
install) install ;;
start)
    lock redis
    install
    claim_ports
    server_settings | launch "$(port redis)"
    url
    ;;
stop)
    lock redis
    end TERM "$(port redis)"
    ;;
stop-all)
    lock redis
    stop_all
    ;;
kill)
    lock redis
    end KILL "$(port redis)"
    ;;
pause) signal_in STOP "$(folder "$(port redis)")" ;;
resume) signal_in CONT "$(folder "$(port redis)")" ;;
status) status ;;
url) url ;;
cli) cli "$(port redis)" "$@" ;;
sentinel | cluster)
    lock redis
    install
    claim_ports
    "$command" "$@"
    ;;
reset)
    lock redis
    stop_all
    rm -rf "$HOME_DIR"
    ;;
help | -h | --help) usage ;;
*) usage 64 >&2 ;;
esac
