//! What a snapshot of a StatefulSet or a DaemonSet keeps beside slot, release and size.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;

use hotfix_core::model::{Target, WorkloadSnapshot};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use super::marks::Before;
use super::view::SetKind;
use crate::api::READ_LIMIT;
use crate::deployer::KubernetesDeployer;
use crate::error::Unusable;

/// The format of what is kept; a snapshot with another number is refused, not guessed at.
const FORMAT: u32 = 1;

/// What is needed to put the object back, and to see whether what it refers to is still the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    /// Tells it from what is kept of Deployments.
    in_place: u32,
    pub(crate) template: Value,
    /// How its pods are replaced when no rollout is under way.
    pub(crate) strategy: Value,
    /// SHA-256 of what the template refers to, by `ConfigMap/name` or `Secret/name`; `null` where there is none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) hashes: BTreeMap<String, Option<String>>,
    /// The owners whose sync was off because git did not name what ran.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) ahead: BTreeSet<String>,
}

impl Kept {
    /// Reads what a snapshot kept; `None` when it was made of a release alone.
    pub(crate) fn read(snapshot: &WorkloadSnapshot) -> Result<Option<Self>, String> {
        if snapshot.backend.is_null() {
            return Ok(None);
        }
        match serde_json::from_value::<Self>(snapshot.backend.clone()) {
            Ok(kept) if kept.in_place == FORMAT => Ok(Some(kept)),
            Ok(kept) => Err(format!("its format is {}, this version writes {FORMAT}", kept.in_place)),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl KubernetesDeployer {
    /// Takes a snapshot of what is replaced in place; `None` when nothing is live.
    pub(crate) async fn snapshot_in_place(
        &self,
        target: &Target,
        kind: SetKind,
    ) -> Result<Option<WorkloadSnapshot>, Unusable> {
        let deadline = Instant::now() + READ_LIMIT;
        let (sight, survey) =
            tokio::join!(self.in_place(target, kind, deadline), self.survey(target, deadline));
        let (sight, ahead) = (sight?, survey?.ahead);
        sight.fits()?;
        let live = sight.view.live;
        let held = sight.held(live).map_err(crate::sight::Unreadable::from)?;
        let (Some(held), Some(replicas)) = (held, NonZeroU16::new(sight.view.total)) else { return Ok(None) };
        let Before { template, strategy } = sight.before();
        let hashes = self.hashes(target, &sight.object, &template, deadline).await?;
        let kept = Kept { in_place: FORMAT, template, strategy, hashes, ahead };
        let backend = serde_json::to_value(kept).unwrap_or_default();
        let slot = sight.slots.name(live).clone();
        Ok(Some(WorkloadSnapshot { slot, release: held.release, replicas, backend }))
    }
}
