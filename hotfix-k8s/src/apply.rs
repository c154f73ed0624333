//! Brings a verb about: read everything, decide, write step by step, and tell apart what a refusal means.

use hotfix_core::model::{Precondition, Stamp, Target, Verb};
use hotfix_core::port::{Ambiguity, Call, Conflict, Receipt, Rejection, Reply};
use json_patch::PatchOperation;
use tokio::time::{Duration, Instant};

use crate::deployer::KubernetesDeployer;
use crate::error::Unusable;
use crate::fence::{self, Admission, Note};
use crate::reply::{self, Meaning};
use crate::sight::{Naming, Place, Sight};
use crate::slot::Side;
use crate::steps::{self, Refused, Step, Write, WriteEffect};

/// How often a verb is planned anew because somebody changed an object between reading and writing.
const PLANS: usize = 4;
/// How often one patch is sent again because the server could not settle who wrote first.
const RACES: usize = 5;

/// How far a verb got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Progress {
    Nothing,
    /// The fence stands at the call's stamp.
    Claimed,
    /// Something else was changed, too.
    Begun,
}

/// What became of a list of steps.
enum Performed {
    Done,
    /// Somebody changed what the steps were planned for.
    PlanAgain(Conflict),
    Answer(Reply),
}

impl KubernetesDeployer {
    pub(crate) async fn bring_about(
        &self,
        call: &Call,
        target: &Target,
        verb: &Verb,
        precondition: &Precondition,
        deadline: Instant,
    ) -> Reply {
        let digest = fence::digest(verb, precondition);
        let mut progress = Progress::Nothing;
        let mut last = None;
        for _ in 0..PLANS {
            let sight = match self.sight(target, deadline).await {
                Ok(sight) => sight,
                Err(unusable) => return failed_read(&unusable, progress),
            };
            let plan = match self.plan(&sight, target, call, verb, precondition, &digest, progress) {
                Ok(plan) => plan,
                Err(reply) => return half_done(reply, progress),
            };
            match self.perform(&sight, target, call, plan.steps, deadline, &mut progress).await {
                Performed::Done => return Reply::Applied(plan.receipt),
                Performed::PlanAgain(conflict) => last = Some(conflict),
                Performed::Answer(reply) => return reply,
            }
        }
        match (progress, last) {
            (Progress::Begun, _) | (_, None) => {
                let answer = "somebody changes the objects all the time".to_owned();
                Reply::Ambiguous(Ambiguity::Unclear { answer })
            }
            (_, Some(conflict)) => Reply::Conflict(conflict),
        }
    }

    /// Decides what to do, or why nothing is done. Pure, apart from the configuration.
    #[expect(clippy::too_many_arguments, reason = "each is one part of the question")]
    fn plan(
        &self,
        sight: &Sight,
        target: &Target,
        call: &Call,
        verb: &Verb,
        precondition: &Precondition,
        digest: &str,
        progress: Progress,
    ) -> Result<Plan, Reply> {
        let notes = sight.notes();
        let bare: Vec<&Note> = notes.iter().map(|(_, note)| *note).collect();
        let current = fence::highest(&bare);
        if progress == Progress::Nothing {
            match fence::admit(&bare, &call.key, digest, call.stamp) {
                Admission::Fresh => {}
                Admission::Fenced(current) => return Err(Reply::Conflict(Conflict::Fenced { current })),
                Admission::KeyReused => {
                    let reason = format!("key {} was applied to another effect; use a new key", call.key);
                    return Err(permanent(reason));
                }
                Admission::Repeated(index, applied) => {
                    let steps = if call.stamp > current {
                        steps::repetition(sight, call, notes[index].0, applied)
                            .map_err(|refused| refuse(&refused))?
                    } else {
                        Vec::new()
                    };
                    return Ok(Plan { steps, receipt: Receipt(applied.receipt.clone()) });
                }
            }
        } else if current > call.stamp {
            // Another caller went on from here; what it makes of it is its own.
            return Err(Reply::Conflict(Conflict::Fenced { current }));
        }
        let naming = match verb {
            Verb::Restore { .. } => Naming::Lenient,
            _ => Naming::Strict,
        };
        let layout = sight.layout(naming).map_err(|error| refuse(&Refused::Unreadable(error)))?;
        layout.holds(precondition).map_err(|drift| {
            Reply::Conflict(Conflict::Drifted { expected: drift.expected, found: drift.found })
        })?;
        layout.after(verb, &sight.ready_instances()).map_err(|refusal| refuse(&Refused::Rule(refusal)))?;
        let overrides =
            &self.target(target).map_err(|unusable| Reply::Rejected(unusable.rejection()))?.overrides;
        let steps = steps::steps(sight, call, verb, digest, overrides).map_err(|refused| refuse(&refused))?;
        Ok(Plan { steps, receipt: Receipt(format!("{verb} at {}", call.stamp)) })
    }

