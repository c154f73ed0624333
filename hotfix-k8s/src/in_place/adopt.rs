//! The first fence of an object whose pods are replaced in place. Nothing is copied.

use hotfix_core::model::{Target, Workload};
use tokio::time::Instant;

use super::sight::InPlace;
use super::view::SetKind;
use crate::api::READ_LIMIT;
use crate::deployer::KubernetesDeployer;
use crate::error::Unusable;
use crate::owner;
use crate::sight::Unreadable;

impl KubernetesDeployer {
    /// Gives the object its first fence, if it can be handled.
    pub(crate) async fn adopt_in_place(&self, target: &Target, kind: SetKind) -> Result<(), Unusable> {
        let deadline = Instant::now() + READ_LIMIT;
        let sight = self.unowned_in_place(target, kind, deadline).await?;
        sight.workload().map_err(Unreadable::from)?;
        self.first_fence(&sight.object.reference, deadline).await
    }

    pub(crate) async fn observe_in_place(
        &self,
        target: &Target,
        kind: SetKind,
    ) -> Result<Workload, Unusable> {
        let deadline = Instant::now() + READ_LIMIT;
        let (sight, survey) =
            tokio::join!(self.unowned_in_place(target, kind, deadline), self.survey(target, deadline));
        let (sight, notices) = (sight?, survey?.notices);
        Ok(Workload { notices, ..sight.workload().map_err(Unreadable::from)? })
    }

    /// Reads a target, and refuses what somebody else sets back or rolls.
    async fn unowned_in_place(
        &self,
        target: &Target,
        kind: SetKind,
        deadline: Instant,
    ) -> Result<InPlace, Unusable> {
        let config = self.target(target)?;
        let (sight, autoscalers) = tokio::join!(
            self.in_place(target, kind, deadline),
            self.autoscalers(&config.namespace, deadline)
        );
        let sight = sight?;
        owner::gitops(config, &sight.object.reference, &sight.object.value)?;
        owner::scaled(config, &autoscalers?)?;
        sight.fits()?;
        Ok(sight)
    }
}
