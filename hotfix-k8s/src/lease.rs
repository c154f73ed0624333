//! Claims of a leader or of a target on a Lease of `coordination.k8s.io`, for embedders without a shared database.
//!
//! Every claim has an epoch, kept in an annotation beside a beat that rises with each renewal. Every write is one JSON
//! Patch that tests the whole annotation first, so that of two who saw the same lease one succeeds. The epoch rises
//! with every claim and never falls, not even when the lease is given back: it is what stamps begin with, and the
//! fence on the targets, not a clock, is what keeps a claimant out who does not know yet that he lost.
//!
//! Nobody compares the clocks of two machines. A lease has expired when whoever waits for it has seen nothing change
//! for as long as it lasts, by his own monotonic clock; he who holds it counts from before he sent the renewal, so he
//! stops first. The times in the object are for people.

use std::fmt;
use std::time::Duration;

use chrono::SecondsFormat;
use hotfix_core::model::Timestamp;
use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, PatchOperation, RemoveOperation, ReplaceOperation, TestOperation};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

/// The annotation with the epoch and the beat.
const ANNOTATION: &str = "hotfix.dev/lease";

/// Who claims a lease, and for how long at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claimant {
    /// A name that no other process has, not even this program started again.
    pub(crate) holder: String,
    pub(crate) lasts: LeaseTerm,
}

/// How long a claim lasts unless it is renewed: whole seconds, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeaseTerm(u32);

impl LeaseTerm {
    /// Returns the term, or nothing for 0.
    pub(crate) fn seconds(seconds: u32) -> Option<Self> {
        (seconds > 0 && i32::try_from(seconds).is_ok()).then_some(Self(seconds))
    }

    const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

/// A claim that this process holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tenure {
    /// The epoch of the claim: what its stamps begin with.
    pub(crate) epoch: u64,
    /// Not to be relied on from then on, unless renewed.
    pub(crate) until: Instant,
    mark: Mark,
}

/// How a lease stands for whoever wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nobody holds it, or nobody renewed it for as long as it lasts.
    Open,
    /// Somebody does.
    Held {
        holder: String,
        epoch: u64,
        /// When it is open unless it is seen to change before.
        expires: Instant,
    },
}

/// What one process saw of a lease. It has to see the lease again and again to know that it has expired.
#[derive(Debug, Default)]
pub(crate) struct Watcher {
    last: Option<(Sighting, Instant)>,
}

/// A lease that is not one of ours, so nothing of it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotOurs {
    /// Another program elects its leader by it.
    Foreign { holder: String },
    /// The annotation is none that this program writes.
    Annotation(String),
}

impl fmt::Display for NotOurs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign { holder } => {
                write!(
                    f,
                    "the lease is held by {holder} without the annotation {ANNOTATION}; name another lease"
                )
            }
            Self::Annotation(text) => {
                write!(f, "the annotation {ANNOTATION} is {text:?}; remove the lease when nobody uses it")
            }
        }
    }
}

/// The annotation: it differs after every write of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    epoch: u64,
    beat: u64,
}

