//! Brings a verb about in place: read, decide what is next, do it, and look again until nothing is left to do.

use std::future;

use hotfix_core::model::{Precondition, Target, Verb, VerbName};
use hotfix_core::port::{Call, Conflict, Receipt, Reply};
use tokio::time::{Duration, Instant, sleep};

use super::kept::Kept;
use super::next::{Next, Refused, is_edited, next};
use super::sight::{InPlace, too_late};
use super::view::SetKind;
use crate::deployer::KubernetesDeployer;
use crate::fence::{self, Applied};
use crate::hub::Follower;
use crate::progress::{Progress, half_done, with};
use crate::sight::Naming;
use crate::slot::Side;
use crate::steps;
use crate::sync::{self, When, Whereabouts};
use crate::waiting::Pauses;
use crate::writing::{self, PLANS, Unwritten, permanent};

/// What is left of the time when nothing more can be done in it.
const TOO_LITTLE: Duration = Duration::from_millis(25);

/// One call, and how far it got.
pub(crate) struct Attempt<'a> {
    pub(crate) deployer: &'a KubernetesDeployer,
    pub(crate) kind: SetKind,
    pub(crate) call: &'a Call,
    pub(crate) target: &'a Target,
    pub(crate) verb: &'a Verb,
    pub(crate) precondition: &'a Precondition,
    pub(crate) deadline: Instant,
}

