//! Whom to trust and what to show when a connection is made.

use std::path::PathBuf;

use reqwest::{Certificate, ClientBuilder, Identity};
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::error::ConfigError;
use crate::secret::SecretSource;

const KEY_FIELD: &str = "http.tls.key";

/// The TLS side of a connection. The files are read once, when the backend is built.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// A PEM file with the authorities that are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// A PEM file with the certificate to show, and those between it and its authority. Needs `key`.
    pub certificate: Option<PathBuf>,
    /// The key of `certificate` in PEM; a secret.
    pub key: Option<SecretSource>,
}

impl TlsConfig {
    pub(crate) fn apply(&self, mut builder: ClientBuilder) -> Result<ClientBuilder, ConfigError> {
        if let Some(path) = &self.ca_file {
            let pem = read("http.tls.ca_file", path)?;
            let roots = Certificate::from_pem_bundle(&pem).ok().filter(|roots| !roots.is_empty());
            let roots = roots.ok_or_else(|| not_pem("http.tls.ca_file", "certificates"))?;
            builder = builder.tls_certs_only(roots);
        }
        match (&self.certificate, &self.key) {
            (None, None) => Ok(builder),
            (Some(certificate), Some(key)) => {
                let mut pem = read("http.tls.certificate", certificate)?;
                pem.push(b'\n');
                pem.extend_from_slice(key.read(KEY_FIELD)?.expose_secret().as_bytes());
                let identity = Identity::from_pem(&pem);
                // The error may quote the key.
                let identity = identity.map_err(|_| not_pem(KEY_FIELD, "the key of http.tls.certificate"))?;
                Ok(builder.identity(identity))
            }
            (Some(_), None) => Err(ConfigError::Missing {
                field: KEY_FIELD,
                mend: "set it to the key of http.tls.certificate, or leave both out",
            }),
            (None, Some(_)) => Err(ConfigError::Missing {
                field: "http.tls.certificate",
                mend: "set it to the certificate of http.tls.key, or leave both out",
            }),
        }
    }
}

fn read(field: &'static str, path: &PathBuf) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(path).map_err(|source| {
        let path = path.display().to_string();
        ConfigError::SecretFile { field, path, source }
    })
}

fn not_pem(field: &'static str, what: &str) -> ConfigError {
    ConfigError::Invalid { field, allowed: format!("must hold {what} in PEM") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(config: &TlsConfig) -> String {
        config.apply(reqwest::Client::builder()).unwrap_err().to_string()
    }

    #[test]
    fn a_certificate_and_its_key_come_together() {
        let alone = TlsConfig { key: Some("canary".into()), ..TlsConfig::default() };
        assert_eq!(
            message(&alone),
            "http.tls.certificate is not set: set it to the certificate of http.tls.key, or leave both out"
        );
        let alone = TlsConfig { certificate: Some("/cert.pem".into()), ..TlsConfig::default() };
        assert_eq!(
            message(&alone),
            "http.tls.key is not set: set it to the key of http.tls.certificate, or leave both out"
        );
    }

    #[test]
    fn what_is_no_pem_is_named_and_not_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "canary").unwrap();
        let roots = TlsConfig { ca_file: Some(file.path().into()), ..TlsConfig::default() };
        assert_eq!(message(&roots), "http.tls.ca_file is not valid: must hold certificates in PEM");
        let pair = TlsConfig {
            certificate: Some(file.path().into()),
            key: Some("canary".into()),
            ..TlsConfig::default()
        };
        assert_eq!(
            message(&pair),
            "http.tls.key is not valid: must hold the key of http.tls.certificate in PEM"
        );
    }
}
