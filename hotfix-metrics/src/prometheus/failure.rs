//! What every way to get no answer means for the caller.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use hotfix_core::{Error, ErrorKind, RetryClass};
use hotfix_http::{Answer as HttpAnswer, Cause, CauseKind, Clean, ConfigError, Fault};

use super::answer::{Refusal, Unreadable};

const MESSAGE_LIMIT: usize = 300;

/// Why a query has no answer. Shared by everybody who asked the same at the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
    /// Whether another try may succeed, and the least time to wait before it that the server asked for.
    pub(crate) again: Again,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    Never,
    Soon(Option<Duration>),
}

impl Failure {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let again = match kind {
            ErrorKind::Unavailable | ErrorKind::Timeout => Again::Soon(None),
            _ => Again::Never,
        };
        Self { kind, message: message.into(), again }
    }

    pub(crate) fn into_error(self, operation: &'static str) -> Error {
        let retry = match self.again {
            Again::Never => RetryClass::Never,
            Again::Soon(_) => RetryClass::Later,
        };
        Error::new(self.kind, operation, self.message).with_retry(retry)
    }

    /// Judges an answer whose status is not 200. The body only explains it: a proxy's page is as good as none.
    pub(crate) fn of_status(answer: &HttpAnswer) -> Self {
        let refusal = answer.body.as_ref().ok().and_then(|body| Refusal::parse(body));
        let kind = refusal.as_ref().and_then(of_type).unwrap_or_else(|| of_status(answer.status));
        let message = match refusal {
            Some(refusal) => format!("HTTP {}: {}", answer.status, said(&refusal)),
            None => format!("HTTP {}{}", answer.status, mend(answer.status)),
        };
        let failure = Self::new(kind, message);
        match failure.again {
            Again::Never => failure,
            Again::Soon(_) => {
                let again = Again::Soon(answer.wait.map(hotfix_core::model::Period::to_duration));
                Self { again, ..failure }
            }
        }
    }
}

impl From<Unreadable> for Failure {
    /// Judges a body that came with status 200.
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Refused(refusal) => {
                Self::new(of_type(&refusal).unwrap_or(ErrorKind::Unexpected), said(&refusal))
            }
            Unreadable::Malformed { .. } => {
                let mend = "check that `url` leads to the API and not to a login page";
                Self::new(ErrorKind::Unexpected, format!("{}; {mend}", line(&unreadable.to_string())))
            }
        }
    }
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        let Cause { kind, text } = cause;
        match kind {
            CauseKind::Timeout => Self::new(ErrorKind::Timeout, text),
            CauseKind::TooLong => {
                let mend = "select fewer series or raise `answer_limit`";
                Self::new(ErrorKind::Invalid, format!("{text}; {mend}"))
            }
            CauseKind::Configuration => Self::new(ErrorKind::Unauthenticated, text),
            // Somebody has to renew it; that may well happen while the rollout waits.
            CauseKind::CertificateExpired | CauseKind::CertificateInvalid => {
                Self { again: Again::Never, ..Self::new(ErrorKind::Unavailable, text) }
            }
            _ => Self::new(ErrorKind::Unavailable, text),
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::from(fault.into_cause())
    }
}

