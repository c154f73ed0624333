//! Switching the sync off before the first change of a run.

use hotfix_core::model::{Stamp, Target};
use hotfix_core::port::{Conflict, Reply};
use serde_json::Value;
use tokio::time::{Duration, Instant, sleep};

use super::fenced::Decision;
use super::named::SyncOwner;
use super::note::{Entry, Note, Off};
use super::switch::{self, Sync};
use crate::deployer::KubernetesDeployer;
use crate::error::Unusable;
use crate::object::ObjectRef;
use crate::owner::Owned;
use crate::reply;

/// How long a sync that is at work is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked at.
const PAUSE: Duration = Duration::from_millis(100);

/// Where the traffic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    /// All of it at the main Deployment, which is live.
    Home,
    Away,
}

/// Why a sync is not off.
#[derive(Debug, PartialEq)]
pub(crate) enum Unheld {
    /// The owner saw a higher stamp of the target.
    Fenced(Stamp),
    /// Somebody switched it on again.
    OnAgain(Box<ObjectRef>),
    /// What it began before goes on.
    AtWork(Box<ObjectRef>),
    Unusable(Unusable),
}

/// Whether a sync was off before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    Anew,
    Before,
}

impl From<Unusable> for Unheld {
    fn from(unusable: Unusable) -> Self {
        Self::Unusable(unusable)
    }
}

impl Unheld {
    /// The same as the answer to a verb of which nothing was done.
    pub(crate) fn reply(&self) -> Reply {
        match self {
            Self::Fenced(current) => Reply::Conflict(Conflict::Fenced { current: *current }),
            Self::OnAgain(owner) => Reply::Conflict(Conflict::Drifted {
                expected: format!("the sync of {owner} off"),
                found: "somebody switched it on again".to_owned(),
            }),
            Self::AtWork(owner) => {
                Reply::Rejected(reply::busy(format!("{owner} is being synced; wait for its end"), None))
            }
            Self::Unusable(unusable) => Reply::Rejected(unusable.rejection()),
        }
    }
}

impl KubernetesDeployer {
    /// Has the sync of every owner of a target off.
    pub(crate) async fn hold_sync(
        &self,
        target: &Target,
        stamp: Stamp,
        whereabouts: Whereabouts,
        deadline: Instant,
    ) -> Result<(), Unheld> {
        for owner in self.target(target)?.on_gitops.named() {
            let hold = |value: &Value, note: &Note| hold(owner, value, note, (target, stamp), whereabouts);
            if self.change_owner(owner, deadline, hold).await? == Held::Anew {
                self.until_at_rest(owner, deadline).await?;
            }
        }
        Ok(())
    }

    async fn until_at_rest(&self, owner: &SyncOwner, deadline: Instant) -> Result<(), Unheld> {
        let now = Instant::now();
        let until = now + PATIENCE.min(deadline.saturating_duration_since(now) / 2);
        while switch::is_at_work(owner.tool(), &self.owner(owner, deadline).await?) {
            if Instant::now() >= until {
                return Err(Unheld::AtWork(owner.object().into()));
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }
}

/// What to do so that the sync of an owner is off for a target.
fn hold(
    owner: &SyncOwner,
    value: &Value,
    note: &Note,
    (target, stamp): (&Target, Stamp),
    whereabouts: Whereabouts,
) -> Result<Decision<Held>, Unheld> {
    let current = note.stamp(target);
    if current > stamp {
        return Err(Unheld::Fenced(current));
    }
    if let Some(by) = switch::above(owner.tool(), value) {
        return Err(Unusable::Owned(Owned::Above { owner: owner.object().into(), by }).into());
    }
    let (off, is_own) = (note.off(target), current.epoch == stamp.epoch);
    match (switch::read(owner.tool(), value), off) {
        (Sync::On(_), Some(_)) if is_own || whereabouts == Whereabouts::Away => {
            Err(Unheld::OnAgain(owner.object().into()))
        }
        (Sync::On(was), _) => {
            let patch = switch::off(owner.tool(), value);
            let next = Note { was: Some(was), ..note.clone() };
            let next = next.with(target, Entry { stamp, off: Some(Off::Run(stamp)) });
            Ok(Decision::write(Held::Anew, next, patch))
        }
        // The newest worker is known here, so that nobody gives the sync back who looked before it came.
        (Sync::Off, Some(off)) if !is_own => {
            let next = note.with(target, Entry { stamp, off: Some(off) });
            Ok(Decision::write(Held::Before, next, Vec::new()))
        }
        (Sync::Off, None) if note.was.is_some() => {
            let next = note.with(target, Entry { stamp, off: Some(Off::Run(stamp)) });
            Ok(Decision::write(Held::Anew, next, Vec::new()))
        }
        (Sync::Off | Sync::OffByOthers, _) => Ok(Decision::leave(Held::Before)),
    }
}

#[cfg(test)]
#[path = "hold_tests.rs"]
mod tests;
