//! Sending one patch of a fenced object, and finding out what a refusal means.

use hotfix_core::model::Stamp;
use hotfix_core::port::{Ambiguity, Call, Conflict, Rejection, Reply};
use json_patch::PatchOperation;
use serde_json::Value;
use tokio::time::Instant;

use crate::deployer::KubernetesDeployer;
use crate::fence::{self, Admission, Applied, Note};
use crate::object::ObjectRef;
use crate::reply::{self, Meaning};

/// How often a verb is planned anew because somebody changed an object between reading and writing.
pub(crate) const PLANS: usize = 4;
/// How often one patch is sent again because the server could not settle who wrote first.
const RACES: usize = 5;

/// How far a verb got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Progress {
    Nothing,
    /// The fence stands at the call's stamp.
    Claimed,
    /// Something else was changed, too.
    Begun,
}

/// Why a list of steps was not brought to its end.
pub(crate) enum Stopped {
    /// Somebody changed what the steps were planned for.
    PlanAgain(Conflict),
    Answer(Reply),
}

/// Compares a call with the fence. Returns the key with the place of its note when it was applied before.
pub(crate) fn admit<'a>(
    notes: &[&'a Note],
    call: &Call,
    digest: &str,
    progress: Progress,
) -> Result<Option<(usize, &'a Applied)>, Reply> {
    let current = fence::highest(notes);
    if progress > Progress::Nothing {
        // The stamp is its own by now. A higher one belongs to somebody who went on from here.
        let is_own = current <= call.stamp;
        return if is_own { Ok(None) } else { Err(Reply::Conflict(Conflict::Fenced { current })) };
    }
    match fence::admit(notes, &call.key, digest, call.stamp) {
        Admission::Fresh => Ok(None),
        Admission::Repeated(index, applied) => Ok(Some((index, applied))),
        Admission::Fenced(current) => Err(Reply::Conflict(Conflict::Fenced { current })),
        Admission::KeyReused => {
            Err(permanent(format!("key {} was applied to another effect; use a new key", call.key)))
        }
    }
}

impl KubernetesDeployer {
    /// Sends one patch. `claimed` says whether the fence stands at the stamp by this very call.
    pub(crate) async fn write(
        &self,
        object: &ObjectRef,
        patch: &[PatchOperation],
        stamp: Stamp,
        claimed: bool,
        deadline: Instant,
    ) -> Result<Value, Stopped> {
        for _ in 0..RACES {
            let failure = match self.api.patch(object, patch, deadline).await {
                Ok(written) => return Ok(written),
                Err(failure) => failure,
            };
            match reply::meaning(&failure, object) {
                Meaning::Raced => {
                    tracing::debug!(%object, "somebody wrote at the same moment")
                }
                Meaning::Rejected(rejection) => return Err(Stopped::Answer(Reply::Rejected(rejection))),
                Meaning::Ambiguous(ambiguity) => return Err(Stopped::Answer(Reply::Ambiguous(ambiguity))),
                Meaning::Unproven { message } => {
                    return Err(self.prove(object, patch, stamp, claimed, &message, deadline).await);
                }
            }
        }
        let reason = format!("{object} is written by others all the time");
        Err(Stopped::Answer(Reply::Rejected(reply::busy(reason, None))))
    }

    /// The server does not say which test failed, or whether one did: reading again tells.
    async fn prove(
        &self,
        object: &ObjectRef,
        patch: &[PatchOperation],
        stamp: Stamp,
        claimed: bool,
        message: &str,
        deadline: Instant,
    ) -> Stopped {
        let found = match self.fetch(object, deadline).await {
            Ok(Some(found)) => found,
            Ok(None) => {
                let mend = "create it and adopt the target again";
                return Stopped::Answer(permanent(format!("{object} was deleted meanwhile; {mend}")));
            }
            Err(unusable) => return Stopped::Answer(Reply::Rejected(unusable.rejection())),
        };
        let current = found.fence.as_ref().map_or(Stamp::ZERO, |(_, note)| note.stamp);
        if current > stamp || (current == stamp && !claimed) {
            return Stopped::Answer(Reply::Conflict(Conflict::Fenced { current }));
        }
        match drift(patch, &found.value) {
            Some(conflict) => Stopped::PlanAgain(conflict),
            None => Stopped::Answer(permanent(format!("{object} was not changed: {message}"))),
        }
    }
}

/// Finds the first tested value that is not there any more.
fn drift(patch: &[PatchOperation], found: &Value) -> Option<Conflict> {
    let tests = patch.iter().filter_map(|operation| match operation {
        PatchOperation::Test(test) => Some(test),
        _ => None,
    });
    let moved = |path: &str| found.pointer(path).map_or_else(|| "nothing".to_owned(), brief);
    let mut failed = tests.filter(|test| found.pointer(test.path.as_str()) != Some(&test.value));
    let test = failed.next()?;
    let path = test.path.as_str();
    Some(Conflict::Drifted {
        expected: format!("{path} {}", brief(&test.value)),
        found: format!("{path} {}", moved(path)),
    })
}

/// A value in so few words that it fits a line. What is in a template may be long and is nobody's business.
fn brief(value: &Value) -> String {
    match value {
        Value::Object(_) | Value::Array(_) => {
            fence::hex(&<sha2::Sha256 as sha2::Digest>::digest(value.to_string().as_bytes())[..6])
        }
        value => value.to_string(),
    }
}

/// A verb that fails after something was changed is not known to have done nothing.
pub(crate) fn half_done(reply: Reply, progress: Progress) -> Reply {
    match (progress, reply) {
        (Progress::Begun, Reply::Rejected(rejection)) => {
            Reply::Ambiguous(Ambiguity::Unclear { answer: format!("half done, then {rejection}") })
        }
        (Progress::Begun, Reply::Conflict(conflict)) => {
            Reply::Ambiguous(Ambiguity::Unclear { answer: format!("half done, then {conflict}") })
        }
        (_, reply) => reply,
    }
}

pub(crate) fn permanent(reason: String) -> Reply {
    Reply::Rejected(Rejection::Permanent { reason })
}
