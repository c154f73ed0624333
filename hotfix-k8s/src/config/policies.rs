//! What to do about what others own, and what a snapshot keeps of what the pods read.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::InGit;
use crate::sync::SyncOwner;

/// What to do when a GitOps controller owns an object that would be changed: it would take the change back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum OnGitOps {
    /// Refuse, and name the owner.
    #[default]
    Refuse,
    /// Switch the sync of these owners off before the first change, and on again when it would take nothing back: after
    /// a rollback at once, after a success when the owner says that git names what runs. Until then it stays off, which
    /// a plan warns of, and [`resume_sync`](crate::KubernetesDeployer::resume_sync) gives it back. An owner that is not
    /// named is refused.
    Pause(BTreeSet<SyncOwner>),
    /// Write the image where the owners apply it from, and nothing else of the Deployment: a release is a commit, and so is
    /// the way back. An owner that is not named is refused, and one whose sync is off.
    Git(Box<InGit>),
}

/// What to do when a HorizontalPodAutoscaler sets the number of pods of the Deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum OnAutoscaler {
    /// Refuse, and name it.
    #[default]
    Refuse,
    /// Go on: it rests while the main Deployment is at zero, and the hotfix slot keeps the number it was staged with.
    Accept,
    /// Have it scale whichever slot is live, and keep the side that is left as large as it is until then.
    Follow {
        /// Its name; `None`: that of the Deployment.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
}

/// Of which objects that a template refers to a snapshot keeps a hash, never the contents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fingerprints {
    /// Of ConfigMaps.
    #[default]
    ConfigMaps,
    /// Of ConfigMaps and Secrets, which takes the right to read both.
    ConfigMapsAndSecrets,
    /// Of none.
    Nothing,
}

/// Of which objects that have a hash in a snapshot the contents are kept as well: as immutable objects in the namespace of
/// the target, which they do not leave, owned by the Deployment: those of the newest snapshot, and the newest ten of each
/// object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Copies {
    /// Of none.
    #[default]
    Nothing,
    /// Of ConfigMaps.
    ConfigMaps,
    /// Of ConfigMaps and Secrets. It takes the right to read and write every Secret of the namespace.
    ConfigMapsAndSecrets,
}
