//! Sending one patch of a fenced object, and finding out what a refusal means.

use hotfix_core::model::{Stamp, VerbName};
use hotfix_core::port::{Call, Conflict, Rejection, Reply};
use json_patch::PatchOperation;
use serde_json::Value;
use tokio::time::Instant;

use crate::deployer::KubernetesDeployer;
use crate::drift::{drift, made_anew};
use crate::fence::{self, Admission, Applied, Note};
use crate::object::ObjectRef;
use crate::progress::Progress;
use crate::reply::{self, Meaning};
use crate::sight::Object;

/// How often a verb is planned anew because somebody changed an object between reading and writing.
pub(crate) const PLANS: usize = 4;
/// How often one patch is sent again because the server could not settle who wrote first.
const RACES: usize = 5;

/// How often one patch is sent again that was refused although nothing that it tests has changed: what failed may have been
/// a value that an autoscaler changed and changed back.
const REFUSALS: usize = 1;

/// Why a patch was not written.
pub(crate) enum Unwritten {
    /// Somebody changed what it was planned for.
    PlanAgain(Conflict),
    /// What it was planned for is gone, and there is another object of its name.
    Anew(Conflict),
    Answer(Reply),
}

impl Unwritten {
    /// Returns what it means to a verb. A new object, whatever is noted on it, is not what a release was staged in or is to
    /// get traffic; whoever puts things back puts them back there as well.
    pub(crate) fn to(self, verb: VerbName) -> Self {
        match self {
            Self::Anew(conflict) if verb == VerbName::Restore => Self::PlanAgain(conflict),
            Self::Anew(conflict) => Self::Answer(Reply::Conflict(conflict)),
            other => other,
        }
    }
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
    /// Sends one patch of an object as it was read, and with it the fence that comes next.
    pub(crate) async fn write_fenced(
        &self,
        object: &Object,
        next: &Note,
        patch: &[PatchOperation],
        (call, progress): (&Call, Progress),
        deadline: Instant,
    ) -> Result<(), Unwritten> {
        let (text, is_own) = match &object.fence {
            Some((text, note)) => (text.as_str(), note.stamp == call.stamp),
            None => ("", false),
        };
        let patch = [&fence::guard(&object.value, text, next), patch].concat();
        let claimed = progress > Progress::Nothing || is_own;
        self.write(&object.reference, &patch, call.stamp, claimed, deadline).await.map(|_| ())
    }

    /// Sends one patch. `claimed` says whether the fence stands at the stamp by this very call.
    pub(crate) async fn write(
        &self,
        object: &ObjectRef,
        patch: &[PatchOperation],
        stamp: Stamp,
        claimed: bool,
        deadline: Instant,
    ) -> Result<Value, Unwritten> {
        let mut refusals = 0;
        for _ in 0..RACES {
            let failure = match self.api.patch(object, patch, deadline).await {
                Ok(written) => return Ok(written),
                Err(failure) => failure,
            };
            match reply::meaning(&failure, object) {
                Meaning::Raced => {
                    tracing::debug!(%object, "somebody wrote at the same moment")
                }
                Meaning::Rejected(rejection) => return Err(Unwritten::Answer(Reply::Rejected(rejection))),
                Meaning::Ambiguous(ambiguity) => return Err(Unwritten::Answer(Reply::Ambiguous(ambiguity))),
                Meaning::Unproven { message } => {
                    if let Some(unwritten) = self.prove(object, patch, stamp, claimed, deadline).await {
                        return Err(unwritten);
                    }
                    refusals += 1;
                    if refusals > REFUSALS {
                        return Err(Unwritten::Answer(permanent(format!(
                            "{object} was not changed: {message}"
                        ))));
                    }
                    tracing::debug!(%object, "it was refused and is as it was, so it is sent once more");
                }
            }
        }
        let reason = format!("{object} is written by others all the time");
        Err(Unwritten::Answer(Reply::Rejected(reply::busy(reason, None))))
    }

