//! What can be wrong with the configuration of a backend.

use std::io;

use crate::redact::redact;

/// A configuration that no backend can be built from. Names the field and the mend, never a value that may be a
/// secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A required field is absent or empty.
    #[error("{field} is not set: {mend}")]
    Missing {
        /// The field, such as `slack_web_api.token`.
        field: &'static str,
        /// What to do.
        mend: &'static str,
    },
    /// A field has a value that cannot work.
    #[error("{field} is not valid: {allowed}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is allowed.
        allowed: String,
    },
    /// The file that holds a secret cannot be read.
    #[error("{field}: cannot read the file {}: {source}", redact(path))]
    SecretFile {
        /// The field.
        field: &'static str,
        /// The file.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// The environment variable that holds a secret is not there.
    #[error("{field}: the environment variable {} is not set or not UTF-8", redact(name))]
    SecretEnv {
        /// The field.
        field: &'static str,
        /// The variable.
        name: String,
    },
    /// The system does not give what a backend needs.
    #[error("cannot set up {what}: {reason}")]
    Setup {
        /// What, such as `the HTTPS client`.
        what: &'static str,
        /// Why not.
        reason: String,
    },
}
