# Certificates for the servers of an instance that use TLS, to be sourced after instance.sh. They are
# for tests on this machine only.
#
# make_certificates FOLDER: creates PEM files in the folder, unless it has them, that only their owner
# may read:
#
#   ca.pem                         the authority that signed the next three
#   server.pem, server.key         for 127.0.0.1 and localhost
#   misnamed.pem, misnamed.key     for another name, which a client that verifies names refuses
#   client.pem, client.key         a client certificate, CN=candlewick
#   stranger.pem                   an authority that signed none of them
#   password                       of the user candlewick

readonly CERTIFICATE_DAYS=3650

# Used instead of the machine's own file, so that everything in a certificate is defined here.
openssl_settings() {
    cat <<END
[req]
distinguished_name = name
prompt = no
[name]
CN = nobody
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = IP:$HOST, DNS:localhost
[misnamed]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:elsewhere.invalid
[client]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
END
}

# certificate NAME KIND COMMON-NAME [OPTION…]: NAME.pem and NAME.key.
certificate() {
    local name=$1 kind=$2 common_name=$3
    shift 3
    openssl req -x509 -config openssl.cnf -extensions "$kind" -subj "/CN=$common_name" \
        -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days "$CERTIFICATE_DAYS" \
        -keyout "$name.key" -out "$name.pem" "$@" 2>openssl.log ||
        { cat openssl.log >&2 && fail "openssl made no certificate for $name; it has to be of version 3"; }
}

make_certificates() (
    has openssl || fail "there is no openssl, which makes the certificates"
    [ ! -e "$1/made" ] || return 0
    umask 077
    rm -rf "$1"
    mkdir -p "$1"
    cd "$1"
    openssl_settings >openssl.cnf
    certificate ca authority "Candlewick tests"
    certificate stranger authority "A stranger"
    certificate server server localhost -CA ca.pem -CAkey ca.key
    certificate misnamed misnamed elsewhere.invalid -CA ca.pem -CAkey ca.key
    certificate client client candlewick -CA ca.pem -CAkey ca.key
    openssl rand -hex 16 >password
    touch made
)