impl From<ConfigError> for Failure {
    /// A secret that cannot be read at the moment.
    fn from(error: ConfigError) -> Self {
        Self::new(ErrorKind::Unauthenticated, error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Failure {}

/// Reads the server's own word: `errorType` of Prometheus, Thanos, Mimir and Cortex.
fn of_type(refusal: &Refusal) -> Option<ErrorKind> {
    Some(match refusal.error_type.as_str() {
        "bad_data" | "execution" | "not_acceptable" => ErrorKind::Invalid,
        "timeout" => ErrorKind::Timeout,
        "canceled" | "internal" | "unavailable" | "too_many_requests" => ErrorKind::Unavailable,
        "not_found" => ErrorKind::NotFound,
        _ => return None,
    })
}

const fn of_status(status: u16) -> ErrorKind {
    match status {
        401 => ErrorKind::Unauthenticated,
        403 => ErrorKind::Forbidden,
        404 | 410 => ErrorKind::NotFound,
        408 | 504 => ErrorKind::Timeout,
        425 | 429 | 499 | 500 | 502 | 503 | 505..=599 => ErrorKind::Unavailable,
        405 | 501 => ErrorKind::Unsupported,
        300..=498 => ErrorKind::Invalid,
        _ => ErrorKind::Unexpected,
    }
}

const fn mend(status: u16) -> &'static str {
    match status {
        300..=399 => ": redirects are not followed; set `url` to where it leads",
        401 => ": check `auth`",
        403 => ": these credentials may not ask this",
        404 | 410 => ": check that `url` ends before /api",
        405 | 501 => ": neither POST nor GET is allowed",
        _ => "",
    }
}

fn said(refusal: &Refusal) -> String {
    line(&format!("{}: {}", refusal.error_type, refusal.error))
}

/// Puts what another system said on one line without secrets.
pub(super) fn line(text: &str) -> String {
    Clean::line(text).cut(MESSAGE_LIMIT, str::len).as_str().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(status: u16, body: &str) -> HttpAnswer {
        HttpAnswer {
            status,
            wait: None,
            headers: reqwest::header::HeaderMap::new(),
            body: Ok(body.as_bytes().to_vec()),
            trailers: reqwest::header::HeaderMap::new(),
        }
    }

    #[test]
    fn every_error_type_is_classified() {
        use ErrorKind::{Invalid, NotFound, Timeout, Unavailable};
        for (status, word, kind) in [
            (400, "bad_data", Invalid),
            (422, "execution", Invalid),
            (503, "canceled", Unavailable),
            (499, "canceled", Unavailable),
            (503, "timeout", Timeout),
            (500, "internal", Unavailable),
            (404, "not_found", NotFound),
            (500, "unavailable", Unavailable),
            (503, "unavailable", Unavailable),
            (406, "not_acceptable", Invalid),
            (429, "too_many_requests", Unavailable),
            (503, "a_word_of_tomorrow", Unavailable),
            (400, "a_word_of_tomorrow", Invalid),
        ] {
            let body = json!({"status": "error", "errorType": word, "error": "why"}).to_string();
            let failure = Failure::of_status(&answer(status, &body));
            assert_eq!(
                (failure.kind, failure.message),
                (kind, format!("HTTP {status}: {word}: why")),
                "{word}"
            );
        }
    }

    #[test]
    fn a_page_of_a_proxy_is_judged_by_its_status_alone() {
        use ErrorKind::*;
        for (status, kind, message) in [
            (301, Invalid, "HTTP 301: redirects are not followed; set `url` to where it leads"),
            (401, Unauthenticated, "HTTP 401: check `auth`"),
            (403, Forbidden, "HTTP 403: these credentials may not ask this"),
            (404, NotFound, "HTTP 404: check that `url` ends before /api"),
            (405, Unsupported, "HTTP 405: neither POST nor GET is allowed"),
            (413, Invalid, "HTTP 413"),
            (429, Unavailable, "HTTP 429"),
            (502, Unavailable, "HTTP 502"),
            (504, Timeout, "HTTP 504"),
            (204, Unexpected, "HTTP 204"),
        ] {
            let failure = Failure::of_status(&answer(status, "<html>canary</html>"));
            assert_eq!((failure.kind, failure.message.as_str()), (kind, message), "{status}");
        }
    }

    #[test]
    fn what_a_server_says_is_cleaned_before_it_is_repeated() {
        let refusal = Refusal {
            error_type: "bad_data".into(),
            error: "x\u{1b}[31m password=canary ".to_owned() + &"long ".repeat(100),
        };
        let failure = Failure::from(Unreadable::Refused(refusal));
        assert!(failure.message.starts_with("bad_data: x[31m password=[redacted] long"), "{failure}");
        assert!(failure.message.len() <= MESSAGE_LIMIT);
    }
}
