//! The annotations and labels that this crate writes.

use json_patch::jsonptr::PointerBuf;

/// The fence: the highest stamp, and the keys that were applied.
pub(crate) const FENCE: &str = "hotfix.dev/fence";
/// On a Deployment: the release it holds, as JSON, or [`EMPTY`].
pub(crate) const RELEASE: &str = "hotfix.dev/release";
/// On the main Deployment: the name of the live slot.
pub(crate) const LIVE: &str = "hotfix.dev/live";
/// On a Deployment: the key of the last restore that made sure of its pods.
pub(crate) const RESTORED: &str = "hotfix.dev/restored";
/// On a Deployment: the key of the last retirement that emptied it.
pub(crate) const EMPTIED: &str = "hotfix.dev/emptied";
/// On a Deployment whose size is not its whole one: how many pods it asks for, and of how many.
pub(crate) const REPLICAS: &str = "hotfix.dev/replicas";
/// On a Service that selects the pods of both slots: the share of the hotfix slot that was asked for, in percent.
pub(crate) const SHARE: &str = "hotfix.dev/share";
/// In a pod template: the key of the restore that had its pods started anew.
pub(crate) const RENEWED: &str = "hotfix.dev/renewed";
/// On the copy: the Deployment it is a copy of.
pub(crate) const COPY_OF: &str = "hotfix.dev/copy-of";
/// On a StatefulSet or a DaemonSet: what its two slots hold.
pub(crate) const SLOTS: &str = "hotfix.dev/slots";
/// On a Deployment whose image is written in git: what its two slots hold.
pub(crate) const IN_GIT: &str = "hotfix.dev/in-git";
/// A label of the copy, and of the pods of every staged release: the slot.
pub(crate) const SLOT: &str = "hotfix.dev/slot";
/// A label of the pods of every staged release: the first hex digits of its image's digest.
pub(crate) const ARTIFACT: &str = "hotfix.dev/artifact";
/// A label of the copies of ConfigMaps and Secrets: the Deployment that they are kept for.
pub(crate) const KEPT_FOR: &str = "hotfix.dev/kept-for";
/// On the main Deployment: the key of a restore that puts contents back which its pods have read.
pub(crate) const REREAD: &str = "hotfix.dev/reread";
/// On an autoscaler: the lower bound that is held, and what it was before.
pub(crate) const BOUND: &str = "hotfix.dev/bound";
/// On what a GitOps controller applies from: whether its sync is off for us, and what it was before.
pub(crate) const SYNC: &str = "hotfix.dev/sync";
/// The value of [`RELEASE`] on a slot that was emptied.
pub(crate) const EMPTY: &str = "none";
/// Where Kubernetes recommends to name the version of what runs.
pub(crate) const VERSION: &str = "app.kubernetes.io/version";

/// The field manager under which everything is written.
pub(crate) const MANAGER: &str = "hotfix";

/// Points into an object; each token is escaped.
pub(crate) fn pointer<const N: usize>(tokens: [&str; N]) -> PointerBuf {
    PointerBuf::from_tokens(tokens)
}

/// Points at an annotation of an object.
pub(crate) fn annotation(name: &str) -> PointerBuf {
    pointer(["metadata", "annotations", name])
}
