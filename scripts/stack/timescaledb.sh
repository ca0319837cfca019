#!/usr/bin/env bash
# PostgreSQL 17 with TimescaleDB (Apache edition) on loopback. See instance.sh for the variables of
# all servers.
#
#   timescaledb.sh start     start, and wait until it responds
#   timescaledb.sh stop      clean stop; keeps the data
#   timescaledb.sh kill      SIGKILL of the server and all its processes; acknowledged data stays
#   timescaledb.sh pause     SIGSTOP of the server and all its processes
#   timescaledb.sh resume    SIGCONT
#   timescaledb.sh status    print a line; exit status 3 unless it runs
#   timescaledb.sh reset     stop, and delete the data
#   timescaledb.sh install   fetch and unpack only (start does it too)
#   timescaledb.sh url       print the URL for clients
#   timescaledb.sh secure start
#                            start, and offer TLS from then on, with another database whose user
#                            needs TLS and a password
#   timescaledb.sh secure address
#                            print that database's URL, and the folder of certificates and password
#   timescaledb.sh psql ARGUMENTS…
#   timescaledb.sh log       print the end of its log
#
# The packages are Debian 13's, with that release's C library, unpacked into a folder: nothing of the
# machine is changed, and only its time zones are used. If root calls the script the server runs as the
# account postgres, or as nobody if that does not exist.

# shellcheck source=scripts/stack/instance.sh
. "$(dirname "$0")/instance.sh"
# shellcheck source=scripts/stack/certificates.sh
. "$SCRIPTS/certificates.sh"

readonly SUITE=trixie PG=17 ARCHITECTURE=amd64 TRIPLET=x86_64-linux-gnu
readonly KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
readonly DATABASE=candlewick
readonly HOME_DIR=$INSTANCE/timescaledb
readonly DATA=$HOME_DIR/data
readonly SECRETS=$HOME_DIR/secrets SECURE_USER=candlewick SECURE_DATABASE=candlewick_secure
readonly PACKAGE=timescaledb-$SUITE-$PG
readonly BIN=$DIST/$PACKAGE/root/usr/lib/postgresql/$PG/bin

if [ "$(id -u)" = 0 ]; then
    ACCOUNT=$(id -un postgres 2>/dev/null || echo nobody)
    as() { setpriv --reuid "$ACCOUNT" --regid "$(id -g "$ACCOUNT")" --clear-groups env HOME=/ "$@"; }
else
    ACCOUNT=$(id -un)
    as() { "$@"; }
fi

# ---- installation

# Prints the addresses that this machine's apt uses, so that its mirrors are used here too.
mirror() {
    # apt-get replaces the text in the brackets.
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(REPO_URI)' | grep -m 1 "/$1/\$" ||
        fail "apt has no source that ends in /$1/: TimescaleDB's packages come from Debian's mirrors"
}

# Runs apt with separate lists and cache, and with no package installed, so that it downloads them all.
private_apt() {
    local apt=$1
    mkdir -p "$apt"/{state/lists/partial,cache/archives/partial,etc/apt.conf.d,etc/preferences.d,etc/trusted.gpg.d,log}
    : >"$apt/status"
    cat >"$apt/etc/sources.list" <<END
deb [signed-by=$KEYRING] $DEBIAN $SUITE main
deb [signed-by=$KEYRING] $DEBIAN $SUITE-updates main
deb [signed-by=$KEYRING] $SECURITY $SUITE-security main
END
    cat >"$apt/apt.conf" <<END
Dir "$apt"; Dir::State "$apt/state"; Dir::State::status "$apt/status"; Dir::Cache "$apt/cache";
Dir::Etc "$apt/etc"; Dir::Log "$apt/log";
APT::Architecture "$ARCHITECTURE"; APT::Architectures { "$ARCHITECTURE"; };
APT::Install-Recommends "false"; APT::Sandbox::User ""; Acquire::Languages "none"; Acquire::Retries "3";
END
}

# Unpacks the server, its client and the extension whole, and of libraries only what is loaded. LLVM is
# left out: it is large and only compiles long queries.
unpack() {
    local root=$1 package part
    shift
    for package in "$@"; do
        case ${package##*/} in
        libllvm*) continue ;;
        postgresql-"$PG"_* | postgresql-client-"$PG"_* | postgresql-"$PG"-timescaledb_*) part=./usr ;;
        lib* | zlib1g_* | gcc-*-base_*) part=./usr/lib/$TRIPLET ;;
        *) continue ;;
        esac
        dpkg-deb --fsys-tarfile "$package" >"$root/package.tar"
        if tar -tf "$root/package.tar" | grep "^$part/" >/dev/null; then
            tar -xf "$root/package.tar" -C "$root" --no-same-owner "$part"
        fi
    done
    rm "$root/package.tar"
}

# Replaces each program by a script that starts it with the unpacked loader and libraries.
wrap_programs() {
    local bin=$1 libraries=$2 program name
    for program in "$bin"/*; do
        [ "$(head -c 4 "$program" | tail -c 3)" = ELF ] || continue
        name=${program##*/}
        mv "$program" "$bin/.$name"
        cat >"$program" <<END
