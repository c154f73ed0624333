//! What a failed request means: each failure of the API server in the words of the port.

use hotfix_core::model::Period;
use hotfix_core::port::{Ambiguity, Rejection};
use hotfix_core::{Error, ErrorKind};

use crate::api::{Failure, Refusal};
use crate::object::ObjectRef;

/// What a failed mutation means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Surely not applied, by this request and for this reason.
    Rejected(Rejection),
    /// Surely not applied: somebody else wrote at the same moment. Whether it may be repeated, its tests tell.
    Raced,
    /// Surely not applied: a test failed, an admission refused or the patch makes no sense. Reading again tells which.
    Unproven { message: String },
    /// It may have been applied, or may still be.
    Ambiguous(Ambiguity),
}

/// What the server says when it has not executed a request although it answers with a server error: the store had
/// no leader or no space, or a webhook that must be asked first did not answer.
const NOT_EXECUTED: [&str; 5] = [
    "etcdserver: no leader",
    "etcdserver: too many requests",
    "etcdserver: mvcc: database space exceeded",
    "failed calling webhook",
    "failed calling admission webhook",
];

/// Tells what the failure of a mutation means.
pub(crate) fn meaning(failure: &Failure, object: &ObjectRef) -> Meaning {
    match failure {
        Failure::NotSent { cause } => {
            Meaning::Rejected(busy(format!("the API server was not reached: {cause}"), None))
        }
        Failure::Timeout => Meaning::Ambiguous(Ambiguity::Timeout),
        Failure::Interrupted { cause } => Meaning::Ambiguous(Ambiguity::Interrupted { cause: cause.clone() }),
        Failure::Unclear { answer } => Meaning::Ambiguous(Ambiguity::Unclear { answer: answer.clone() }),
        Failure::Status(refusal) => of_status(refusal, object),
    }
}

fn of_status(refusal: &Refusal, object: &ObjectRef) -> Meaning {
    let said = said(refusal);
    match refusal.code {
        404 if refusal.is_not_found() => Meaning::Rejected(permanent(format!(
            "{object} does not exist; create it or correct the configuration"
        ))),
        401 => Meaning::Rejected(permanent(format!(
            "the credentials were not accepted for {object}: {said}; renew them"
        ))),
        403 => Meaning::Rejected(permanent(format!("{object} may not be changed: {said}"))),
        409 => Meaning::Raced,
        422 => Meaning::Unproven { message: said },
        429 => Meaning::Rejected(busy(format!("the API server is busy: {said}"), refusal.retry_after)),
        // A client's timeout as seen by the server: it may have begun. Somebody in between does not know what the server did.
        404 | 408 => Meaning::Ambiguous(Ambiguity::Unclear { answer: said }),
        500 | 503 if NOT_EXECUTED.iter().any(|text| refusal.message.contains(text)) => {
            Meaning::Rejected(busy(said, refusal.retry_after))
        }
        400..=499 => Meaning::Rejected(permanent(format!("{object} was not changed: {said}"))),
        _ => Meaning::Ambiguous(Ambiguity::Unclear { answer: said }),
    }
}

/// The failure of a read as an error of the port.
pub(crate) fn read_error(failure: &Failure, operation: &'static str, object: &str) -> Error {
    let (kind, message) = match failure {
        Failure::NotSent { cause } | Failure::Interrupted { cause } => {
            (ErrorKind::Unavailable, cause.clone())
        }
        Failure::Timeout => (ErrorKind::Timeout, "no answer in time".to_owned()),
        Failure::Unclear { answer } => (ErrorKind::Unexpected, answer.clone()),
        Failure::Status(refusal) => (kind(refusal), said(refusal)),
    };
    Error::new(kind, operation, message).with("object", object)
}

fn kind(refusal: &Refusal) -> ErrorKind {
    match refusal.code {
        401 => ErrorKind::Unauthenticated,
        403 => ErrorKind::Forbidden,
        404 if refusal.is_not_found() => ErrorKind::NotFound,
        409 => ErrorKind::Conflict,
        408 | 504 => ErrorKind::Timeout,
        404 | 410 | 429 | 500..=599 => ErrorKind::Unavailable,
        _ => ErrorKind::Unexpected,
    }
}

