#!/usr/bin/env bash
# A real Apache Kafka (KRaft) on loopback. See instance.sh for the variables of all servers.
#
#   kafka.sh start [1|3]     that many brokers; default the present number, or 1. With 3 each
#                            partition has 3 replicas, of which 2 must acknowledge
#   kafka.sh stop            clean stop; keeps the data
#   kafka.sh kill I          SIGKILL of broker I
#   kafka.sh start-one I     restarts it
#   kafka.sh stop-one I      clean stop of broker I alone
#   kafka.sh unregister I    the controllers forget broker I, which keeps responding, with
#                            metadata without brokers, until it is restarted
#   kafka.sh pause I         SIGSTOP: connections stay open, without responses
#   kafka.sh resume I        SIGCONT
#   kafka.sh status          prints a line per broker; exit status 3 unless all run
#   kafka.sh reset           stop, and delete the data
#   kafka.sh install         fetch the jars only (start does it too)
#   kafka.sh bootstrap       print the addresses for clients
#   kafka.sh log [I]         print the end of a broker's log
#   kafka.sh topics|groups|configs|offsets ARGUMENTS…
#                            Kafka's own tools, with --bootstrap-server given
#   kafka.sh secure start|stop|status
#                            a separate broker that requires TLS, passwords, or both
#   kafka.sh secure address  print its addresses and the folder of its certificates and password
#
#   STACK_KAFKA_HEAP         largest heap of a broker; default 512m, 256m for the secure one
#   STACK_KAFKA_SETTINGS     more lines for server.properties, read at every start
#   JAVA_HOME, MVN           a java and mvn other than those on PATH

# shellcheck source=scripts/stack/instance.sh
. "$(dirname "$0")/instance.sh"

readonly VERSION=4.3.1
readonly HOME_DIR=$INSTANCE/kafka
readonly LIBS=$DIST/kafka-$VERSION/libs
readonly JAVA=${JAVA_HOME:+$JAVA_HOME/bin/}java
readonly WAIT_S=90
# For a quick start; the optimising compiler gains nothing in short runs.
readonly QUICK="-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData"

# ---- installation

require_java() {
    has "$JAVA" || fail "there is no java; Kafka needs a JRE of version 17 or later"
    local version
    version=$("$JAVA" -version 2>&1 | sed -nE 's/.*version "([0-9]+).*/\1/p')
    [ "${version:-0}" -ge 17 ] || fail "java is ${version:-unknown}, and Kafka needs 17 or later"
}

dependency() {
    printf '<dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version>%s</dependency>\n' "$@"
}
exclusion() { printf '<exclusion><groupId>%s</groupId><artifactId>%s</artifactId></exclusion>' "$@"; }

# The tools are not among the broker's dependencies, and depend on Connect, which is not used here.
write_pom() {
    cat <<XML
<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>candlewick.stack</groupId><artifactId>kafka</artifactId><version>1</version>
<packaging>pom</packaging>
<dependencies>
$(dependency org.apache.kafka kafka_2.13 $VERSION "")
$(dependency org.apache.kafka kafka-tools $VERSION "<exclusions>$(
        exclusion org.apache.kafka connect-runtime
        exclusion com.fasterxml.jackson.jakarta.rs '*'
    )</exclusions>")
$(dependency org.apache.logging.log4j log4j-slf4j-impl 2.25.4 "")
</dependencies>
</project>
XML
}

fetch_jars() {
    local folder=$1 mvn=${MVN:-mvn}
    has "$mvn" || fail "there is no $mvn, which fetches Kafka's jars"
    write_pom >"$folder/pom.xml"
    if ! "$mvn" -B -l "$folder/mvn.log" -f "$folder/pom.xml" \
        org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$folder/libs" </dev/null >/dev/null 2>&1; then
        grep '^\[ERROR\]' "$folder/mvn.log" | head -n 5 >&2 || true
        fail "mvn could not fetch Kafka's jars; all it said is in $folder/mvn.log"
    fi
    [ -e "$folder/libs/kafka_2.13-$VERSION.jar" ] || fail "mvn brought no Kafka $VERSION"
}

