//! What an attempt reads before it decides: the target, and beside it what its pods have read.

use std::future;

use hotfix_core::model::Verb;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::Attempt;
use crate::contents::{Changed, Contents, HASTE};
use crate::error::Unusable;
use crate::sight::{Patience, Sight};
use crate::snapshot::Kept;
use crate::steps;
use crate::traffic::Objections;

impl Attempt<'_> {
    /// Pods that a verb can do without are waited for at most three quarters of its time.
    fn patience(&self) -> Patience {
        let waited = self.begun.elapsed() * 4 > self.deadline.saturating_duration_since(self.begun) * 3;
        if waited { Patience::Over } else { Patience::Left }
    }

    /// Reads in one round what the verb needs and, beside it, what its pods have read. Traffic that can move as things are
    /// does not wait for that, nor does the rest when it has moved: a read that hangs is left for later.
    pub(super) async fn looks(&self) -> (Result<Sight, Unusable>, Option<Contents>) {
        let (tell, told) = oneshot::channel();
        let look = async move {
            let begun = Instant::now();
            let (patience, before) = (self.patience(), self.objections());
            let sight = self.look().await.map(|sight| Sight { patience, before, ..sight });
            if sight.as_ref().map_or(true, |sight| self.route.is_some() || self.moves_first(sight)) {
                // Nobody hears it where the contents are known by now.
                let _ = tell.send(begun.elapsed());
            }
            sight
        };
        let late = async move {
            match told.await {
                Ok(took) => sleep(took.max(HASTE)).await,
                Err(_) => future::pending().await,
            }
        };
        // The target is asked for first.
        tokio::join!(look, self.contents(late))
    }

    pub(super) fn moves_first(&self, sight: &Sight) -> bool {
        let config = self.deployer.target(self.target);
        config.is_ok_and(|config| steps::moves_first(sight, self.call, self.verb, &config.overrides))
    }

    /// What stood against the route when the snapshot of a restore was taken.
    fn objections(&self) -> Objections {
        let Verb::Restore { snapshot } = self.verb else { return Objections::default() };
        Kept::read(snapshot).ok().flatten().map(|kept| kept.objections).unwrap_or_default()
    }

    /// Reads what the verb needs. To a restore one pod that is ready tells as much as all of them.
    async fn look(&self) -> Result<Sight, Unusable> {
        let side = match self.verb {
            Verb::Restore { snapshot } => self.deployer.slots.side(&snapshot.slot),
            _ => None,
        };
        // Whoever has waited looks again and again.
        let has_waited = self.followers.is_some();
        let deployer = if has_waited { &self.deployer.waiting() } else { self.deployer };
        match side {
            Some(side) => deployer.sight_of_ready(self.target, side, self.deadline).await,
            None => deployer.sight(self.target, self.deadline).await,
        }
    }

    /// Finds out what does not hold what it held when the snapshot of a restore was taken, once.
    async fn contents(&self, late: impl Future<Output = ()> + Send) -> Option<Contents> {
        let Verb::Restore { snapshot } = self.verb else { return None };
        let kept = Kept::read(snapshot).ok().flatten().filter(|_| self.contents.is_none())?;
        Some(self.deployer.contents(self.target, &kept.hashes, self.deadline, late).await)
    }

    /// What is left of it to be put back. What is only to be said goes with the receipt.
    pub(super) fn changed(&mut self, found: Option<Contents>) -> Vec<Changed> {
        if let Some(found) = found {
            self.said.extend(found.said.iter().cloned());
            self.contents = Some(found);
        }
        self.contents.as_ref().map(|contents| contents.changed.clone()).unwrap_or_default()
    }
}
