//! The first fence of a Deployment whose image is written in git, and what it is observed to be. Nothing is copied.

use hotfix_core::model::{Target, Workload};
use tokio::time::Instant;

use super::sight::InGitSight;
use crate::api::READ_LIMIT;
use crate::deployer::KubernetesDeployer;
use crate::error::Unusable;
use crate::gitops;
use crate::owner::{self, Owned};
use crate::sight::Unreadable;

impl KubernetesDeployer {
    /// Gives the Deployment its first fence, if it can be handled.
    pub(crate) async fn adopt_in_git(&self, target: &Target) -> Result<(), Unusable> {
        let deadline = Instant::now() + READ_LIMIT;
        let sight = self.owned_in_git(target, deadline).await?;
        sight.workload().map_err(Unreadable::from)?;
        self.first_fence(sight.reference(), deadline).await
    }

    pub(crate) async fn observe_in_git(&self, target: &Target) -> Result<Workload, Unusable> {
        let sight = self.owned_in_git(target, Instant::now() + READ_LIMIT).await?;
        Ok(sight.workload().map_err(Unreadable::from)?)
    }

    /// Reads a target, and refuses one that nobody would change by what is in git, or somebody else would.
    async fn owned_in_git(&self, target: &Target, deadline: Instant) -> Result<InGitSight, Unusable> {
        let config = self.target(target)?;
        let (sight, followed, autoscalers) = tokio::join!(
            self.in_git(target, deadline),
            self.followed(target, deadline),
            self.autoscalers(&config.namespace, deadline)
        );
        let sight = sight?;
        let (reference, value) = (sight.reference(), &sight.object.value);
        owner::gitops(config, reference, value)?;
        if gitops::owner(value).is_none() {
            return Err(Owned::ByNobody { object: reference.clone().into() }.into());
        }
        owner::scaled(config, &autoscalers?)?;
        followed?;
        Ok(sight)
    }
}
