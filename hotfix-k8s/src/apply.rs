//! Brings a verb about: read everything, decide, write step by step, and tell apart what a refusal means.

use hotfix_core::model::{Precondition, Target, Verb, VerbName};
use hotfix_core::port::{Ambiguity, Call, Conflict, Receipt, Reply};
use serde_json::Value;
use tokio::time::Instant;

use crate::deployer::KubernetesDeployer;
use crate::fence::{self, Note};
use crate::sight::{Naming, Place, Sight};
use crate::steps::{self, Refused, Step, Write, WriteEffect};
use crate::writing::{self, PLANS, Progress, Stopped, half_done, permanent};

/// One call, and how far it got.
pub(crate) struct Attempt<'a> {
    pub(crate) deployer: &'a KubernetesDeployer,
    pub(crate) call: &'a Call,
    pub(crate) target: &'a Target,
    pub(crate) verb: &'a Verb,
    pub(crate) precondition: &'a Precondition,
    pub(crate) deadline: Instant,
    progress: Progress,
    /// The route as the server answered that it is, if it was written.
    route: Option<Value>,
}

struct Plan {
    steps: Vec<Step>,
    receipt: Receipt,
}

impl<'a> Attempt<'a> {
    pub(crate) const fn new(
        deployer: &'a KubernetesDeployer,
        call: &'a Call,
        target: &'a Target,
        verb: &'a Verb,
        precondition: &'a Precondition,
        deadline: Instant,
    ) -> Self {
        let (progress, route) = (Progress::Nothing, None);
        Self { deployer, call, target, verb, precondition, deadline, progress, route }
    }

    /// Brings the verb about, or says why not.
    pub(crate) async fn run(mut self) -> Reply {
        let reply = self.try_run().await;
        match reply {
            Ok(receipt) => Reply::Applied(receipt),
            Err(reply) => half_done(reply, self.progress),
        }
    }

    async fn try_run(&mut self) -> Result<Receipt, Reply> {
        let mut last = None;
        for _ in 0..PLANS {
            let sight = self.deployer.sight(self.target, self.deadline).await;
            let sight = sight.map_err(|unusable| Reply::Rejected(unusable.rejection()))?;
            let plan = self.plan(&sight)?;
            match self.perform(&sight, plan.steps).await {
                Ok(()) => {
                    self.in_force(&sight).await?;
                    return Ok(plan.receipt);
                }
                Err(Stopped::PlanAgain(conflict)) => last = Some(conflict),
                Err(Stopped::Answer(reply)) => return Err(reply),
            }
        }
        let unclear = || {
            let answer = "somebody changes the objects all the time".to_owned();
            Reply::Ambiguous(Ambiguity::Unclear { answer })
        };
        Err(last.map_or_else(unclear, Reply::Conflict))
    }

    /// Decides what to do, or why nothing is done.
    fn plan(&self, sight: &Sight) -> Result<Plan, Reply> {
        let Self { call, verb, .. } = *self;
        let digest = fence::digest(verb, self.precondition);
        if let Some(repetition) = self.admit(sight, &digest)? {
            return Ok(repetition);
        }
        let naming = if verb.name() == VerbName::Restore { Naming::Lenient } else { Naming::Strict };
        let layout = sight.layout(naming).map_err(|error| refuse(&Refused::Unreadable(error)))?;
        layout.holds(self.precondition).map_err(|drift| {
            Reply::Conflict(Conflict::Drifted { expected: drift.expected, found: drift.found })
        })?;
        layout.after(verb, &sight.ready_instances()).map_err(|refusal| refuse(&Refused::Rule(refusal)))?;
        let config = self.deployer.target(self.target);
        let config = config.map_err(|unusable| Reply::Rejected(unusable.rejection()))?;
        let steps = steps::steps(sight, call, verb, &digest, &config.overrides);
        let steps = steps.map_err(|refused| refuse(&refused))?;
        Ok(Plan { steps, receipt: Receipt(format!("{verb} at {}", call.stamp)) })
    }

    /// Compares the call with the fence; a key that was applied before has a plan of its own.
    fn admit(&self, sight: &Sight, digest: &str) -> Result<Option<Plan>, Reply> {
        let notes = sight.notes();
        let bare: Vec<&Note> = notes.iter().map(|(_, note)| *note).collect();
        let call = self.call;
        let Some((index, applied)) = writing::admit(&bare, call, digest, self.progress)? else {
            return Ok(None);
        };
        let receipt = Receipt(applied.receipt.clone());
        let steps = if call.stamp > fence::highest(&bare) {
            let steps = steps::repetition(sight, call, notes[index].0, applied);
            steps.map_err(|refused| refuse(&refused))?
        } else {
            Vec::new()
        };
        Ok(Some(Plan { steps, receipt }))
    }

    async fn perform(&mut self, sight: &Sight, steps: Vec<Step>) -> Result<(), Stopped> {
        for step in steps {
            match step {
                Step::UntilReady(side) => self.deployer.until_ready(self.target, side, self.deadline).await,
                Step::UntilLeft(side) => self.deployer.until_left(self.target, side, self.deadline).await,
                Step::UntilEmpty(side) => self.deployer.until_empty(self.target, side, self.deadline).await,
                Step::Patch(write) => {
                    let written = self.write(&write, sight).await?;
                    if write.place == Place::Route {
                        self.route = Some(written);
                    }
                    let reached = match write.effect {
                        WriteEffect::Fence => Progress::Claimed,
                        WriteEffect::Values => Progress::Begun,
                    };
                    self.progress = self.progress.max(reached);
                }
            }
        }
        Ok(())
    }

    async fn write(&self, write: &Write, sight: &Sight) -> Result<Value, Stopped> {
        let stamp = self.call.stamp;
        let claimed = self.progress > Progress::Nothing
            || sight.main.fence.as_ref().is_some_and(|(_, note)| note.stamp == stamp);
        self.deployer.write(&write.object, &write.patch, stamp, claimed, self.deadline).await
    }

    /// Waits until the route is in force, after a verb that moves traffic.
    async fn in_force(&self, sight: &Sight) -> Result<(), Reply> {
        match self.verb.name() {
            VerbName::Shift | VerbName::Restore => {
                let route = self.route.as_ref().unwrap_or(&sight.route.value);
                self.deployer.in_force(sight, route, self.deadline).await
            }
            _ => Ok(()),
        }
    }
}

fn refuse(refused: &Refused) -> Reply {
    permanent(refused.to_string())
}
