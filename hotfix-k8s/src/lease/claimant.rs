//! Claiming, renewing and giving back a Lease, as patches: the part that neither sends anything nor reads a clock.
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
use hotfix_core::model::{Period, RunId, Timestamp};
use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, PatchOperation, RemoveOperation, ReplaceOperation, TestOperation};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::note::{CLAIM, Note};
use crate::names;

/// The annotation with the epoch and the beat.
const ANNOTATION: &str = "hotfix.dev/lease";

/// What stores keep epochs in are signed numbers of 64 bits. Nobody has ever come so far by counting.
const LIMIT: u64 = i64::MAX.unsigned_abs();

/// The API keeps the number of transitions in 32 bits.
const MOST_TRANSITIONS: u64 = i32::MAX.unsigned_abs() as u64;

/// Who claims a lease, for how long at a time, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claimant {
    /// Who holds it. Claims of one holder differ in their epoch.
    pub(super) holder: String,
    pub(super) lasts: LeaseTerm,
    /// The claim of a run on a target; nothing more is said of a leader.
    pub(super) note: Option<Note>,
}

/// How long a claim lasts unless it is renewed: whole seconds, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LeaseTerm(u32);

impl LeaseTerm {
    /// Rounds a period up, to one second at least.
    pub(super) fn of(period: Period) -> Self {
        let seconds = period.as_millis().div_ceil(1000).max(1);
        // A period is at most a year.
        Self(u32::try_from(seconds).unwrap_or(u32::MAX))
    }

    pub(super) const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

/// A claim that this process holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tenure {
    /// The epoch of the claim: what its stamps begin with.
    pub(super) epoch: u64,
    /// Not to be relied on from then on, unless renewed.
    pub(super) until: Instant,
    mark: Mark,
}

/// How a lease stands for whoever wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody holds it.
    Free,
    /// Somebody does.
    Held(Hold),
    /// Somebody does, and did not renew it for as long as it lasts.
    Expired(Hold),
}

/// Who holds a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hold {
    pub(super) holder: String,
    pub(super) epoch: u64,
    /// When it expires, or did, unless it is seen to change before.
    pub(super) expires: Instant,
}

/// What one process saw of a lease. It has to see the lease again and again to know that it has expired.
#[derive(Debug, Default)]
pub(super) struct Watcher {
    last: Option<(Sighting, Instant)>,
}

