//! What the API server's log says, as plain JSON: the changes that it accepted, and the fence that each brought.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::prove::audit::Stamp;

/// The annotation that is the fence of an object.
pub(super) const FENCE: &str = "hotfix.dev/fence";
/// Where a patch writes it.
const FENCE_PATH: &str = "/metadata/annotations/hotfix.dev~1fence";

/// A change that the server accepted.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) user: String,
    /// When the request came, in microseconds since 1970.
    pub(super) begun: i64,
    /// When it was answered.
    pub(super) done: i64,
    pub(super) verb: String,
    /// Such as `deployments/shop`; of a subresource, `pods/shop-1/status`.
    pub(super) object: String,
    /// What was sent.
    pub(super) body: Value,
}

/// The fence that a change leaves on an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fence {
    pub(super) text: String,
    pub(super) stamp: Stamp,
    /// The stamp of the newest seal.
    pub(super) sealed: Option<Stamp>,
    /// The keys that were applied, each with its stamp, oldest first.
    pub(super) applied: Vec<(String, Stamp)>,
}

/// What the server wrote down of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Accepted,
    /// Its caller was gone before it had one, so it wrote down that it ran out of time. The change may be there.
    Unheard,
    Refused,
}

impl Answer {
    fn of(code: u64) -> Self {
        match code {
            ..300 => Self::Accepted,
            504 => Self::Unheard,
            _ => Self::Refused,
        }
    }
}

/// Reads the accepted changes of a log, in the order in which they came about. One that nobody heard of was accepted if
/// another has read the fence that it leaves.
pub(super) fn changes(log: &[Value]) -> Vec<Change> {
    let all: Vec<(Answer, Change)> = log.iter().filter_map(change).collect();
    let is_found = |unheard: &Change| {
        let Some(Ok(left)) = unheard.fence() else { return false };
        let finds = |other: &Change| other.object == unheard.object && other.compares() == Some(&*left.text);
        // Also one that nobody heard of has read what it compares with.
        all.iter().any(|(_, other)| finds(other))
    };
    let accepted = all.iter().filter(|(answer, change)| *answer == Answer::Accepted || is_found(change));
    let mut changes: Vec<Change> = accepted.map(|(_, change)| change.clone()).collect();
    changes.sort_by_key(|change| (change.done, change.begun));
    straighten(&mut changes);
    changes
}

/// Of two changes of an object that overlapped, the server may have written the first down last. The one that compares
/// with what the other left came after it.
fn straighten(changes: &mut [Change]) {
    let mut fences: BTreeMap<String, String> = BTreeMap::new();
    for at in 0..changes.len() {
        let object = changes[at].object.clone();
        if let Some(left) = fences.get(&object)
            && changes[at].compares().is_some_and(|compares| compares != left)
        {
            let is_meant = |later: &Change| {
                later.object == object && later.begun <= changes[at].done && later.compares() == Some(left)
            };
            if let Some(behind) = changes[at..].iter().position(is_meant) {
                changes[at..=at + behind].rotate_right(1);
            }
        }
        if let Some(Ok(fence)) = changes[at].fence() {
            fences.insert(object, fence.text);
        }
    }
}

fn change(event: &Value) -> Option<(Answer, Change)> {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
    let verb = text("/verb")?;
    let answer = Answer::of(event.pointer("/responseStatus/code")?.as_u64()?);
    if answer == Answer::Refused || !matches!(verb, "create" | "update" | "patch" | "delete") {
        return None;
    }
    let time = |pointer| Some(chrono::DateTime::parse_from_rfc3339(text(pointer)?).ok()?.timestamp_micros());
    let body = event.get("requestObject").cloned().unwrap_or_default();
    // What is created under a name that is to be made up has none yet in the log.
    let name = text("/objectRef/name").or_else(|| body["metadata"]["name"].as_str()).unwrap_or_default();
    let resource = text("/objectRef/resource")?;
    // A Lease says who may try. It has no fence, and nothing that customers notice.
    if resource == "leases" {
        return None;
    }
    let object = format!("{resource}/{name}");
    let object = text("/objectRef/subresource").map_or(object.clone(), |part| format!("{object}/{part}"));
    let change = Change {
        user: text("/user/username")?.to_owned(),
        begun: time("/requestReceivedTimestamp")?,
        done: time("/stageTimestamp")?,
        verb: verb.to_owned(),
        object,
        body,
    };
    Some((answer, change))
}

impl Change {
    /// The operations of a JSON Patch; of anything else none.
    pub(super) fn operations(&self) -> &[Value] {
        self.body.as_array().map_or(&[], Vec::as_slice)
    }

    /// The fence that it leaves, `None` when it says nothing of it.
    pub(super) fn fence(&self) -> Option<Result<Fence, String>> {
        let written = |operation: &&Value| operation["path"] == FENCE_PATH && operation["op"] != "test";
        let text = match self.operations().iter().find(written) {
            Some(operation) => operation["value"].as_str()?,
            None => self.body["metadata"]["annotations"][FENCE].as_str()?,
        };
        Some(Fence::read(text))
    }

    /// Whether it is of a pod, which has no history of its own.
    pub(super) fn is_of_pod(&self) -> bool {
        self.object.starts_with("pods/")
    }

    /// Whether it leaves everything else as it was.
    pub(super) fn changes_only_the_fence(&self) -> bool {
        self.operations().iter().all(|operation| operation["op"] == "test" || operation["path"] == FENCE_PATH)
    }

    /// The fence that it compares with.
    pub(super) fn compares(&self) -> Option<&str> {
        let compares = |operation: &&Value| operation["path"] == FENCE_PATH && operation["op"] == "test";
        self.operations().iter().find(compares)?["value"].as_str()
    }
}

impl Fence {
    fn read(text: &str) -> Result<Self, String> {
        let unreadable = || format!("the fence {text} cannot be read");
        let note: Value = serde_json::from_str(text).map_err(|_| unreadable())?;
        let applied = note["applied"].as_array().map_or(&[][..], Vec::as_slice).iter();
        let applied = applied.map(|it| Some((it["key"].as_str()?.to_owned(), stamp(&it["stamp"])?)));
        let sealed = match &note["sealed"] {
            Value::Null => None,
            seal => Some(stamp(&seal["stamp"]).ok_or_else(unreadable)?),
        };
        Ok(Self {
            text: text.to_owned(),
            stamp: stamp(&note["stamp"]).ok_or_else(unreadable)?,
            sealed,
            applied: applied.collect::<Option<_>>().ok_or_else(unreadable)?,
        })
    }

    /// The newest stamp with which a key was applied.
    pub(super) fn stamp_of(&self, key: &str) -> Option<Stamp> {
        self.applied.iter().find(|(applied, _)| applied == key).map(|(_, stamp)| *stamp)
    }

    /// Whether no run has written the object yet.
    pub(super) const fn is_first(&self) -> bool {
        matches!(self.stamp, (0, 0))
    }

    /// Whether it was left by a seal.
    pub(super) fn is_seal(&self) -> bool {
        self.sealed == Some(self.stamp)
    }
}

/// Reads a stamp as people do: `7.3`.
fn stamp(value: &Value) -> Option<Stamp> {
    let (epoch, seq) = value.as_str()?.split_once('.')?;
    Some((epoch.parse().ok()?, seq.parse().ok()?))
}
