//! The one public error of every port: what kind, whether to try again, which operation, on what, and why.

use std::error::Error as StdError;
use std::fmt;

/// The result of a port's read or of a store's write.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, by what a caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// What was asked for does not exist.
    NotFound,
    /// What should be created exists.
    AlreadyExists,
    /// The input or the configuration is wrong; the message names the value and the mend.
    Invalid,
    /// The backend cannot do this at all.
    Unsupported,
    /// The credentials are missing, wrong or expired.
    Unauthenticated,
    /// The credentials do not suffice.
    Forbidden,
    /// The other side could not be reached or is overloaded.
    Unavailable,
    /// No answer in time.
    Timeout,
    /// Somebody else changed what this call builds on.
    Conflict,
    /// Stored data does not mean what it should.
    Corrupt,
    /// A disk or a quota is full.
    Full,
    /// Stored data was written by a newer version.
    TooNew,
    /// None of the above: a defect here or in the other system.
    Unexpected,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "not found",
            Self::AlreadyExists => "already exists",
            Self::Invalid => "invalid",
            Self::Unsupported => "unsupported",
            Self::Unauthenticated => "not authenticated",
            Self::Forbidden => "forbidden",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timed out",
            Self::Conflict => "conflict",
            Self::Corrupt => "corrupt",
            Self::Full => "no space",
            Self::TooNew => "written by a newer version",
            Self::Unexpected => "unexpected",
        })
    }
}

/// Whether the same call can succeed later without anybody doing anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RetryClass {
    /// It cannot; somebody must act.
    Never,
    /// It may.
    Later,
}

/// An error of a port.
///
/// `Display` prints one line: operation, kind, message and context. The causes are reachable by `source()`.
/// No part of it may hold a secret.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    retry: RetryClass,
    operation: &'static str,
    message: String,
    context: Vec<(&'static str, String)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Builds an error. [`ErrorKind::Unavailable`] and [`ErrorKind::Timeout`] are worth a later try, the other
    /// kinds are not; [`Error::with_retry`] overrides that.
    #[must_use]
    pub fn new(kind: ErrorKind, operation: &'static str, message: impl Into<String>) -> Self {
        let retry = match kind {
            ErrorKind::Unavailable | ErrorKind::Timeout => RetryClass::Later,
            _ => RetryClass::Never,
        };
        let (message, context, source) = (message.into(), Vec::new(), None);
        Self(Box::new(Inner { kind, retry, operation, message, context, source }))
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }

    /// Adds a named value.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.0.context.push((name, value.to_string()));
        self
    }

    /// Overrides the retry class.
    #[must_use]
    pub fn with_retry(mut self, retry: RetryClass) -> Self {
        self.0.retry = retry;
        self
    }

    /// Returns what went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns whether a later try can succeed by itself.
    #[must_use]
    pub fn retry(&self) -> RetryClass {
        self.0.retry
    }

    /// Returns the operation that failed, such as `store.append`.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// Returns the named values.
    pub fn context(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.context.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, operation, message, context, .. } = &*self.0;
        write!(f, "{operation}: {kind}: {message}")?;
        for (index, (name, value)) in context.iter().enumerate() {
            write!(f, "{}{name}={value}", if index == 0 { " (" } else { ", " })?;
        }
        if context.is_empty() { Ok(()) } else { f.write_str(")") }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_says_what_failed_on_what() {
        let error = Error::new(ErrorKind::Unavailable, "store.append", "the database is locked")
            .with("run", "run-1")
            .with("seq", 4);
        assert_eq!(error.to_string(), "store.append: unavailable: the database is locked (run=run-1, seq=4)");
        assert_eq!(error.retry(), RetryClass::Later);
        assert_eq!(Error::new(ErrorKind::Invalid, "x", "y").retry(), RetryClass::Never);
    }
}
