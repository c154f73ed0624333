//! What is known when an exchange fails: whether a byte had left, and why.

use std::error::Error;
use std::fmt;
use std::io;

use rustls::CertificateError;

use crate::clean::Clean;
use crate::error::ConfigError;

const CAUSE_LIMIT: usize = 240;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// No byte of the request left: it surely had no effect.
    NotSent(Cause),
    /// The request left, or may have.
    Unanswered(Cause),
}

impl Fault {
    /// Returns the cause.
    #[must_use]
    pub fn into_cause(self) -> Cause {
        match self {
            Self::NotSent(cause) | Self::Unanswered(cause) => cause,
        }
    }

    pub(crate) fn of(error: reqwest::Error) -> Self {
        // A connection that was never made or a request that could not be built carried nothing.
        if error.is_connect() || error.is_builder() {
            Self::NotSent(Cause::of(error))
        } else {
            Self::Unanswered(Cause::of(error))
        }
    }
}

impl From<ConfigError> for Fault {
    /// A secret that cannot be read at the moment: nothing left.
    fn from(error: ConfigError) -> Self {
        Self::NotSent(Cause { kind: CauseKind::Configuration, text: error.to_string() })
    }
}

/// What went wrong, in one line without URL and secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// By what it can be told from others.
    pub kind: CauseKind,
    /// For people.
    pub text: String,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CauseKind {
    /// A secret or the request itself could not be put together.
    Configuration,
    /// It took longer than it may.
    Timeout,
    /// The answer is longer than it may be.
    TooLong,
    /// The other side's certificate has expired.
    CertificateExpired,
    /// The other side's certificate is not valid for another reason.
    CertificateInvalid,
    /// The name, the connection, or the protocol on it.
    Connection,
}

impl Cause {
    pub(crate) fn too_long(limit: usize) -> Self {
        Self { kind: CauseKind::TooLong, text: format!("the answer is longer than {limit} bytes") }
    }

    pub(crate) fn of(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            let missing = if error.is_connect() { "no connection" } else { "no whole answer" };
            return Self { kind: CauseKind::Timeout, text: format!("{missing} in time") };
        }
        let error = error.without_url();
        let mut kind = if error.is_builder() { CauseKind::Configuration } else { CauseKind::Connection };
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            kind = certificate(inner).unwrap_or(kind);
            text = format!("{text}: {inner}");
            source = inner.source();
        }
        Self { kind, text: Clean::line(&text).cut(CAUSE_LIMIT, str::len).as_str().to_owned() }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Returns what an error says about a certificate. TLS errors travel inside of I/O errors, even of several, which do not
/// tell them as their causes.
fn certificate(error: &(dyn Error + 'static)) -> Option<CauseKind> {
    if let Some(inside) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        return certificate(inside);
    }
    match error.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => Some(CauseKind::CertificateExpired),
        rustls::Error::InvalidCertificate(_) => Some(CauseKind::CertificateInvalid),
        _ => None,
    }
}
