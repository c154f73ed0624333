//! What of a target's owners is worth knowing, or stands in the way, before a plan is made.

use std::collections::BTreeSet;

use hotfix_core::model::Target;
use tokio::time::Instant;

use super::note::Off;
use super::switch::{self, Sync};
use crate::deployer::KubernetesDeployer;
use crate::error::Unusable;
use crate::owner::Owned;

/// The owners of a target as they are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    pub(crate) notices: Vec<String>,
    /// Those whose sync is off because git does not name what runs.
    pub(crate) ahead: BTreeSet<String>,
}

impl KubernetesDeployer {
    /// Reads the owners of a target. One that is missing, or whose own owner would switch its sync on again, is an error.
    pub(crate) async fn survey(&self, target: &Target, deadline: Instant) -> Result<Survey, Unusable> {
        let mut survey = Survey::default();
        for owner in self.target(target)?.on_gitops.named() {
            let value = self.owner(owner, deadline).await?;
            let object = owner.object();
            if let Some(by) = switch::above(owner.tool(), &value) {
                return Err(Owned::Above { owner: object.into(), by }.into());
            }
            let off = self.note(owner, &value)?.off(target);
            survey.notices.extend(match (off, switch::read(owner.tool(), &value)) {
                (Some(Off::Ahead), Sync::Off) => {
                    survey.ahead.insert(object.to_string());
                    Some(format!(
                        "the sync of {object} is off, because git did not name what runs; put it into git and give \
                         the sync back with resume_sync"
                    ))
                }
                (Some(Off::Run(_)), Sync::Off) => Some(format!(
                    "the sync of {object} is off for a run, which gives it back; if its process died, have it taken over"
                )),
                (Some(_), Sync::On(_) | Sync::OffByOthers) => {
                    Some(format!("the sync of {object} was off, and somebody changed it meanwhile"))
                }
                (None, Sync::On(_)) => Some(format!(
                    "the sync of {object} is off during a run, and after a success until git names the release; \
                     resume_sync gives it back then"
                )),
                (None, Sync::Off | Sync::OffByOthers) => None,
            });
        }
        Ok(survey)
    }
}