#!/bin/sh
exec $libraries/ld-linux-x86-64.so.2 --argv0 $program --library-path $libraries $bin/.$name "\$@"
END
        chmod 755 "$program"
    done
}

fetch_packages() {
    local folder=$1 tool apt=$1/apt
    [ "$(uname -m)" = x86_64 ] || fail "the packages of TimescaleDB are fetched for x86-64 only"
    for tool in apt-get dpkg-deb tar; do has "$tool" || fail "there is no $tool, which unpacks TimescaleDB"; done
    [ -e "$KEYRING" ] || fail "there is no $KEYRING: install debian-archive-keyring"
    DEBIAN=$(mirror debian)
    SECURITY=$(mirror debian-security)
    private_apt "$apt"
    if ! { APT_CONFIG=$apt/apt.conf apt-get -qq update &&
        APT_CONFIG=$apt/apt.conf apt-get -qqy --download-only install \
            "postgresql-$PG" "postgresql-$PG-timescaledb"; } >"$folder/apt.log" 2>&1 </dev/null; then
        tail -n 5 "$folder/apt.log" >&2
        fail "apt-get could not fetch TimescaleDB's packages; all it said is in $folder/apt.log"
    fi
    (cd "$apt/cache/archives" && ls -- *.deb) >"$folder/packages.txt"
    mkdir "$folder/root"
    unpack "$folder/root" "$apt"/cache/archives/*.deb
    wrap_programs "$folder/root/usr/lib/postgresql/$PG/bin" "$folder/root/usr/lib/$TRIPLET"
    rm -rf "$apt"
}

install() {
    # The path of this folder is compiled in.
    [ -e /usr/share/zoneinfo/America/New_York ] || fail "there are no time zones: install tzdata"
    [ "$(id -u)" != 0 ] || has setpriv || fail "there is no setpriv: install util-linux"
    install_once "$PACKAGE" fetch_packages
    as "$BIN/postgres" -V >/dev/null ||
        fail "the account $ACCOUNT cannot run $BIN/postgres: it needs a folder that it can enter (CANDLEWICK_STACK)"
}

# ---- the server

# fsync is off: it protects against a loss of power, which a test cannot cause. A killed server loses
# nothing, because the kernel has what was written; but a commit must be written before it is
# acknowledged, so synchronous_commit stays on.
# TimescaleDB's workers are off: this edition has no jobs for them, and each would keep a connection to a
# database, which then could be neither dropped nor used as a template.
settings() {
    cat <<END
listen_addresses = '$HOST'
port = $(port timescaledb)
unix_socket_directories = ''
shared_preload_libraries = 'timescaledb'
timescaledb.telemetry_level = 'off'
timezone = 'UTC'
jit = off
fsync = off
full_page_writes = off
synchronous_commit = on
shared_buffers = '256MB'
max_wal_size = '2GB'
max_connections = 300
timescaledb.max_background_workers = 0
END
    if [ -e "$DATA/server.key" ]; then
        echo "ssl = on"
        echo "ssl_cert_file = 'server.pem'"
        echo "ssl_key_file = 'server.key'"
    fi
}

make_data() {
    rm -rf "$HOME_DIR"
    mkdir -p "$DATA"
    chmod 700 "$DATA"
    touch "$HOME_DIR/server.log"
    [ "$(id -u)" != 0 ] || chown "$ACCOUNT" "$HOME_DIR" "$DATA" "$HOME_DIR/server.log"
    as "$BIN/initdb" -D "$DATA" -U postgres -A trust -E UTF8 --no-sync --locale=C \
        --locale-provider=builtin --builtin-locale=C.UTF-8 >"$INSTANCE/initdb.log" 2>&1 9>&- ||
        { cat "$INSTANCE/initdb.log" >&2 && fail "initdb failed"; }
    echo "include '$HOME_DIR/settings.conf'" | as tee -a "$DATA/postgresql.conf" >/dev/null
}

psql() { as "$BIN/psql" -h "$HOST" -p "$(port timescaledb)" -U postgres -X "$@"; }

make_database() {
    psql -q -d postgres -c "CREATE DATABASE $DATABASE"
    psql -q -d "$DATABASE" -c "CREATE EXTENSION timescaledb" >/dev/null 2>&1
    touch "$HOME_DIR/made"
}

server() { pid_in "$DATA" "$DATA/postmaster.pid"; }
# Prints the server and its processes, each of which has its own process group. Other processes may end
# while this reads them.
processes() {
    local server=$1 stat line
    echo "$server"
    for stat in /proc/[0-9]*/stat; do
        { read -r line <"$stat"; } 2>/dev/null || continue
        # The state and the parent follow the name, which ends with the last parenthesis.
        read -r _ line _ <<<"${line##*) }"
        if [ "$line" = "$server" ]; then
            stat=${stat%/stat}
            echo "${stat#/proc/}"
        fi
    done
}
signal_all() { # SIGNAL SERVER
    local process
    for process in $(processes "$2"); do kill "-$1" "$process" 2>/dev/null || true; done
}

