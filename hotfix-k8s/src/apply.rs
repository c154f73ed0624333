//! Brings a verb about: read everything, decide, write step by step, and tell apart what a refusal means. An undo that
//! has only traffic to move at first moves it before that.

use hotfix_core::model::{Layout, Precondition, Target, Verb, VerbName};
use hotfix_core::port::{Ambiguity, Call, Conflict, Receipt, Reply};
use serde_json::Value;
use tokio::time::Instant;

use crate::contents::{Changed, Claim, Contents};
use crate::deployer::KubernetesDeployer;
use crate::error::Unusable;
use crate::fence::{self, Note};
use crate::hub::Follower;
use crate::progress::{Progress, half_done, with};
use crate::reply;
use crate::sight::{Naming, Place, Sight};
use crate::snapshot::Kept;
use crate::steps::{self, Beside, Edited, Refused, Rest, Step, Write, WriteEffect};
use crate::sync::{self, When, Whereabouts};
use crate::waiting;
use crate::writing::{self, PLANS, Unwritten, permanent};

mod look;
mod switch_back;

/// One call, and how far it got.
pub(crate) struct Attempt<'a> {
    pub(crate) deployer: &'a KubernetesDeployer,
    pub(crate) call: &'a Call,
    pub(crate) target: &'a Target,
    pub(crate) verb: &'a Verb,
    pub(crate) precondition: &'a Precondition,
    pub(crate) deadline: Instant,
    begun: Instant,
    /// The watches of a verb that takes more than one look at the pods.
    followers: Option<[Follower; 2]>,
    progress: Progress,
    /// The route as the server answered that it is, if it was written or is in force.
    route: Option<Value>,
    /// What the pods read, as it was found when the verb was first planned and has not been put back since.
    contents: Option<Contents>,
    /// What is to be said beside the receipt.
    said: Vec<String>,
}

/// Why a list of steps was not brought to its end.
enum Stopped {
    /// Somebody changed what the steps were planned for.
    PlanAgain(Conflict),
    /// There is more to do now that pods have changed.
    GoOn(Rest),
    Answer(Reply),
}

impl From<Unwritten> for Stopped {
    fn from(unwritten: Unwritten) -> Self {
        match unwritten {
            Unwritten::PlanAgain(conflict) | Unwritten::Anew(conflict) => Self::PlanAgain(conflict),
            Unwritten::Answer(reply) => Self::Answer(reply),
        }
    }
}

struct Plan {
    steps: Vec<Step>,
    receipt: Receipt,
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(
        deployer: &'a KubernetesDeployer,
        call: &'a Call,
        target: &'a Target,
        verb: &'a Verb,
        precondition: &'a Precondition,
        deadline: Instant,
    ) -> Self {
        let (progress, route, begun) = (Progress::Nothing, None, Instant::now());
        let (followers, contents, said) = (None, None, Vec::new());
        Self {
            deployer,
            call,
            target,
            verb,
            precondition,
            deadline,
            begun,
            followers,
            progress,
            route,
            contents,
            said,
        }
    }

    /// Brings the verb about, or says why not.
    pub(crate) async fn run(mut self) -> Reply {
        let reply = self.try_run().await;
        match reply {
            Ok(receipt) => Reply::Applied(with(receipt, self.said)),
            Err(reply) => {
                let reply = half_done(reply, self.progress);
                self.deployer.let_go((self.call, self.target), self.verb, &reply).await;
                reply
            }
        }
    }

