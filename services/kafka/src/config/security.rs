//! Encryption and authentication.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rdkafka::ClientConfig;

use super::error::KafkaConfigError;

/// How connections are protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SecurityProtocol {
    /// Neither encrypted nor authenticated.
    #[default]
    Plaintext,
    /// TLS; a client certificate may authenticate this process.
    Ssl,
    /// A user name and password, not encrypted.
    SaslPlaintext,
    /// A user name and password over TLS.
    SaslSsl,
}

/// How the password is sent to the brokers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SaslMechanism {
    /// In clear text.
    #[default]
    Plain,
    /// As a proof that does not contain it, with SHA-256 (RFC 7677).
    ScramSha256,
    /// The same with SHA-512.
    ScramSha512,
}

/// Implements `FromStr` and `Display` of an enum, with the names that Kafka uses.
macro_rules! names {
    ($enum:ident: $($variant:ident = $name:literal),+) => {
        impl FromStr for $enum {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                $(if text.eq_ignore_ascii_case($name) { return Ok(Self::$variant); })+
                Err(format!("one of {}", [$($name),+].join(", ")))
            }
        }

        impl fmt::Display for $enum {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(match self { $(Self::$variant => $name,)+ })
            }
        }
    };
}

names! { SecurityProtocol:
    Plaintext = "PLAINTEXT", Ssl = "SSL", SaslPlaintext = "SASL_PLAINTEXT", SaslSsl = "SASL_SSL"
}
names! { SaslMechanism:
    Plain = "PLAIN", ScramSha256 = "SCRAM-SHA-256", ScramSha512 = "SCRAM-SHA-512"
}

/// Encryption and authentication. Secrets are in files, because Kubernetes mounts them as files.
#[derive(Debug, Clone, Default)]
pub struct KafkaSecurity {
    /// `kafka.security_protocol`.
    pub protocol: SecurityProtocol,
    /// `kafka.sasl_mechanism`, used with the SASL protocols.
    pub mechanism: SaslMechanism,
    /// `kafka.username`, required with the SASL protocols.
    pub username: Option<String>,
    /// `kafka.password_file`, required with the SASL protocols. White space at its end is ignored.
    /// It is read again if the brokers refuse the password.
    pub password_file: Option<PathBuf>,
    /// `kafka.ca_file`: the authorities that must have signed the certificates of the brokers, in
    /// PEM; by default those of the system.
    pub ca_file: Option<PathBuf>,
    /// `kafka.certificate_file`: the certificate of this process, in PEM.
    pub certificate_file: Option<PathBuf>,
    /// `kafka.key_file`: the key of that certificate, in PEM.
    pub key_file: Option<PathBuf>,
}

/// A file for TLS, with the names of its setting.
struct TlsFile<'a> {
    /// The name of the setting in Candlewick.
    option: &'static str,
    /// The name of the setting in librdkafka.
    librdkafka_setting: &'static str,
    /// The file, if it is set.
    path: Option<&'a Path>,
}

impl KafkaSecurity {
    fn uses_sasl(&self) -> bool {
        matches!(
            self.protocol,
            SecurityProtocol::SaslPlaintext | SecurityProtocol::SaslSsl
        )
    }

    fn uses_tls(&self) -> bool {
        matches!(
            self.protocol,
            SecurityProtocol::Ssl | SecurityProtocol::SaslSsl
        )
    }

    /// Adds the errors of these settings.
    pub(super) fn add_errors(&self, errors: &mut Vec<KafkaConfigError>) {
        if self.uses_sasl() && self.username.as_ref().is_none_or(String::is_empty) {
            let expected = format!("a name, since the protocol is {}", self.protocol);
            errors.push(KafkaConfigError {
                option: "kafka.username",
                expected,
            });
        }
        if self.uses_sasl() {
            errors.extend(self.read_password().err());
        }
        if self.uses_tls() {
            let files = self.tls_files();
            errors.extend(files.into_iter().filter_map(|file| {
                file.path
                    .and_then(|path| read_file(file.option, path).err())
            }));
            if self.certificate_file.is_some() != self.key_file.is_some() {
                errors.push(KafkaConfigError {
                    option: "kafka.key_file",
                    expected: "a certificate and its key, or neither".to_owned(),
                });
            }
        }
    }

    /// Adds these settings to those of a client.
    pub(super) fn add_settings(&self, config: &mut ClientConfig) -> Result<(), KafkaConfigError> {
        config.set("security.protocol", self.protocol.to_string());
        if let Some((user, password)) = self.read_credentials_if_needed()? {
            config
                .set("sasl.mechanism", self.mechanism.to_string())
                .set("sasl.username", user)
                .set("sasl.password", password);
        }
        if self.uses_tls() {
            for file in self.tls_files() {
                if let Some(path) = file.path {
                    config.set(file.librdkafka_setting, path.display().to_string());
                }
            }
        }
        Ok(())
    }

    /// Returns the user, and the password that the file holds now, if the protocol needs them.
    pub(crate) fn read_credentials_if_needed(
        &self,
    ) -> Result<Option<(String, String)>, KafkaConfigError> {
        if !self.uses_sasl() {
            return Ok(None);
        }
        let user = self.username.clone().unwrap_or_default();
        Ok(Some((user, self.read_password()?)))
    }

    /// Returns the files of certificates and keys, which need not be set.
    fn tls_files(&self) -> [TlsFile<'_>; 3] {
        [
            TlsFile {
                option: "kafka.ca_file",
                librdkafka_setting: "ssl.ca.location",
                path: self.ca_file.as_deref(),
            },
            TlsFile {
                option: "kafka.certificate_file",
                librdkafka_setting: "ssl.certificate.location",
                path: self.certificate_file.as_deref(),
            },
            TlsFile {
                option: "kafka.key_file",
                librdkafka_setting: "ssl.key.location",
                path: self.key_file.as_deref(),
            },
        ]
    }

    fn read_password(&self) -> Result<String, KafkaConfigError> {
        let option = "kafka.password_file";
        let Some(file) = &self.password_file else {
            let expected = format!("a file, since the protocol is {}", self.protocol);
            return Err(KafkaConfigError { option, expected });
        };
        Ok(read_file(option, file)?.trim_end().to_owned())
    }
}

fn read_file(option: &'static str, file: &Path) -> Result<String, KafkaConfigError> {
    std::fs::read_to_string(file).map_err(|error| KafkaConfigError {
        option,
        expected: format!("a file that can be read; {}: {error}", file.display()),
    })
}