/// A lease that is not one of ours, so nothing of it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotOurs {
    /// Another program elects its leader by it.
    Foreign { holder: String },
    /// It is claimed for something else: a target by a leader, or the other way round.
    Otherwise { holder: String },
    /// An annotation is none that this program writes.
    Annotation { name: &'static str, text: String },
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
            Self::Otherwise { holder } => {
                write!(f, "the lease is held by {holder} for something else; name another lease")
            }
            Self::Annotation { name, text } => {
                write!(f, "the annotation {name} is {text:?}; remove the lease when nobody uses it")
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
            mark.filter(|mark| mark.text() == text && mark.epoch < LIMIT && mark.beat < LIMIT)
                .ok_or_else(|| NotOurs::Annotation { name: ANNOTATION, text: text.to_owned() })
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
    pub(super) fn see(&mut self, lease: &Value, now: Instant) -> Result<Standing, NotOurs> {
        let sighting = Sighting::of(lease)?;
        let since = match &self.last {
            Some((last, since)) if *last == sighting => *since,
            _ => now,
        };
        let (holder, lasts) = (sighting.holder.clone(), sighting.lasts);
        let epoch = sighting.mark.map_or(0, |mark| mark.epoch);
        self.last = Some((sighting, since));
        let Some(holder) = holder else { return Ok(Standing::Free) };
        let hold = Hold { holder, epoch, expires: since + lasts };
        Ok(if now < hold.expires { Standing::Held(hold) } else { Standing::Expired(hold) })
    }
}

impl Claimant {
    /// Returns a new lease that is claimed under that epoch, to be created where there is none, and what it is worth when
    /// it was. `sent` is an instant before the request is sent.
    pub(super) fn create(
        &self,
        (namespace, name): (&str, &str),
        epoch: u64,
        now: Timestamp,
        sent: Instant,
    ) -> (Value, Tenure) {
        let mark = Mark { epoch, beat: 0 };
        let mut annotations = json!({ANNOTATION: mark.text()});
        if let Some(note) = &self.note {
            annotations[CLAIM] = note.text().into();
        }
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"namespace": namespace, "name": name, "annotations": annotations},
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

    /// Returns what claims a lease under an epoch above `above`, and what that is worth when it was applied. The patch
    /// is refused by the server when anybody else was faster.
    pub(super) fn acquire(
        &self,
        lease: &Value,
        above: u64,
        now: Timestamp,
        sent: Instant,
    ) -> Result<(Vec<PatchOperation>, Tenure), NotOurs> {
        let sighting = Sighting::of(lease)?;
        let epoch = sighting.mark.map_or(0, |mark| mark.epoch).max(above) + 1;
        let mark = Mark { epoch, beat: 0 };
        let transitions = lease["spec"]["leaseTransitions"].as_u64().unwrap_or(0);
        let transitions = transitions.saturating_add(1).min(MOST_TRANSITIONS);
        let mut patch = match sighting.mark {
            Some(old) => vec![test(annotation(), old.text()), replace(annotation(), mark.text())],
            None => adopt(lease, mark),
        };
        patch.extend(self.noted());
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
    pub(super) fn renew(
        &self,
        tenure: &Tenure,
        now: Timestamp,
        sent: Instant,
    ) -> (Vec<PatchOperation>, Tenure) {
        self.renew_under(tenure.epoch, tenure, now, sent)
    }

    /// The same, and raises the epoch of the claim, which nobody was told yet.
    pub(super) fn renew_under(
        &self,
        epoch: u64,
        tenure: &Tenure,
        now: Timestamp,
        sent: Instant,
    ) -> (Vec<PatchOperation>, Tenure) {
        let mark = Mark { epoch, beat: tenure.mark.beat + 1 };
        let mut patch = vec![test(annotation(), tenure.mark.text()), replace(annotation(), mark.text())];
        patch.extend(self.noted());
        patch.push(add(spec("renewTime"), micro(now)));
        (patch, self.tenure(mark, sent))
    }

    /// Returns the claim as the lease has it, if it is still the one of that epoch. It is worth no more than before.
    pub(super) fn still_holds(&self, lease: &Value, tenure: &Tenure) -> Option<Tenure> {
        let sighting = Sighting::of(lease).ok()?;
        let mark = sighting.mark.filter(|mark| mark.epoch == tenure.epoch)?;
        (sighting.holder.as_deref() == Some(self.holder.as_str()))
            .then_some(Tenure { mark, ..tenure.clone() })
    }

    /// Returns the claim of a run as it stands on a lease, with whoever holds it; `None` when the run has not got it.
    pub(super) fn of_run(
        lease: &Value,
        run: &RunId,
        seen: Instant,
    ) -> Result<Option<(Self, Tenure)>, NotOurs> {
        let (sighting, note) = (Sighting::of(lease)?, Note::read(lease)?);
        let (Some(holder), Some(mark), Some(note)) = (sighting.holder, sighting.mark, note) else {
            return Ok(None);
        };
        if note.run != *run {
            return Ok(None);
        }
        let lasts = LeaseTerm::of(Period::from_millis(sighting.lasts.as_millis().try_into().unwrap_or(0)));
        let tenure = Tenure { epoch: mark.epoch, until: seen, mark };
        Ok(Some((Self { holder, lasts, note: Some(note) }, tenure)))
    }

    /// Returns what gives the lease back, so that nobody has to wait for its end. The epoch stays.
    pub(super) fn release(&self, tenure: &Tenure) -> Vec<PatchOperation> {
        let mark = Mark { beat: tenure.mark.beat + 1, ..tenure.mark };
        let mut patch = vec![test(annotation(), tenure.mark.text()), replace(annotation(), mark.text())];
        patch.extend(self.noted());
        patch.push(PatchOperation::Remove(RemoveOperation { path: spec("holderIdentity") }));
        patch
    }

    fn noted(&self) -> Option<PatchOperation> {
        Some(add(Note::path(), self.note.as_ref()?.text()))
    }

    fn tenure(&self, mark: Mark, sent: Instant) -> Tenure {
        Tenure { epoch: mark.epoch, until: sent + self.lasts.duration(), mark }
    }
}

/// Returns the highest epoch that a lease ever had.
pub(super) fn epoch_of(lease: &Value) -> u64 {
    let text = lease["metadata"]["annotations"][ANNOTATION].as_str();
    let mark: Option<Mark> = text.and_then(|text| serde_json::from_str(text).ok());
    mark.map_or(0, |mark| mark.epoch)
}

/// Puts the annotation on a lease that has none, which nobody may have changed since it was read.
fn adopt(lease: &Value, mark: Mark) -> Vec<PatchOperation> {
    let version = lease["metadata"]["resourceVersion"].clone();
    let mut patch = vec![test(names::pointer(["metadata", "resourceVersion"]), version)];
    if lease["metadata"]["annotations"].is_null() {
        patch.push(add(names::pointer(["metadata", "annotations"]), json!({})));
    }
    patch.push(add(annotation(), mark.text()));
    patch
}

/// As the API writes the times of a lease.
fn micro(time: Timestamp) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn annotation() -> PointerBuf {
    names::annotation(ANNOTATION)
}

fn spec(field: &str) -> PointerBuf {
    if field.is_empty() { names::pointer(["spec"]) } else { names::pointer(["spec", field]) }
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
#[path = "claimant_tests.rs"]
mod tests;
