//! Brings a verb about: read, decide what is next, do it, and look again until nothing is left to do.

use std::num::NonZeroU16;

use hotfix_core::model::{Precondition, Target, Verb, VerbName};
use hotfix_core::port::{Call, Conflict, Receipt, Reply};
use tokio::time::{Duration, Instant, sleep};

use super::next::{Next, Refused, Wanted, next};
use super::place::Container;
use super::repository::{Change, Pushed, revert_key};
use super::sight::InGitSight;
use crate::deployer::KubernetesDeployer;
use crate::error::Unusable;
use crate::fence::{self, Applied};
use crate::in_place::too_late;
use crate::progress::{Progress, half_done, with};
use crate::sight::Naming;
use crate::steps;
use crate::writing::{self, PLANS, Unwritten, permanent};

/// How often what is waited for is looked at.
const PAUSE: Duration = Duration::from_secs(1);

/// One call, and how far it got.
pub(crate) struct Attempt<'a> {
    pub(crate) deployer: &'a KubernetesDeployer,
    pub(crate) call: &'a Call,
    pub(crate) target: &'a Target,
    pub(crate) verb: &'a Verb,
    pub(crate) precondition: &'a Precondition,
    pub(crate) deadline: Instant,
}

/// What is known of a call that goes on.
struct Course {
    progress: Progress,
    /// The owners were asked to look.
    is_asked: bool,
    /// What is to be said beside the receipt.
    said: Vec<String>,
}

