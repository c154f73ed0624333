//! What the API server put down about every request.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
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

/// Reads the log.
pub(super) fn read(path: &Path) -> io::Result<Vec<AuditEvent>> {
    read_from(path, 0, "")
}

/// Reads what was put down about a namespace from a place in the log on.
pub(super) fn read_about(path: &Path, begins: u64, namespace: &str) -> io::Result<Vec<AuditEvent>> {
    let mut events = read_from(path, begins, namespace)?;
    events.retain(|event| event.namespace.as_deref() == Some(namespace));
    Ok(events)
}

/// Returns how long the log is.
pub(super) fn length(path: &Path) -> io::Result<u64> {
    Ok(path.metadata()?.len())
}

/// Reads the lines that say something, one by one: a log of hours is longer than what anybody wants to hold. The last
/// line counts once it is complete.
fn read_from(path: &Path, begins: u64, something: &str) -> io::Result<Vec<AuditEvent>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(begins))?;
    let (mut log, mut line, mut events) = (BufReader::new(file), Vec::new(), Vec::new());
    while log.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
        let text = std::str::from_utf8(&line).map_err(io::Error::other)?;
        if text.contains(something) {
            events.push(event(serde_json::from_str(text)?));
        }
        line.clear();
    }
    Ok(events)
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