# Always in the same order, which an archive of classes depends on.
classpath() { printf '%s\n' "$LIBS"/*.jar | paste -sd : -; }

# Half of a start is loading classes. A broker of a temporary instance writes an archive of the classes
# it loaded when it stops, for this java, and all others map that file. Without it they start slower.
record_classes() {
    local folder=$1
    local apart=(env -u CANDLEWICK_STACK -u STACK_PORTS -u STACK_KAFKA_PORT
        CANDLEWICK_STACK_DIR="$folder/instance" CANDLEWICK_STACK_DIST="$DIST"
        STACK_KAFKA_RECORD="$folder/classes.jsa" "$SCRIPTS/kafka.sh")
    if ! { "${apart[@]}" start 1 && "${apart[@]}" stop; } >"$folder/record.log" 2>&1; then
        say "no archive of Kafka's classes was made, see $folder/record.log; starts take longer"
    fi
    rm -rf "$folder/instance"
}
classes_dir() { echo "kafka-$VERSION-classes-$("$JAVA" -version 2>&1 | cksum | cut -d ' ' -f 1)"; }
# Prints the options of a broker that concern the archive.
sharing() {
    local archive
    archive=$DIST/$(classes_dir)/classes.jsa
    if [ -n "${STACK_KAFKA_RECORD:-}" ]; then
        echo "-XX:ArchiveClassesAtExit=$STACK_KAFKA_RECORD"
    elif [ -e "$archive" ]; then
        echo "-XX:SharedArchiveFile=$archive"
    fi
}

install() {
    require_java
    install_once "kafka-$VERSION" fetch_jars
    [ -n "${STACK_KAFKA_RECORD:-}" ] || install_once "$(classes_dir)" record_classes
}

# tool CLASS ARGUMENTS…: runs one of Kafka's tools.
tool() {
    # $QUICK is several words.
    # shellcheck disable=SC2086
    "$JAVA" -Xmx256m $QUICK -Dlog4j2.configurationFile="file:$SCRIPTS/kafka/tools.xml" -cp "$(classpath)" "$@"
}

# ---- the cluster

# shellcheck source=scripts/stack/kafka/secure.sh
. "$SCRIPTS/kafka/secure.sh"

folder() { if [ "$1" = secure ]; then echo "$SECURE_DIR"; else echo "$HOME_DIR/$1"; fi; }
client_port() { echo $(($(port kafka) + 2 * ($1 - 1))); }
controller_port() { echo $(($(client_port "$1") + 1)); }
brokers() { cat "$HOME_DIR/brokers" 2>/dev/null || echo 0; }
every() { seq 1 "$(brokers)"; }
require_broker() {
    if ! [[ ${1:-} =~ ^[1-9]$ ]] || [ "$1" -gt "$(brokers)" ]; then
        fail "which broker? There are $(brokers)"
    fi
}
# joined PREFIX-FUNCTION: prints the function's output for each broker, separated by commas.
joined() {
    local i
    for i in $(every); do "$1" "$i"; done | paste -sd, -
}
address() { echo "$HOST:$(client_port "$1")"; }
voter() { echo "$1@$HOST:$(controller_port "$1")"; }
bootstrap() {
    [ "$(brokers)" -gt 0 ] || fail "there is no cluster yet: 'kafka.sh start'"
    joined address
}

properties() {
    local i=$1
    if [ "$i" = secure ]; then
        secure_properties
        return
    fi
    cat <<END
process.roles=broker,controller
node.id=$i
controller.quorum.voters=$(joined voter)
listeners=PLAINTEXT://$(address "$i"),CONTROLLER://$HOST:$(controller_port "$i")
advertised.listeners=PLAINTEXT://$(address "$i")
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
$(broker_properties "$(folder "$i")" "$(brokers)")
END
}

# broker_properties FOLDER REPLICAS: prints the settings of a broker. Timeouts are shorter than Kafka's
# defaults, so that a test of a fault takes seconds; topics are not created automatically, as in
# production.
broker_properties() {
    local replicas=$2 in_sync
    in_sync=$((replicas > 1 ? 2 : 1))
    cat <<END
log.dirs=$1/data
log.segment.bytes=268435456
log.cleaner.dedupe.buffer.size=16777216
auto.create.topics.enable=false
num.partitions=4
default.replication.factor=$replicas
min.insync.replicas=$in_sync
offsets.topic.replication.factor=$replicas
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$in_sync
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor=$replicas
share.coordinator.state.topic.min.isr=$in_sync
share.coordinator.state.topic.num.partitions=8
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
num.network.threads=2
num.io.threads=4
background.threads=4
${STACK_KAFKA_SETTINGS:-}
END
}

# 16 bytes in URL-safe base64, which must not begin with '-'.
cluster_id() { echo "c$(head -c 64 /dev/urandom | base64 -w 0 | tr -d '+/=' | head -c 20)A"; }

# format BROKER CLUSTER-ID [OPTION…]: prepares the storage of a broker.
format() {
    local i=$1 id=$2 folder
    folder=$(folder "$i")
    shift 2
    mkdir -p "$folder"
    properties "$i" >"$folder/server.properties"
    if ! tool kafka.tools.StorageTool format -t "$id" -c "$folder/server.properties" "$@" \
        >"$folder/format.log" 2>&1 9>&-; then
        cat "$folder/format.log" >&2
        fail "the storage of broker $i could not be formatted"
    fi
}

make_cluster() {
    local count=$1 i id
    case $count in
    1 | 3) ;;
    *) fail "1 or 3 brokers, not $count: of 2 controllers neither may be lost" ;;
    esac
    rm -rf "$HOME_DIR"
    mkdir -p "$HOME_DIR"
    echo "$count" >"$HOME_DIR/brokers"
    id=$(cluster_id)
    for i in $(every); do format "$i" "$id"; done
    # Without this file the next start formats again.
    touch "$HOME_DIR/made"
}

# ---- brokers

ports_of() {
    local way
    if [ "$1" = secure ]; then
        for way in $WAYS_IN controller; do secure_port "$way"; done
    else
        client_port "$1"
        controller_port "$1"
    fi
}

launch() {
    local i=$1 folder port heap=512m
    folder=$(folder "$i")
    [ "$i" != secure ] || heap=256m
    for port in $(ports_of "$i"); do require_free "$port"; done
    properties "$i" >"$folder/server.properties"
    if [ -e "$folder/broker.log" ]; then mv "$folder/broker.log" "$folder/broker.log.before"; fi
    # shellcheck disable=SC2046,SC2086
    start_in "$folder" "$JAVA" -Xms128m -Xmx"${STACK_KAFKA_HEAP:-$heap}" $QUICK $(sharing) -Xlog:disable -Xlog:all=error:stderr \
        -XX:+ExitOnOutOfMemoryError -Djava.awt.headless=true -Dkafka.logs.dir="$folder" \
        -Dlog4j2.configurationFile="file:$SCRIPTS/kafka/broker.xml" \
        -cp "$(classpath)" kafka.Kafka "$folder/server.properties"
}

# The broker logs this once it is registered and no longer fenced.
says_started() { grep -qs 'Kafka Server started' "$(folder "$1")/broker.log"; }
started_or_dead() { says_started "$1" || gone "$(folder "$1")"; }
await() {
    local i
    for i in "$@"; do
        if ! wait_until "$WAIT_S" started_or_dead "$i" || ! says_started "$i"; then
            tail -n 20 "$(folder "$i")/output.log" "$(folder "$i")/broker.log" >&2 || true
            fail "broker $i did not start"
        fi
    done
}

run() {
    local i
    for i in "$@"; do
        if gone "$(folder "$i")" >/dev/null; then launch "$i"; fi
    done
    await "$@"
}

count_running() {
    local i n=0
    for i in $(every); do
        if pid_in "$(folder "$i")" >/dev/null; then n=$((n + 1)); fi
    done
    echo "$n"
}

# A broker asks the controllers for permission to stop. Without a majority of them it gets no response
# and would wait for minutes: the remaining brokers then get 3 s and are killed. That loses nothing,
# since the kernel has what they wrote.
terminate() {
    local i end=$((SECONDS + WAIT_S)) pid
    for i in "$@"; do
        if pid=$(pid_in "$(folder "$i")"); then kill -TERM "$pid"; kill -CONT "$pid"; fi
    done
    for i in "$@"; do
        until gone "$(folder "$i")" >/dev/null; do
            if [ $(($(count_running) * 2)) -le "$(brokers)" ] && [ $((end - SECONDS)) -gt 3 ]; then
                # A single broker is its own majority until it ends.
                [ "$(brokers)" = 1 ] || end=$((SECONDS + 3))
            fi
            if [ "$SECONDS" -ge "$end" ]; then end_in KILL 10 "$(folder "$i")"; fi
            sleep 0.05
        done
    done
}

start() {
    local count=${1:-${STACK_KAFKA_BROKERS:-}} have
    install
    claim_ports
    have=$(brokers)
    if [ ! -e "$HOME_DIR/made" ]; then
        make_cluster "${count:-1}"
    elif [ -n "$count" ] && [ "$count" != "$have" ]; then
        fail "the cluster has $have broker(s), not $count: 'kafka.sh reset' first"
    fi
    # shellcheck disable=SC2046
    run $(every)
    bootstrap
}

status() {
    local i outcome=0
    if [ "$(brokers)" = 0 ]; then
        row kafka "not made" - - "$HOST:$(port kafka)"
        outcome=3
    fi
    for i in $(every); do
        status_row "kafka $i" "$(address "$i")" "$(folder "$i")" || outcome=3
    done
    if [ -e "$SECURE_DIR" ]; then secure_status || true; fi
    return "$outcome"
}

command=${1:-help}
[ $# = 0 ] || shift
case $command in
kill | start-one | stop-one | unregister | pause | resume) require_broker "${1:-}" ;;
esac
case $command in
install) install ;;
start)
    lock kafka
    start "$@"
    ;;
stop)
    lock kafka
    # shellcheck disable=SC2046
    terminate $(every)
    ;;
reset)
    lock kafka
    # shellcheck disable=SC2046
    terminate $(every)
    secure_stop
    rm -rf "$HOME_DIR" "$SECURE_DIR"
    ;;
kill)
    lock kafka
    end_in KILL 10 "$(folder "$1")"
    ;;
start-one)
    lock kafka
    run "$1"
    ;;
stop-one)
    lock kafka
    terminate "$1"
    ;;
secure)
    lock kafka
    secure "$@"
    ;;
unregister) tool org.apache.kafka.tools.ClusterTool unregister --bootstrap-server "$(bootstrap)" --id "$1" ;;
pause) signal_in STOP "$(folder "$1")" ;;
resume) signal_in CONT "$(folder "$1")" ;;
status) status ;;
bootstrap) bootstrap ;;
log) tail -n 100 "$(folder "${1:-1}")/broker.log" ;;
topics) tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$(bootstrap)" "$@" ;;
groups) tool org.apache.kafka.tools.consumer.group.ConsumerGroupCommand --bootstrap-server "$(bootstrap)" "$@" ;;
configs) tool kafka.admin.ConfigCommand --bootstrap-server "$(bootstrap)" "$@" ;;
offsets) tool org.apache.kafka.tools.GetOffsetShell --bootstrap-server "$(bootstrap)" "$@" ;;
help | -h | --help) usage ;;
*) usage 64 >&2 ;;
esac
