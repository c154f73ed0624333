//! The first patch of an undo, sent before everything is read.
//!
//! A restore begins with moving the traffic where the old release can take it as it is. For that it has to be known that
//! the old release serves; that the route is as it was is compared by the server with the patch itself. So the rest is
//! read when the customers are back, and the verb is planned then as if nothing had happened before.

use hotfix_core::model::Verb;
use hotfix_core::port::Reply;

use super::{Attempt, Stopped};
use crate::sight::{Place, Sight};
use crate::slot::Side;
use crate::steps::{Step, Write, WriteEffect};

impl Attempt<'_> {
    /// Moves the traffic back if that is all there is to it, going by what was seen of the target before. What was seen
    /// may be wrong: nothing is written then.
    pub(super) async fn switch_back(&mut self) -> Result<(), Reply> {
        let Verb::Restore { snapshot } = self.verb else { return Ok(()) };
        if self.deployer.slots.side(&snapshot.slot) != Some(Side::Main) {
            return Ok(());
        }
        let Some(sight) = self.deployer.sight_of_serving(self.target, self.deadline).await else {
            return Ok(());
        };
        let Some(write) = self.first(&sight) else { return Ok(()) };
        match self.perform(&sight, vec![Step::Patch(write)]).await {
            Err(Stopped::Answer(reply)) => Err(reply),
            Err(Stopped::PlanAgain(conflict)) => {
                tracing::debug!(target = %self.target, %conflict, "the traffic is not where it was");
                self.deployer.memory.forget_route(self.target);
                Ok(())
            }
            Ok(()) | Err(Stopped::GoOn(_)) => Ok(()),
        }
    }

    /// The patch that moves the traffic, where the verb begins with it and is not over with it.
    fn first(&self, sight: &Sight) -> Option<Write> {
        if !self.moves_first(sight) {
            return None;
        }
        // Whatever is wrong is said by whoever has read everything.
        let plan = self.plan(sight, Vec::new()).ok()?;
        let is_patch = |step: &&Step| matches!(step, Step::Patch(_));
        if plan.steps.iter().filter(is_patch).count() < 2 {
            return None;
        }
        let Step::Patch(write) = plan.steps.into_iter().next()? else { return None };
        (write.place == Place::Route && write.effect == WriteEffect::Values).then_some(write)
    }
}
