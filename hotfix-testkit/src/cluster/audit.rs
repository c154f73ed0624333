//! What the API server put down about every request.

use std::io;
use std::path::Path;

use serde_json::Value;

/// One request, as the server saw it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AuditEvent {
    /// Who asked.
    pub user: String,
    /// The program that asked, as it called itself.
    pub user_agent: String,
    /// The verb: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// The path with its query.
    pub uri: String,
    /// The HTTP status of the answer.
    pub status: u16,
    /// What was sent, of requests that change something other than secrets; a patch is as it was sent.
    pub request: Option<Value>,
    /// The namespace of the object.
    pub namespace: Option<String>,
    /// The resource in the plural.
    pub resource: Option<String>,
    /// The name of the object.
    pub name: Option<String>,
    /// The event as it was written, with everything else.
    pub raw: Value,
}

/// Reads the log. The last line counts once it is complete.
pub(super) fn read(path: &Path) -> io::Result<Vec<AuditEvent>> {
    let text = std::fs::read_to_string(path)?;
    let complete = text.rsplit_once('\n').map_or("", |(complete, _)| complete);
    complete.lines().map(|line| Ok(event(serde_json::from_str(line)?))).collect()
}

fn event(raw: Value) -> AuditEvent {
    let text = |pointer: &str| raw.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let word = |pointer: &str| text(pointer).unwrap_or_default();
    let status = raw.pointer("/responseStatus/code").and_then(Value::as_u64);
    AuditEvent {
        user: word("/user/username"),
        user_agent: word("/userAgent"),
        verb: word("/verb"),
        uri: word("/requestURI"),
        status: status.and_then(|code| u16::try_from(code).ok()).unwrap_or_default(),
        request: raw.get("requestObject").cloned(),
        namespace: text("/objectRef/namespace"),
        resource: text("/objectRef/resource"),
        name: text("/objectRef/name"),
        raw,
    }
}