    async fn perform(
        &self,
        sight: &Sight,
        target: &Target,
        call: &Call,
        steps: Vec<Step>,
        deadline: Instant,
        progress: &mut Progress,
    ) -> Performed {
        for step in steps {
            let write = match step {
                Step::UntilReady(side) => {
                    self.until_ready(target, side, deadline).await;
                    continue;
                }
                Step::Patch(write) => write,
            };
            match self.write(&write, sight, call.stamp, deadline).await {
                Ok(()) => {
                    let reached = match write.effect {
                        WriteEffect::Fence => Progress::Claimed,
                        WriteEffect::Values => Progress::Begun,
                    };
                    *progress = (*progress).max(reached);
                }
                Err(Performed::Answer(reply)) => return Performed::Answer(half_done(reply, *progress)),
                Err(other) => return other,
            }
        }
        Performed::Done
    }

    /// Sends one patch and finds out what a refusal means.
    async fn write(
        &self,
        write: &Write,
        sight: &Sight,
        stamp: Stamp,
        deadline: Instant,
    ) -> Result<(), Performed> {
        let mut failure = None;
        for _ in 0..RACES {
            let answer = self.api.patch(&write.object, &write.patch, deadline).await;
            let Err(failed) = answer else { return Ok(()) };
            match reply::meaning(&failed, &write.object) {
                Meaning::Raced => failure = Some(failed),
                Meaning::Rejected(rejection) => return Err(Performed::Answer(Reply::Rejected(rejection))),
                Meaning::Ambiguous(ambiguity) => return Err(Performed::Answer(Reply::Ambiguous(ambiguity))),
                Meaning::Unproven { message } => {
                    return Err(self.prove(write, sight, stamp, message, deadline).await);
                }
            }
        }
        let cause = failure.map(|failure| format!("{failure:?}")).unwrap_or_default();
        let reason = format!("{} is written by others all the time: {cause}", write.object);
        Err(Performed::Answer(Reply::Rejected(reply::busy(reason, None))))
    }

    /// The server does not say which test failed, or whether one did: reading again tells.
    async fn prove(
        &self,
        write: &Write,
        sight: &Sight,
        stamp: Stamp,
        message: String,
        deadline: Instant,
    ) -> Performed {
        let found = match self.fetch(&write.object, deadline).await {
            Ok(Some(found)) => found,
            Ok(None) => {
                let reason =
                    format!("{} was deleted meanwhile; create it and adopt the target again", write.object);
                return Performed::Answer(permanent(reason));
            }
            Err(unusable) => return Performed::Answer(Reply::Rejected(unusable.rejection())),
        };
        let current = found.fence.as_ref().map_or(Stamp::ZERO, |(_, note)| note.stamp);
        let is_ours = write.place != Place::ANCHOR
            || sight.main.fence.as_ref().is_some_and(|(_, note)| note.stamp == stamp);
        if current > stamp || (current == stamp && !is_ours) {
            return Performed::Answer(Reply::Conflict(Conflict::Fenced { current }));
        }
        match drift(&write.patch, &found.value) {
            Some(conflict) => Performed::PlanAgain(conflict),
            None => Performed::Answer(permanent(format!("{} was not changed: {message}", write.object))),
        }
    }

    /// Waits until a slot has a pod that can take traffic, at most for three quarters of the time: then it gets the
    /// traffic all the same.
    async fn until_ready(&self, target: &Target, side: Side, deadline: Instant) {
        let now = Instant::now();
        let until = now + deadline.saturating_duration_since(now) * 3 / 4;
        let Ok(config) = self.target(target) else { return };
        let mut changes = self.hub.follow(config, side);
        while Instant::now() < until {
            match self.sight(target, until).await {
                Ok(sight) if sight.ready(side) > 0 => return,
                _ => changes.changed(Duration::from_millis(250).min(until - Instant::now())).await,
            }
        }
    }
}

struct Plan {
    steps: Vec<Step>,
    receipt: Receipt,
}

/// Finds the first tested value that is not there any more.
fn drift(patch: &[PatchOperation], found: &serde_json::Value) -> Option<Conflict> {
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
fn brief(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Object(_) | serde_json::Value::Array(_) => {
            fence::hex(&<sha2::Sha256 as sha2::Digest>::digest(value.to_string().as_bytes())[..6])
        }
        value => value.to_string(),
    }
}

/// A verb that fails after something was changed is not known to have done nothing.
fn half_done(reply: Reply, progress: Progress) -> Reply {
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

fn failed_read(unusable: &Unusable, progress: Progress) -> Reply {
    half_done(Reply::Rejected(unusable.rejection()), progress)
}

fn refuse(refused: &Refused) -> Reply {
    permanent(refused.to_string())
}

fn permanent(reason: String) -> Reply {
    Reply::Rejected(Rejection::Permanent { reason })
}
