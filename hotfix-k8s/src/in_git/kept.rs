//! What a snapshot keeps beside slot, release and size: the image as it stands in the file.

use std::num::NonZeroU16;

use hotfix_core::model::{Target, WorkloadSnapshot};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::next::Refused;
use super::written::Written;
use crate::api::READ_LIMIT;
use crate::deployer::KubernetesDeployer;
use crate::error::Unusable;
use crate::sight::Unreadable;

/// The format of what is kept; a snapshot with another number is refused, not guessed at.
const FORMAT: u32 = 1;

/// What is needed to put the file back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    /// Tells it from what is kept of other targets.
    in_git: u32,
    pub(crate) written: Written,
}

impl Kept {
    /// Reads what a snapshot kept; `None` when it was made of a release alone.
    pub(crate) fn read(snapshot: &WorkloadSnapshot) -> Result<Option<Self>, String> {
        if snapshot.backend.is_null() {
            return Ok(None);
        }
        match serde_json::from_value::<Self>(snapshot.backend.clone()) {
            Ok(kept) if kept.in_git == FORMAT => Ok(Some(kept)),
            Ok(kept) => Err(format!("its format is {}, this version writes {FORMAT}", kept.in_git)),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl KubernetesDeployer {
    /// Takes a snapshot of what is written in git; `None` when nothing is live.
    pub(crate) async fn snapshot_in_git(
        &self,
        target: &Target,
    ) -> Result<Option<WorkloadSnapshot>, Unusable> {
        let sight = self.in_git(target, Instant::now() + READ_LIMIT).await?;
        let live = sight.live();
        let held = sight.held(live).map_err(Unreadable::from)?;
        let (Some(held), Some(replicas)) = (held, NonZeroU16::new(sight.view.total)) else { return Ok(None) };
        let Some(written) = sight.live_written() else {
            return Err(Refused::Ahead {
                file: self.target(target)?.on_gitops.in_git().map(|git| git.file.clone()).unwrap_or_default(),
                written: sight.committed.written.to_string(),
                deployment: sight.reference().to_string(),
                image: sight.view.image.clone(),
            }
            .into());
        };
        let backend = serde_json::to_value(Kept { in_git: FORMAT, written }).unwrap_or_default();
        let slot = sight.slots.name(live).clone();
        Ok(Some(WorkloadSnapshot { slot, release: held.release, replicas, backend }))
    }
}