    async fn try_run(&mut self) -> Result<Receipt, Reply> {
        self.switch_back().await?;
        let (mut last, mut plans) = (None, 0);
        while plans < PLANS {
            let (looked, contents) = self.looks().await;
            let sight = looked.map_err(|unusable| Reply::Rejected(unusable.rejection()))?;
            let changed = self.changed(contents);
            let plan = self.plan(&sight, changed)?;
            self.in_force_before(&sight).await?;
            self.hold_sync(&sight).await?;
            match self.perform(&sight, plan.steps).await {
                Ok(()) => {
                    self.in_force(&sight).await?;
                    self.said.extend(self.foreign(&sight));
                    return Ok(plan.receipt);
                }
                Err(Stopped::PlanAgain(conflict)) => (last, plans) = (Some(conflict), plans + 1),
                Err(Stopped::GoOn(_)) if Instant::now() < self.deadline => {}
                Err(Stopped::GoOn(Rest::Welcome)) => return Ok(plan.receipt),
                Err(Stopped::GoOn(Rest::Needed)) => {
                    let reason = "the pods that it takes were not there in time".to_owned();
                    return Err(Reply::Rejected(reply::busy(reason, None)));
                }
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
    fn plan(&self, sight: &Sight, changed: Vec<Changed>) -> Result<Plan, Reply> {
        let Self { call, verb, .. } = *self;
        let digest = fence::digest(verb, self.precondition);
        if let Some(repetition) = self.admit(sight, &digest)? {
            return Ok(repetition);
        }
        let layout = match verb {
            Verb::Restore { snapshot } => sight.layout_before(snapshot),
            _ => sight.layout(Naming::Strict),
        };
        let layout = layout.map_err(|error| refuse(&Refused::Unreadable(error)))?;
        if self.progress < Progress::Underway {
            layout.holds(&self.expected(sight, &layout)).map_err(|drift| {
                Reply::Conflict(Conflict::Drifted { expected: drift.expected, found: drift.found })
            })?;
            let after = layout.after(verb, &sight.ready_instances());
            after.map_err(|refusal| refuse(&Refused::Rule(refusal)))?;
        }
        if let Some(going) = sight.going().filter(|_| verb.name() != VerbName::Restore) {
            let going = Unusable::Going(going.reference.clone().into());
            return Err(Reply::Rejected(going.rejection()));
        }
        let config = self.deployer.target(self.target);
        let config = config.map_err(|unusable| Reply::Rejected(unusable.rejection()))?;
        let sync = config.on_gitops.named().next().and_then(|_| self.sync_after(sight));
        let beside = Beside { sync, changed, wrote_route: self.route.is_some() };
        let steps = steps::steps(sight, call, verb, &digest, &config.overrides, beside);
        let steps = steps.map_err(|refused| refuse(&refused))?;
        Ok(Plan { steps, receipt: Receipt(format!("{verb} at {}", call.stamp)) })
    }

    /// What the call expects. Of a slot that an attempt of this call emptied before it died it expects nothing: the
    /// repetition does the rest.
    fn expected(&self, sight: &Sight, layout: &Layout) -> Precondition {
        let mut expected = self.precondition.clone();
        if let Verb::Retire { slot } = self.verb
            && layout.held(slot).is_none()
            && sight.emptied_by(slot) == Some(self.call.key.as_str())
        {
            expected.holds = expected.holds.filter(|(of, _)| of != slot);
        }
        expected
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
            let steps = steps::repetition(sight, call, self.verb, (notes[index].0, applied));
            steps.map_err(|refused| refuse(&refused))?
        } else {
            Vec::new()
        };
        Ok(Some(Plan { steps, receipt }))
    }

    /// Has the sync of the owners off before anything is changed that they would take back.
    async fn hold_sync(&mut self, sight: &Sight) -> Result<(), Reply> {
        if !sync::is_taken_back(self.verb) {
            return Ok(());
        }
        let home = sight.is_home().map_err(|error| refuse(&Refused::Unreadable(error)))?;
        let whereabouts = if home { Whereabouts::Home } else { Whereabouts::Away };
        let held = self.deployer.hold_sync(self.target, self.call.stamp, whereabouts, self.deadline).await;
        held.map_err(|unheld| unheld.reply())
    }

    /// When the sync comes back after the verb, if it ends a run.
    fn sync_after(&self, sight: &Sight) -> Option<When> {
        match self.verb {
            Verb::Restore { snapshot } => Some(match Kept::read(snapshot) {
                Ok(Some(kept)) => When::Now { except: kept.ahead },
                // A release that was named, which git need not.
                _ => When::InSync,
            }),
            Verb::Retire { slot } if *slot == sight.slots.hotfix && sight.is_home().unwrap_or(false) => {
                Some(When::InSync)
            }
            _ => None,
        }
    }

    async fn perform(&mut self, sight: &Sight, steps: Vec<Step>) -> Result<(), Stopped> {
        for step in steps {
            match step {
                Step::UntilReady(side) => self.deployer.until_ready(self.target, side, self.deadline).await,
                Step::UntilFull(side) => self.deployer.until_full(self.target, side, self.deadline).await,
                Step::UntilServed(side) => {
                    let served = self.deployer.until_served(self.target, side, self.deadline).await;
                    served.map_err(|rejection| Stopped::Answer(Reply::Rejected(rejection)))?;
                }
                Step::UntilHeardOf => self.deployer.until_heard_of(self.deadline).await,
                Step::UntilLeft(side) => {
                    let route = self.route.as_ref().unwrap_or(&sight.route.value);
                    let left = self.deployer.until_left(self.target, sight, route, side, self.deadline);
                    left.await.map_err(Stopped::Answer)?;
                }
                Step::UntilEmpty(side) => self.deployer.until_empty(self.target, side, self.deadline).await,
                Step::UntilUnmixed(side) => {
                    self.deployer.until_unmixed(self.target, side, self.deadline).await;
                }
                Step::UntilChanged(rest) => {
                    let (deployer, target) = (self.deployer, self.target);
                    self.followers = self.followers.take().or_else(|| deployer.followers(target));
                    if let Some(followers) = &mut self.followers {
                        waiting::until_changed(followers).await;
                    }
                    if self.progress == Progress::Begun {
                        self.progress = Progress::Underway;
                    }
                    return Err(Stopped::GoOn(rest));
                }
                Step::PutBack(changed) => {
                    let claim = Claim { anchor: &sight.route.reference, stamp: self.call.stamp };
                    let said = self.deployer.put_back(self.target, &changed, claim, self.deadline).await;
                    self.said.extend(said);
                    if let Some(contents) = &mut self.contents {
                        contents.changed.retain(|left| !changed.contains(left));
                    }
                }
                Step::Say(what) => self.said.push(what),
                Step::GiveSyncBack(when) => {
                    let (stamp, deadline) = (self.call.stamp, self.deadline);
                    let said = self.deployer.give_sync_back(self.target, stamp, &when, deadline).await;
                    self.said.extend(said);
                }
                Step::Patch(write) => {
                    let written = self.write(&write).await?;
                    if write.place == Place::Route {
                        self.deployer.memory.wrote(self.target, sight, &written);
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

    async fn write(&self, write: &Write) -> Result<Value, Stopped> {
        let claimed = self.progress > Progress::Nothing;
        let written =
            self.deployer.write(&write.object, &write.patch, self.call.stamp, claimed, self.deadline).await;
        written.map_err(|unwritten| unwritten.to(self.verb.name()).into())
    }

    /// What a restore found of somebody else's, and what became of it.
    fn foreign(&self, sight: &Sight) -> Vec<String> {
        let Verb::Restore { snapshot } = self.verb else { return Vec::new() };
        let route = self.route.as_ref().unwrap_or(&sight.route.value);
        // Where pods are the dial, it was read with them.
        let foreign = sight.dial.is_none().then(|| sight.traffic.read(route).err()).flatten();
        let foreign = foreign.map(|misfit| format!("left as it is: {misfit}"));
        let edited = Edited::find(sight, snapshot).map(|edited| edited.to_string());
        let stands = sight.traffic.objections(route).also_in(&sight.before);
        let as_before = stands.iter().map(|objection| {
            format!("{}: {objection}, as before the run, so nobody waited for it", sight.route.reference)
        });
        foreign.into_iter().chain(edited).chain(as_before).collect()
    }

    /// Waits until the route is in force, before a verb that takes its word for where the traffic is: a shift whose
    /// answer was lost, or that nobody took up in time, is known by its key alone.
    async fn in_force_before(&self, sight: &Sight) -> Result<(), Reply> {
        if !matches!(self.verb.name(), VerbName::Promote | VerbName::Retire) {
            return Ok(());
        }
        let now = Instant::now();
        let until = now + self.deadline.saturating_duration_since(now) / 2;
        let waited = self.deployer.in_force(sight, sight.route.value.clone(), until).await;
        waited.map(|_| ()).map_err(|_| {
            let reason =
                format!("{} is not in force, so nobody knows where the traffic is", sight.route.reference);
            Reply::Rejected(reply::busy(reason, None))
        })
    }

    /// Waits until the route is in force, after a verb that moves traffic.
    async fn in_force(&mut self, sight: &Sight) -> Result<(), Reply> {
        if matches!(self.verb.name(), VerbName::Shift | VerbName::Restore) {
            let route = self.route.take().unwrap_or_else(|| sight.route.value.clone());
            self.route = Some(self.deployer.in_force(sight, route, self.deadline).await?);
        }
        Ok(())
    }
}

fn refuse(refused: &Refused) -> Reply {
    permanent(refused.to_string())
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
