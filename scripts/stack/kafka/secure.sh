# The broker that requires TLS and passwords, to be sourced by kafka.sh, which calls it the broker
# `secure`. It is a separate cluster, with a port for each way to connect:
#
#   ssl             TLS, without a client certificate
#   mutual          TLS, with a client certificate
#   misnamed        TLS, with a server certificate for another name
#   sasl_ssl        TLS and a password, by PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
#   sasl_plaintext  a password alone, by the same mechanisms
#
# It has an authorizer: a topic or group without ACLs is open to all, and one with ACLs only to those
# that they name. The user `limited`, who logs in by PLAIN with the same password, is subject to them.

# shellcheck source=scripts/stack/certificates.sh
. "$SCRIPTS/certificates.sh"

readonly SECURE_DIR=$INSTANCE/kafka-secure
readonly SECRETS=$SECURE_DIR/secrets
readonly SECURE_USER=candlewick
readonly LIMITED_USER=limited
readonly WAYS_IN="ssl mutual misnamed sasl_ssl sasl_plaintext"
# Its ports are those between Redis and its sentinels in the block.
readonly SECURE_OFFSET=14

# secure_port WAY|controller: prints a port.
secure_port() {
    local way port
    port=$(($(port kafka) + SECURE_OFFSET))
    for way in $WAYS_IN controller; do
        [ "$way" != "$1" ] || break
        port=$((port + 1))
    done
    echo "$port"
}

# listeners WAY…: prints the listeners.
listeners() {
    local way
    for way in "$@"; do echo "${way^^}://$HOST:$(secure_port "$way")"; done | paste -sd, -
}

jaas() {
    local password module=org.apache.kafka.common.security
    password=$(cat "$SECRETS/password")
    cat <<END
listener.name.$1.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.$1.plain.sasl.jaas.config=$module.plain.PlainLoginModule required user_$SECURE_USER="$password" user_$LIMITED_USER="$password";
listener.name.$1.scram-sha-256.sasl.jaas.config=$module.scram.ScramLoginModule required;
listener.name.$1.scram-sha-512.sasl.jaas.config=$module.scram.ScramLoginModule required;
END
}

# Kafka reads the key and the certificates from one PEM file.
keystore() {
    cat "$SECRETS/$1.key" "$SECRETS/$1.pem" >"$SECRETS/$1.keystore.pem"
    echo "$SECRETS/$1.keystore.pem"
}

secure_properties() {
    # shellcheck disable=SC2086
    cat <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@$HOST:$(secure_port controller)
listeners=$(listeners $WAYS_IN controller)
advertised.listeners=$(listeners $WAYS_IN)
listener.security.protocol.map=SSL:SSL,MUTUAL:SSL,MISNAMED:SSL,SASL_SSL:SASL_SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=SSL
ssl.keystore.type=PEM
ssl.keystore.location=$(keystore server)
ssl.truststore.type=PEM
ssl.truststore.location=$SECRETS/ca.pem
listener.name.mutual.ssl.client.auth=required
listener.name.misnamed.ssl.keystore.location=$(keystore misnamed)
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:$SECURE_USER;User:ANONYMOUS
allow.everyone.if.no.acl.found=true
$(jaas sasl_ssl)
$(jaas sasl_plaintext)
$(broker_properties "$SECURE_DIR" 1)
END
}

# Prints the addresses by way, and the folder of the secrets.
secure_address() {
    local way
    for way in $WAYS_IN; do echo "$way=$HOST:$(secure_port "$way")"; done
    echo "secrets=$SECRETS"
}

make_secure() {
    local mechanism password users=()
    mkdir -p "$SECURE_DIR"
    # The broker's settings contain the password, and its keystores the keys.
    chmod 700 "$SECURE_DIR"
    make_certificates "$SECRETS"
    password=$(cat "$SECRETS/password")
    for mechanism in SCRAM-SHA-256 SCRAM-SHA-512; do
        users+=(--add-scram "$mechanism=[name=$SECURE_USER,password=$password]")
    done
    rm -rf "$SECURE_DIR/data"
    format secure "$(cluster_id)" "${users[@]}"
    touch "$SECURE_DIR/made"
}

secure_start() {
    install
    claim_ports
    [ -e "$SECURE_DIR/made" ] || make_secure
    run secure
    secure_address | paste -sd, -
}

secure_stop() { end_in TERM "$WAIT_S" "$SECURE_DIR"; }
secure_status() { status_row "kafka secure" "$HOST:$(secure_port ssl)" "$SECURE_DIR"; }

secure() {
    case ${1:-} in
    start) secure_start ;;
    stop) secure_stop ;;
    status) secure_status ;;
    address) secure_address | paste -sd, - ;;
    *) usage 64 >&2 ;;
    esac
}