    /// The server does not say which test failed, or whether one did: reading again tells. `None` when none would fail now.
    async fn prove(
        &self,
        object: &ObjectRef,
        patch: &[PatchOperation],
        stamp: Stamp,
        claimed: bool,
        deadline: Instant,
    ) -> Option<Unwritten> {
        let found = match self.fetch(object, deadline).await {
            Ok(Some(found)) => found,
            Ok(None) => {
                let mend = "create it and adopt the target again";
                return Some(Unwritten::Answer(permanent(format!("{object} was deleted meanwhile; {mend}"))));
            }
            Err(unusable) => return Some(Unwritten::Answer(Reply::Rejected(unusable.rejection()))),
        };
        let current = found.fence.as_ref().map_or(Stamp::ZERO, |(_, note)| note.stamp);
        if current > stamp || (current == stamp && !claimed) {
            return Some(Unwritten::Answer(Reply::Conflict(Conflict::Fenced { current })));
        }
        if let Some(conflict) = made_anew(object, patch, &found.value) {
            return Some(Unwritten::Anew(conflict));
        }
        drift(patch, &found.value).map(Unwritten::PlanAgain)
    }
}

pub(crate) fn permanent(reason: String) -> Reply {
    Reply::Rejected(Rejection::Permanent { reason })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use hotfix_core::memory::ManualClock;
    use hotfix_core::model::Timestamp;
    use hotfix_testkit::http::{Answer, ScriptedServer};
    use serde_json::json;

    use super::*;
    use crate::change::set;
    use crate::config::KubernetesConfig;

    fn deployment(replicas: u16) -> Value {
        json!({"metadata": {"uid": "1"}, "spec": {"replicas": replicas}})
    }

    fn failed() -> Answer {
        Answer::json(422, &json!({"reason": "Invalid", "message": "in our request"}))
    }

    fn found(replicas: u16) -> Answer {
        Answer::json(200, &deployment(replicas))
    }

    /// What a patch comes to that makes five pods of three, and how many requests that took.
    async fn written(answers: Vec<Answer>) -> (Result<u64, String>, usize) {
        let server = ScriptedServer::start().await;
        for answer in answers {
            server.respond(answer);
        }
        let cluster = kube::Config::new(server.url("/").parse().unwrap());
        let config = KubernetesConfig::default();
        let deployer =
            KubernetesDeployer::connect(config, cluster, Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH)))
                .unwrap();
        let patch = set(&deployment(3), ["spec", "replicas"], Some(5.into()));
        let object = ObjectRef::deployment("prod", "shop");
        let deadline = Instant::now() + Duration::from_secs(60);
        let written = deployer.write(&object, &patch, Stamp::new(1, 1), true, deadline).await;
        server.verify();
        let result = match written {
            Ok(value) => Ok(value["spec"]["replicas"].as_u64().unwrap()),
            Err(Unwritten::PlanAgain(conflict) | Unwritten::Anew(conflict)) => Err(conflict.to_string()),
            Err(Unwritten::Answer(Reply::Rejected(rejection))) => Err(rejection.to_string()),
            Err(Unwritten::Answer(reply)) => Err(format!("{reply:?}")),
        };
        (result, server.requests().len())
    }

    #[tokio::test]
    async fn a_refusal_that_nothing_explains_is_put_to_the_test_once_more() {
        let refused = "refused: Deployment prod/shop was not changed: HTTP 422 Invalid: in our request";
        let moved = "expected /spec/replicas 3, found /spec/replicas 4";
        let cases = [
            (vec![found(5)], (Ok(5), 1)),
            (vec![failed(), found(3), found(5)], (Ok(5), 3)),
            (vec![failed(), found(4)], (Err(moved.to_owned()), 2)),
            (vec![failed(), found(3), failed(), found(4)], (Err(moved.to_owned()), 4)),
            (vec![failed(), found(3), failed(), found(3)], (Err(refused.to_owned()), 4)),
        ];
        for (answers, expected) in cases {
            assert_eq!(written(answers).await, expected);
        }
    }

    /// An undo goes on with whatever object there is; everything else ends with what it found.
    #[test]
    fn an_object_that_was_made_anew_stops_everything_but_an_undo() {
        let conflict =
            || Conflict::Drifted { expected: "Deployment prod/shop".to_owned(), found: "another".to_owned() };
        for verb in [VerbName::Stage, VerbName::Shift, VerbName::Promote, VerbName::Retire] {
            let Unwritten::Answer(reply) = Unwritten::Anew(conflict()).to(verb) else { panic!("{verb:?}") };
            assert_eq!(reply, Reply::Conflict(conflict()));
        }
        let restore = Unwritten::Anew(conflict()).to(VerbName::Restore);
        assert!(matches!(restore, Unwritten::PlanAgain(found) if found == conflict()));
    }
}