impl Mark {
    fn text(self) -> String {
        format!(r#"{{"epoch":{},"beat":{}}}"#, self.epoch, self.beat)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Sighting {
    holder: Option<String>,
    mark: Option<Mark>,
    lasts: Duration,
}

impl Sighting {
    fn of(lease: &Value) -> Result<Self, NotOurs> {
        let text = lease["metadata"]["annotations"][ANNOTATION].as_str();
        let mark = text.map(|text| {
            let mark: Option<Mark> = serde_json::from_str(text).ok();
            mark.filter(|mark| mark.text() == text).ok_or_else(|| NotOurs::Annotation(text.to_owned()))
        });
        let mark = mark.transpose()?;
        let spec = &lease["spec"];
        let holder = spec["holderIdentity"].as_str().filter(|holder| !holder.is_empty()).map(str::to_owned);
        if let (None, Some(holder)) = (mark, &holder) {
            return Err(NotOurs::Foreign { holder: holder.clone() });
        }
        let lasts = Duration::from_secs(spec["leaseDurationSeconds"].as_u64().unwrap_or(0));
        Ok(Self { holder, mark, lasts })
    }
}

impl Watcher {
    /// Takes a sighting of the lease, read at `now` or before, and says how it stands.
    pub(crate) fn see(&mut self, lease: &Value, now: Instant) -> Result<Standing, NotOurs> {
        let sighting = Sighting::of(lease)?;
        let since = match &self.last {
            Some((last, since)) if *last == sighting => *since,
            _ => now,
        };
        let (holder, lasts) = (sighting.holder.clone(), sighting.lasts);
        let epoch = sighting.mark.map_or(0, |mark| mark.epoch);
        self.last = Some((sighting, since));
        Ok(match holder {
            Some(holder) if now < since + lasts => Standing::Held { holder, epoch, expires: since + lasts },
            _ => Standing::Open,
        })
    }
}

impl Claimant {
    /// Returns a new lease that is claimed, to be created where there is none, and what it is worth when it was.
    /// `sent` is an instant before the request is sent.
    pub(crate) fn create(
        &self,
        namespace: &str,
        name: &str,
        now: Timestamp,
        sent: Instant,
    ) -> (Value, Tenure) {
        let mark = Mark { epoch: 1, beat: 0 };
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"namespace": namespace, "name": name, "annotations": {ANNOTATION: mark.text()}},
            "spec": {
                "holderIdentity": self.holder,
                "leaseDurationSeconds": self.lasts.0,
                "acquireTime": micro(now),
                "renewTime": micro(now),
                "leaseTransitions": 0,
            },
        });
        (lease, self.tenure(mark, sent))
    }

    /// Returns what claims a lease that is open, and what that is worth when it was applied. The patch is refused by
    /// the server when anybody else was faster.
    pub(crate) fn acquire(
        &self,
        lease: &Value,
        now: Timestamp,
        sent: Instant,
    ) -> Result<(Vec<PatchOperation>, Tenure), NotOurs> {
        let sighting = Sighting::of(lease)?;
        let mark = Mark { epoch: sighting.mark.map_or(1, |mark| mark.epoch + 1), beat: 0 };
        let transitions = lease["spec"]["leaseTransitions"].as_u64().unwrap_or(0) + 1;
        let mut patch = match sighting.mark {
            Some(old) => vec![test(annotation(), old.text()), replace(annotation(), mark.text())],
            None => adopt(lease, mark),
        };
        if lease["spec"].is_null() {
            patch.push(add(spec(""), json!({})));
        }
        patch.extend([
            add(spec("holderIdentity"), self.holder.clone()),
            add(spec("leaseDurationSeconds"), self.lasts.0),
            add(spec("acquireTime"), micro(now)),
            add(spec("renewTime"), micro(now)),
            add(spec("leaseTransitions"), transitions),
        ]);
        Ok((patch, self.tenure(mark, sent)))
    }

    /// Returns what renews a claim, and what it is worth when that was applied. A refusal means that the claim is
    /// lost, unless an earlier renewal whose answer was lost has changed the lease: see [`Claimant::still_holds`].
    pub(crate) fn renew(
        &self,
        tenure: &Tenure,
        now: Timestamp,
        sent: Instant,
    ) -> (Vec<PatchOperation>, Tenure) {
        let mark = Mark { beat: tenure.mark.beat + 1, ..tenure.mark };
        let patch = vec![
            test(annotation(), tenure.mark.text()),
            replace(annotation(), mark.text()),
            add(spec("renewTime"), micro(now)),
        ];
        (patch, self.tenure(mark, sent))
    }

    /// Returns the claim as the lease has it, if it is still the one of that epoch. It is worth no more than before.
    pub(crate) fn still_holds(&self, lease: &Value, tenure: &Tenure) -> Option<Tenure> {
        let sighting = Sighting::of(lease).ok()?;
        let mark = sighting.mark.filter(|mark| mark.epoch == tenure.epoch)?;
        (sighting.holder.as_deref() == Some(self.holder.as_str()))
            .then_some(Tenure { mark, ..tenure.clone() })
    }

    /// Returns what gives the lease back, so that nobody has to wait for its end. The epoch stays.
    pub(crate) fn release(&self, tenure: &Tenure) -> Vec<PatchOperation> {
        let mark = Mark { beat: tenure.mark.beat + 1, ..tenure.mark };
        vec![
            test(annotation(), tenure.mark.text()),
            replace(annotation(), mark.text()),
            PatchOperation::Remove(RemoveOperation { path: spec("holderIdentity") }),
        ]
    }

    fn tenure(&self, mark: Mark, sent: Instant) -> Tenure {
        Tenure { epoch: mark.epoch, until: sent + self.lasts.duration(), mark }
    }
}

/// Puts the annotation on a lease that has none, which nobody may have changed since it was read.
fn adopt(lease: &Value, mark: Mark) -> Vec<PatchOperation> {
    let version = lease["metadata"]["resourceVersion"].clone();
    let mut patch = vec![test(pointer(&["metadata", "resourceVersion"]), version)];
    if lease["metadata"]["annotations"].is_null() {
        patch.push(add(pointer(&["metadata", "annotations"]), json!({})));
    }
    patch.push(add(annotation(), mark.text()));
    patch
}

/// As the API writes the times of a lease.
fn micro(time: Timestamp) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn annotation() -> PointerBuf {
    pointer(&["metadata", "annotations", ANNOTATION])
}

fn spec(field: &str) -> PointerBuf {
    if field.is_empty() { pointer(&["spec"]) } else { pointer(&["spec", field]) }
}

fn pointer(tokens: &[&str]) -> PointerBuf {
    PointerBuf::from_tokens(tokens.iter().copied())
}

fn test(path: PointerBuf, value: impl Into<Value>) -> PatchOperation {
    PatchOperation::Test(TestOperation { path, value: value.into() })
}

fn replace(path: PointerBuf, value: impl Into<Value>) -> PatchOperation {
    PatchOperation::Replace(ReplaceOperation { path, value: value.into() })
}

/// Also replaces what is there.
fn add(path: PointerBuf, value: impl Into<Value>) -> PatchOperation {
    PatchOperation::Add(AddOperation { path, value: value.into() })
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