/// One line of what the server says.
pub(crate) fn said(refusal: &Refusal) -> String {
    let Refusal { code, reason, message, .. } = refusal;
    match (reason.as_str(), message.as_str()) {
        ("", "") if *code == 404 => {
            "HTTP 404 that does not name the object; look whether its kind is installed and who answers in between".to_owned()
        }
        ("", "") => format!("HTTP {code}"),
        ("", message) => format!("HTTP {code}: {message}"),
        (reason, "") => format!("HTTP {code} {reason}"),
        (reason, message) => format!("HTTP {code} {reason}: {message}"),
    }
}

pub(crate) const fn busy(reason: String, retry_after: Option<Period>) -> Rejection {
    Rejection::Busy { reason, retry_after }
}

pub(crate) const fn permanent(reason: String) -> Rejection {
    Rejection::Permanent { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> ObjectRef {
        ObjectRef::deployment("prod", "shop")
    }

    fn status(code: u16, reason: &str, message: &str, wait: Option<u64>) -> Failure {
        let retry_after = wait.map(Period::from_secs);
        Failure::Status(Refusal { code, reason: reason.into(), message: message.into(), retry_after })
    }

    fn unclear(answer: &str) -> Meaning {
        Meaning::Ambiguous(Ambiguity::Unclear { answer: answer.to_owned() })
    }

    #[test]
    fn each_failure_has_its_meaning() {
        let reset = Failure::Interrupted { cause: "connection reset by peer".to_owned() };
        let refused = Failure::NotSent { cause: "connection refused".to_owned() };
        let rejected = |reason: &str| Meaning::Rejected(permanent(reason.to_owned()));
        let later = |reason: &str, wait: Option<u64>| {
            Meaning::Rejected(busy(reason.to_owned(), wait.map(Period::from_secs)))
        };
        let cases = [
            (status(409, "Conflict", "modified", None), Meaning::Raced),
            (
                status(422, "Invalid", "in our request", None),
                Meaning::Unproven { message: "HTTP 422 Invalid: in our request".to_owned() },
            ),
            (
                status(429, "TooManyRequests", "", Some(7)),
                later("the API server is busy: HTTP 429 TooManyRequests", Some(7)),
            ),
            (status(429, "", "", None), later("the API server is busy: HTTP 429", None)),
            (status(500, "InternalError", "boom", None), unclear("HTTP 500 InternalError: boom")),
            (status(502, "", "", None), unclear("HTTP 502")),
            (status(503, "", "", None), unclear("HTTP 503")),
            (status(500, "", "etcdserver: no leader", None), later("HTTP 500: etcdserver: no leader", None)),
            (
                status(500, "InternalError", "failed calling webhook \"x\": timeout", None),
                later("HTTP 500 InternalError: failed calling webhook \"x\": timeout", None),
            ),
            (
                status(500, "", "etcdserver: request timed out", None),
                unclear("HTTP 500: etcdserver: request timed out"),
            ),
            (status(504, "Timeout", "", None), unclear("HTTP 504 Timeout")),
            (status(408, "", "", None), unclear("HTTP 408")),
            (
                reset,
                Meaning::Ambiguous(Ambiguity::Interrupted { cause: "connection reset by peer".to_owned() }),
            ),
            (
                status(404, "", "", None),
                unclear(
                    "HTTP 404 that does not name the object; look whether its kind is installed and who answers in between",
                ),
            ),
            (Failure::Timeout, Meaning::Ambiguous(Ambiguity::Timeout)),
            (Failure::Unclear { answer: "200 without JSON".to_owned() }, unclear("200 without JSON")),
            (refused, later("the API server was not reached: connection refused", None)),
            (
                status(401, "Unauthorized", "", None),
                rejected(
                    "the credentials were not accepted for Deployment prod/shop: HTTP 401 Unauthorized; renew them",
                ),
            ),
            (
                status(403, "Forbidden", "no", None),
                rejected("Deployment prod/shop may not be changed: HTTP 403 Forbidden: no"),
            ),
            (
                status(404, "NotFound", "", None),
                rejected("Deployment prod/shop does not exist; create it or correct the configuration"),
            ),
            (
                status(400, "BadRequest", "denied by policy", None),
                rejected("Deployment prod/shop was not changed: HTTP 400 BadRequest: denied by policy"),
            ),
        ];
        for (failure, expected) in cases {
            assert_eq!(meaning(&failure, &shop()), expected);
        }
    }
}