impl Attempt<'_> {
    /// Brings the verb about, or says why not.
    pub(crate) async fn run(self) -> Reply {
        let mut progress = Progress::Nothing;
        match self.try_run(&mut progress).await {
            Ok(receipt) => Reply::Applied(receipt),
            Err(reply) => {
                let reply = half_done(reply, progress);
                self.deployer.let_go((self.call, self.target), self.verb, &reply).await;
                reply
            }
        }
    }

    async fn try_run(&self, progress: &mut Progress) -> Result<Receipt, Reply> {
        let digest = fence::digest(self.verb, self.precondition);
        let (mut moved, mut said) = (0, Vec::new());
        let (waiting, mut changes) = (self.deployer.waiting(), None);
        let (mut looks, mut pauses) = (self.deployer, Pauses::begin());
        loop {
            if Instant::now() + TOO_LITTLE >= self.deadline {
                return Err(too_late());
            }
            let sight = looks.in_place(self.target, self.kind, self.deadline).await;
            let sight = sight.map_err(|unusable| Reply::Rejected(unusable.rejection()))?;
            let not_adopted = || steps::Refused::NotAdopted(sight.object.reference.clone().into());
            let note = sight.note().ok_or_else(|| refuse(&not_adopted().into()))?;
            let repeated =
                writing::admit(&[note], self.call, &digest, *progress)?.map(|(_, applied)| applied);
            let (patch, applied) = match repeated {
                Some(applied) if self.call.stamp <= note.stamp => {
                    return Ok(Receipt(applied.receipt.clone()));
                }
                // Its key stays the newest, and nothing else is done.
                Some(applied) => (Vec::new(), Some(Applied { stamp: self.call.stamp, ..applied.clone() })),
                None => match self.decide_held(&sight, *progress).await? {
                    Next::Write(patch) => (patch, None),
                    Next::Finish(patch) => match self.sync_after(&sight)? {
                        // The key comes last, so that a crash before it has the sync given back by who tries again.
                        Some(_) if *progress == Progress::Nothing || !patch.is_empty() => (patch, None),
                        Some(when) => {
                            said = self.give_sync_back(&when).await;
                            (patch, Some(Applied::of(self.call, self.verb, &digest)))
                        }
                        None => (patch, Some(Applied::of(self.call, self.verb, &digest))),
                    },
                    Next::End(pods) => {
                        *progress = Progress::Begun;
                        self.deployer.end_pods(self.target, &pods, self.deadline).await?;
                        sleep(pauses.next()).await;
                        continue;
                    }
                    Next::Wait if *progress == Progress::Nothing => (Vec::new(), None),
                    Next::Wait => {
                        looks = &waiting;
                        match changes.get_or_insert_with(|| self.changes()) {
                            // The watch only hastens the next look; without it there is one after a while.
                            Some(changes) => changes.changed(pauses.next()).await,
                            None => sleep(pauses.next()).await,
                        }
                        continue;
                    }
                },
            };
            let next = match &applied {
                Some(applied) => note.recorded(applied.clone()),
                None => note.raised(self.call.stamp),
            };
            let by = (self.call, *progress);
            let written = self.deployer.write_fenced(&sight.object, &next, &patch, by, self.deadline).await;
            match written.map_err(|unwritten| unwritten.to(self.verb.name())) {
                Ok(()) => {
                    (looks, pauses) = (self.deployer, Pauses::begin());
                    let reached = if patch.is_empty() { Progress::Claimed } else { Progress::Begun };
                    *progress = reached.max(*progress);
                    if let Some(applied) = applied {
                        said.extend(self.edited(&sight));
                        said.extend(self.differences().await);
                        return Ok(with(Receipt(applied.receipt), said));
                    }
                }
                Err(Unwritten::PlanAgain(conflict) | Unwritten::Anew(conflict)) if moved >= PLANS => {
                    return Err(Reply::Conflict(conflict));
                }
                Err(Unwritten::PlanAgain(_) | Unwritten::Anew(_)) => moved += 1,
                Err(Unwritten::Answer(reply)) => return Err(reply),
            }
        }
    }

    /// Decides what is next, and has the sync of the owners off before anything is changed that they would take back.
    async fn decide_held(&self, sight: &InPlace, progress: Progress) -> Result<Next, Reply> {
        let next = self.decide(sight, progress)?;
        if next != Next::Wait && sync::is_taken_back(self.verb) {
            let at_rest = sight.view.template == sight.view.live;
            let whereabouts = if at_rest { Whereabouts::Home } else { Whereabouts::Away };
            let held =
                self.deployer.hold_sync(self.target, self.call.stamp, whereabouts, self.deadline).await;
            held.map_err(|unheld| unheld.reply())?;
        }
        Ok(next)
    }

    /// Follows the object and its pods.
    fn changes(&self) -> Option<Follower> {
        let config = self.deployer.target(self.target).ok()?;
        Some(self.deployer.hub.follow(config, Side::Main))
    }

    /// When the sync comes back after the verb, if it ends a run.
    fn sync_after(&self, sight: &InPlace) -> Result<Option<When>, Reply> {
        let config = self.deployer.target(self.target);
        let config = config.map_err(|unusable| Reply::Rejected(unusable.rejection()))?;
        if config.on_gitops.named().next().is_none() {
            return Ok(None);
        }
        Ok(match self.verb {
            Verb::Restore { snapshot } => Some(match Kept::read(snapshot) {
                Ok(Some(kept)) => When::Now { except: kept.ahead },
                // A release that was named, which git need not.
                _ => When::InSync,
            }),
            Verb::Retire { slot } => {
                let live = sight.slots.name(sight.view.live);
                (slot != live && sight.view.template == sight.view.live).then_some(When::InSync)
            }
            _ => None,
        })
    }

    /// What a restore left alone, because it is somebody else's.
    fn edited(&self, sight: &InPlace) -> Option<String> {
        let Verb::Restore { snapshot } = self.verb else { return None };
        let kept = Kept::read(snapshot).ok().flatten()?;
        let object = sight.object.reference.clone();
        is_edited(sight, snapshot, &kept).then(|| steps::Edited::Left(object).to_string())
    }

    /// What is to be said of what the pods read, once a restore is done. It has no copies that could be put back.
    async fn differences(&self) -> Vec<String> {
        let Verb::Restore { snapshot } = self.verb else { return Vec::new() };
        match Kept::read(snapshot) {
            Ok(Some(kept)) => {
                let (target, hashes) = (self.target, &kept.hashes);
                self.deployer.contents(target, hashes, self.deadline, future::pending()).await.said
            }
            _ => Vec::new(),
        }
    }

    async fn give_sync_back(&self, when: &When) -> Vec<String> {
        self.deployer.give_sync_back(self.target, self.call.stamp, when, self.deadline).await
    }

    /// Decides what is next. What the call expects is compared before anything is changed.
    fn decide(&self, sight: &InPlace, progress: Progress) -> Result<Next, Reply> {
        let is_restore = self.verb.name() == VerbName::Restore;
        if progress == Progress::Nothing {
            let layout = match self.verb {
                Verb::Restore { snapshot } => sight.layout_before(snapshot),
                _ => sight.layout(Naming::Strict),
            };
            let layout = layout.map_err(|unnamed| refuse(&unnamed.into()))?;
            layout.holds(self.precondition).map_err(|drift| {
                Reply::Conflict(Conflict::Drifted { expected: drift.expected, found: drift.found })
            })?;
            if !is_restore {
                sight.fits().map_err(|misfit| refuse(&misfit.into()))?;
            }
            self.ruled(sight, &layout)?;
        }
        let config = self.deployer.target(self.target);
        let config = config.map_err(|unusable| Reply::Rejected(unusable.rejection()))?;
        let step = next(sight, self.verb, self.call.key.as_str(), &config.overrides);
        step.map_err(|refused| refuse(&refused))
    }

    fn ruled(&self, sight: &InPlace, layout: &hotfix_core::model::Layout) -> Result<(), Reply> {
        let rule = |rule| refuse(&steps::Refused::Rule(rule).into());
        let ready = sight.view.ready_instances(&sight.slots, &sight.object.value, &sight.pods);
        let instances = match (self.verb, std::num::NonZeroU16::new(sight.view.total)) {
            (_, Some(instances)) => instances,
            (Verb::Restore { snapshot }, None) => snapshot.replicas,
            (_, None) => {
                let object = &sight.object.reference;
                return Err(permanent(format!("{object} has no pods to replace; scale it up first")));
            }
        };
        layout.after_in_place(self.verb, &ready, instances).map(|_| ()).map_err(rule)
    }
}

fn refuse(refused: &Refused) -> Reply {
    permanent(refused.to_string())
}