impl Attempt<'_> {
    /// Brings the verb about, or says why not.
    pub(crate) async fn run(self) -> Reply {
        let mut course = Course { progress: Progress::Nothing, is_asked: false, said: Vec::new() };
        match self.try_run(&mut course).await {
            Ok(receipt) => Reply::Applied(with(receipt, course.said)),
            Err(reply) => half_done(reply, course.progress),
        }
    }

    async fn try_run(&self, course: &mut Course) -> Result<Receipt, Reply> {
        let digest = fence::digest(self.verb, self.precondition);
        let mut moved = 0;
        loop {
            if Instant::now() >= self.deadline {
                return Err(too_late());
            }
            let sight = self.deployer.in_git(self.target, self.deadline).await.map_err(unusable)?;
            let not_adopted = || steps::Refused::NotAdopted(sight.reference().clone().into());
            let note = sight.note().ok_or_else(|| refuse(&not_adopted().into()))?;
            let repeated =
                writing::admit(&[note], self.call, &digest, course.progress)?.map(|(_, applied)| applied);
            let (patch, applied) = match repeated {
                Some(applied) if self.call.stamp <= note.stamp => {
                    return Ok(Receipt(applied.receipt.clone()));
                }
                // Its key stays the newest, and nothing else is done.
                Some(applied) => (Vec::new(), Some(Applied { stamp: self.call.stamp, ..applied.clone() })),
                None => match self.decide(&sight, course.progress).await? {
                    Next::Mark(patch) => (patch, None),
                    Next::Finish(patch) => (patch, Some(Applied::of(self.call, self.verb, &digest))),
                    // Nobody else of this target writes git from here on who has not seen this stamp.
                    Next::Commit(_) | Next::Wait if course.progress == Progress::Nothing => {
                        (Vec::new(), None)
                    }
                    Next::Commit(wanted) => {
                        self.commit(&sight, &wanted, course).await?;
                        continue;
                    }
                    Next::Wait => {
                        self.ask(course).await;
                        sleep(PAUSE).await;
                        continue;
                    }
                },
            };
            let next = match &applied {
                Some(applied) => note.recorded(applied.clone()),
                None => note.raised(self.call.stamp),
            };
            let by = (self.call, course.progress);
            let written = self.deployer.write_fenced(&sight.object, &next, &patch, by, self.deadline).await;
            match written.map_err(|unwritten| unwritten.to(self.verb.name())) {
                Ok(()) => {
                    // Marks alone change nothing that runs.
                    course.progress = course.progress.max(Progress::Claimed);
                    if let Some(applied) = applied {
                        return Ok(Receipt(applied.receipt));
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

    /// Decides what is next. What the call expects is compared before anything is changed.
    async fn decide(&self, sight: &InGitSight, progress: Progress) -> Result<Next, Reply> {
        if progress == Progress::Nothing {
            let layout = match self.verb {
                Verb::Restore { snapshot } => sight.layout_before(snapshot),
                _ => sight.layout(Naming::Strict),
            };
            let layout = layout.map_err(|unnamed| refuse(&unnamed.into()))?;
            layout.holds(self.precondition).map_err(|drift| {
                Reply::Conflict(Conflict::Drifted { expected: drift.expected, found: drift.found })
            })?;
            self.ruled(sight, &layout)?;
            if self.verb.name() == VerbName::Stage {
                self.deployer.followed(self.target, self.deadline).await.map_err(unusable)?;
            }
        }
        next(sight, self.verb, self.file()?).map_err(|refused| refuse(&refused))
    }

    fn ruled(&self, sight: &InGitSight, layout: &hotfix_core::model::Layout) -> Result<(), Reply> {
        let instances = match (self.verb, NonZeroU16::new(sight.view.total)) {
            (_, Some(instances)) => instances,
            (Verb::Restore { snapshot }, None) => snapshot.replicas,
            (_, None) => {
                let object = sight.reference();
                return Err(permanent(format!("{object} has no pods to replace; scale it up in git first")));
            }
        };
        let after = layout.after_at_once(self.verb, &sight.ready_instances(), instances);
        after.map(|_| ()).map_err(|rule| refuse(&steps::Refused::Rule(rule).into()))
    }

    async fn commit(&self, sight: &InGitSight, wanted: &Wanted, course: &mut Course) -> Result<(), Reply> {
        let Some(place) = self.deployer.repository(self.target).map_err(unusable)? else {
            return Err(unusable(Unusable::NotConfigured(self.target.clone())));
        };
        let reference = sight.reference();
        let container = Container {
            namespace: &reference.namespace,
            deployment: &reference.name,
            name: &sight.view.marks.container,
        };
        let message = self.message(wanted);
        let change = Change { wanted: &wanted.written, instead_of: &wanted.instead_of, message: &message };
        let key = if self.is_restore() { revert_key(&self.call.key)? } else { self.call.key.clone() };
        let call = Call { key, ..self.call.clone() };
        if self.deployer.commit(place, container, &call, &change, self.deadline).await? == Pushed::Commit {
            course.progress = Progress::Begun;
        }
        self.ask(course).await;
        Ok(())
    }

    /// Subject, reason and trailers. Every part is valid by construction, so that none passes for a trailer of its own.
    fn message(&self, wanted: &Wanted) -> String {
        let (target, release) = (self.target, &wanted.release);
        let (subject, reason) = if self.is_restore() {
            (format!("Put {release} back on {target}"), "It was taken back to the release from before.")
        } else {
            (format!("Put {release} on {target}"), "A hotfix goes live.")
        };
        format!(
            "{subject}\n\n{reason}\n\nHotfix-target: {target}\nHotfix-release: {release}\nHotfix-step: {}\n",
            self.call.key
        )
    }

    /// Asks the owners to look, once.
    async fn ask(&self, course: &mut Course) {
        if !std::mem::replace(&mut course.is_asked, true) {
            course.said.extend(self.deployer.ask_owners(self.target, self.call, self.deadline).await);
        }
    }

    fn is_restore(&self) -> bool {
        self.verb.name() == VerbName::Restore
    }

    fn file(&self) -> Result<&str, Reply> {
        let config = self.deployer.target(self.target).map_err(unusable)?;
        Ok(config.on_gitops.in_git().map(|git| git.file.as_str()).unwrap_or_default())
    }
}

fn refuse(refused: &Refused) -> Reply {
    permanent(refused.to_string())
}

fn unusable(unusable: Unusable) -> Reply {
    Reply::Rejected(unusable.rejection())
}