url() { echo "postgres://postgres@$HOST:$(port timescaledb)/$DATABASE"; }

start() {
    install
    claim_ports
    if [ ! -e "$HOME_DIR/made" ]; then
        stop
        make_data
    fi
    if ! server >/dev/null; then
        wait_for_the_dead
        require_free "$(port timescaledb)"
        settings >"$HOME_DIR/settings.conf"
        if ! wait_until 10 run_server; then
            tail -n 20 "$HOME_DIR/server.log" >&2
            fail "PostgreSQL did not start"
        fi
    fi
    [ -e "$HOME_DIR/made" ] || make_database
    url
}

# ---- TLS and a password

# The first line that matches a client applies.
secure_access() {
    echo "hostssl $SECURE_DATABASE $SECURE_USER $HOST/32 scram-sha-256"
    echo "host all $SECURE_USER all reject"
    as cat "$DATA/pg_hba.conf"
}

lets_in() {
    as env PGPASSWORD="$(cat "$SECRETS/password")" "$BIN/psql" -X -c "SELECT 1" \
        "host=$HOST port=$(port timescaledb) user=$SECURE_USER dbname=$SECURE_DATABASE sslmode=require"
}

make_secure() {
    local file access
    make_certificates "$SECRETS"
    for file in server.pem server.key; do
        # shellcheck disable=SC2016 # the path is for the inner shell
        as sh -c 'umask 077 && cat >"$0"' "$DATA/$file" <"$SECRETS/$file"
    done
    access=$(secure_access)
    as tee "$DATA/pg_hba.conf" >/dev/null <<<"$access"
    settings >"$HOME_DIR/settings.conf"
    as "$BIN/pg_ctl" -D "$DATA" reload >/dev/null
    psql -q -d postgres <<END
CREATE ROLE $SECURE_USER LOGIN PASSWORD '$(cat "$SECRETS/password")';
CREATE DATABASE $SECURE_DATABASE OWNER $SECURE_USER TEMPLATE template0;
END
    psql -q -d "$SECURE_DATABASE" -c "CREATE EXTENSION timescaledb" >/dev/null 2>&1
    wait_until 10 lets_in || fail "PostgreSQL does not let $SECURE_USER in; see 'timescaledb.sh log'"
    touch "$SECRETS/served"
}

secure_address() {
    echo "url=postgres://$SECURE_USER@$HOST:$(port timescaledb)/$SECURE_DATABASE,secrets=$SECRETS"
}

secure() {
    case ${1:-} in
    start)
        start >/dev/null
        [ -e "$SECRETS/served" ] || make_secure
        secure_address
        ;;
    address) secure_address ;;
    *) usage 64 >&2 ;;
    esac
}

# The last process of a killed server may still hold its shared memory; PostgreSQL then refuses to start.
run_server() {
    as "$BIN/pg_ctl" -D "$DATA" -w -t 60 -l "$HOME_DIR/server.log" start >/dev/null 2>&1 </dev/null 9>&-
}

# For a server that was killed by others: see kill_all. PostgreSQL itself judges its lock file, since
# processes that write may be left.
wait_for_the_dead() {
    local pid
    pid=$(head -n 1 "$DATA/postmaster.pid" 2>/dev/null) || return 0
    wait_until 5 test ! -e "/proc/$pid" || true
}

stop() { # SIGINT ends its sessions and writes a checkpoint.
    local pid
    if pid=$(server); then signal_all CONT "$pid"; fi
    end_in INT 60 "$DATA" "$DATA/postmaster.pid"
}

# Stops all first, so that no process sees another die and reports it to its client.
kill_all() {
    local pid process all
    pid=$(server) || return 0
    signal_all STOP "$pid"
    all=$(processes "$pid")
    for process in $all; do kill -KILL "$process" 2>/dev/null || true; done
    for process in $all; do
        wait_until 10 test ! -e "/proc/$process/cwd" || fail "process $process does not end"
    done
    # All are dead, but the next start would consider one alive until its parent has reaped it.
    rm -f "$DATA/postmaster.pid"
}

command=${1:-help}
[ $# = 0 ] || shift
case $command in
install) install ;;
start)
    lock timescaledb
    start
    ;;
stop)
    lock timescaledb
    stop
    ;;
kill)
    lock timescaledb
    kill_all
    ;;
secure)
    lock timescaledb
    secure "$@"
    ;;
pause | resume)
    pid=$(server) || fail "it does not run"
    if [ "$command" = pause ]; then signal_all STOP "$pid"; else signal_all CONT "$pid"; fi
    ;;
status) status_row timescaledb "$HOST:$(port timescaledb)" "$DATA" "$DATA/postmaster.pid" ;;
reset)
    lock timescaledb
    stop
    rm -rf "$HOME_DIR"
    ;;
url) url ;;
psql) psql -d "$DATABASE" "$@" ;;
log) tail -n 100 "$HOME_DIR/server.log" ;;
help | -h | --help) usage ;;
*) usage 64 >&2 ;;
esac
