//! Giving the sync back when git has what runs, as a pipeline does.

use hotfix_core::model::{Stamp, Target};
use tokio::time::Instant;

use super::give_back::Given;
use crate::api::READ_LIMIT;
use crate::deployer::KubernetesDeployer;
use crate::error::{KubernetesError, Unusable};
use crate::fence;
use crate::in_place::SetKind;
use crate::sight::Object;
use crate::slot::Side;

impl KubernetesDeployer {
    /// Gives the sync of a target's owners back as it was before a run switched it off. Call it when git names what runs:
    /// from then on the owners make everything as git says. What is on already stays as it is. Flux goes by what its
    /// source fetched last, so have that fetched before.
    ///
    /// # Errors
    /// [`KubernetesError::Sync`] when a run is under way at the target, or was until its process died and nobody took it
    /// over yet, or the server was not reached.
    /// # Cancellation
    /// What was given back stays so, and calling again does the rest.
    pub async fn resume_sync(&self, target: &Target) -> Result<(), KubernetesError> {
        self.try_resume_sync(target).await.map_err(|unusable| KubernetesError::resuming(target, &unusable))
    }

    async fn try_resume_sync(&self, target: &Target) -> Result<(), Unusable> {
        let deadline = Instant::now() + READ_LIMIT;
        let mut owners = Vec::new();
        for owner in self.target(target)?.on_gitops.named() {
            let value = self.owner(owner, deadline).await?;
            owners.push((owner, self.note(owner, &value)?.stamp(target)));
        }
        // Read after the owners: a run that begins from here on raises their stamps.
        let claimed = self.claimed(target, deadline).await?;
        // Whoever switched a sync off and is not there yet may come any moment, unless the target was sealed since.
        let is_on_its_way = owners.iter().any(|(_, stamp)| *stamp > claimed);
        if is_on_its_way || !self.is_at_rest(target, deadline).await? {
            return Err(Unusable::UnderWay(target.clone()));
        }
        for (owner, stamp) in owners {
            if self.give_back(owner, target, stamp, deadline).await? == Given::Fenced {
                return Err(Unusable::UnderWay(target.clone()));
            }
        }
        Ok(())
    }

    /// The highest stamp that was at the target.
    pub(super) async fn claimed(&self, target: &Target, deadline: Instant) -> Result<Stamp, Unusable> {
        let objects = self.objects(target, deadline).await?;
        Ok(fence::highest(&Object::notes(&objects)))
    }

    /// Whether the target holds one release, where its owners want it.
    async fn is_at_rest(&self, target: &Target, deadline: Instant) -> Result<bool, Unusable> {
        if let Some(kind) = SetKind::of(self.target(target)?.workload) {
            return Ok(self.in_place(target, kind, deadline).await?.is_at_rest());
        }
        let sight = self.sight(target, deadline).await?;
        Ok(sight.is_home()? && !sight.held(Side::Hotfix).is_ok_and(|held| held.is_some()))
    }
}
