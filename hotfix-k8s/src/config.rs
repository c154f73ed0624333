//! What an embedder says of each target. Checked as a whole before anything is read or changed.

use std::borrow::Cow;
use std::collections::BTreeMap;

use hotfix_core::model::{Fenced, Target};
use serde::{Deserialize, Serialize};

mod git;
mod named;
mod overrides;
mod policies;
mod requests;
mod shared;
mod testers;

pub use self::git::{ImagePlace, ImageValues, InGit};
pub use self::overrides::{EnvFrom, EnvValue, Overrides};
pub use self::policies::{Copies, Fingerprints, OnAutoscaler, OnGitOps};
pub use self::requests::RequestLimits;
pub use self::testers::Testers;
pub(crate) use crate::traffic::configured::*;

pub(crate) use self::named::Named;

/// A field that cannot be used, what it holds and the mend.
pub(crate) type Odd = (&'static str, String, &'static str);

/// Where the workloads are that a deployer may change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KubernetesConfig {
    /// The targets.
    pub targets: BTreeMap<Target, TargetConfig>,
    /// How many requests the process sends.
    pub requests: RequestLimits,
}

/// One workload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TargetConfig {
    /// The namespace of everything that belongs to it.
    pub namespace: String,
    /// The name of the Deployment, or of what `workload` says it is; `name` in a file means the same.
    #[serde(alias = "name")]
    pub deployment: String,
    /// Its kind.
    pub workload: WorkloadKind,
    /// The container whose image is the release; `None`: there is only one.
    pub container: Option<String>,
    /// The Service that selects the pods; `None`: it has the name of the Deployment.
    pub service: Option<String>,
    /// The label whose value tells the slots apart; `None`: the only one that the Service and the Deployment both
    /// select by, and with subsets the only one that the Deployment alone selects by.
    pub label: Option<String>,
    /// Where it is written which slot gets how much traffic.
    pub traffic: Traffic,
    /// What a staged release gets beside its image.
    pub overrides: Overrides,
    /// What to do when Argo CD or Flux owns an object. With [`OnGitOps::Git`] of the other fields only `container` and
    /// `on_autoscaler` mean something.
    pub on_gitops: OnGitOps,
    /// What to do when a HorizontalPodAutoscaler sets the number of pods.
    pub on_autoscaler: OnAutoscaler,
    /// Of which referenced objects a snapshot keeps a hash.
    pub fingerprints: Fingerprints,
    /// Of which of those a snapshot keeps a copy in the cluster, for a rollback to put back.
    pub copies: Copies,
}

/// The kind of a workload.
///
/// A StatefulSet and a DaemonSet cannot have a copy beside them, so their pods are replaced in place: both slots are the
/// same object, told apart by what their pods run, and traffic follows the pods. Of the target's other fields only
/// `container`, `overrides`, `on_autoscaler` and `fingerprints` mean something for them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WorkloadKind {
    /// Two Deployments that take turns.
    #[default]
    Deployment,
    /// A StatefulSet: the pods with the highest ordinals are replaced first.
    StatefulSet,
    /// A DaemonSet: pods are replaced node by node.
    DaemonSet,
}

/// A value of the configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{target}: {field} is {value:?}; {mend}")]
#[non_exhaustive]
pub struct InvalidConfig {
    /// The target whose configuration it is.
    pub target: Target,
    /// The field.
    pub field: &'static str,
    /// What it holds.
    pub value: String,
    /// What it may hold.
    pub mend: Cow<'static, str>,
}

impl KubernetesConfig {
    /// Checks every value that can be checked without a cluster.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let mut taken = shared::Taken::default();
        for (target, config) in &self.targets {
            let claimed = Fenced::Workload(target.clone());
            if claimed.to_string().parse::<Fenced>() != Ok(claimed) {
                let mend =
                    "name the environment otherwise: the references of a service are claimed under this name";
                return Err(invalid(target, "environment", target.environment.as_str(), mend));
            }
            config.check(target)?;
            taken.take(target, config)?;
        }
        Ok(())
    }
}

impl TargetConfig {
    fn check(&self, target: &Target) -> Result<(), InvalidConfig> {
        if let Some((field, value)) = self.unused_in_place() {
            let mend = "leave it out: it means nothing for a StatefulSet or a DaemonSet";
            return Err(invalid(target, field, &value, mend));
        }
        if let Some((field, value)) = self.unused_in_git() {
            let mend = "leave it out: what is written in git is the image of a Deployment alone";
            return Err(invalid(target, field, &value, mend));
        }
        self.check_names(target)?;
        if let Some(label) = self.label.as_ref().filter(|label| label.is_empty()) {
            return Err(invalid(target, "label", label, "name a label or leave it out"));
        }
        self.traffic
            .backend()
            .check(self)
            .map_err(|(field, value, mend)| invalid(target, field, &value, mend))?;
        let unhashed = match (self.copies, self.fingerprints) {
            (Copies::ConfigMaps, Fingerprints::Nothing) => Some("config_maps"),
            (Copies::ConfigMapsAndSecrets, Fingerprints::Nothing | Fingerprints::ConfigMaps) => {
                Some("config_maps_and_secrets")
            }
            _ => None,
        };
        if let Some(copies) = unhashed {
            return Err(invalid(target, "copies", copies, "have fingerprints of at least what is copied"));
        }
        self.on_gitops.check().map_err(|(field, value, mend)| invalid(target, field, &value, mend))?;
        for variable in self.overrides.env.keys() {
            let is_sound =
                !variable.is_empty() && variable.bytes().all(|b| b.is_ascii_graphic() && b != b'=');
            if !is_sound {
                let mend = "name environment variables with printable characters other than =";
                return Err(invalid(target, "overrides.env", variable, mend));
            }
        }
        Ok(())
    }
}

fn invalid(
    target: &Target,
    field: &'static str,
    value: &str,
    mend: impl Into<Cow<'static, str>>,
) -> InvalidConfig {
    InvalidConfig { target: target.clone(), field, value: value.to_owned(), mend: mend.into() }
}

/// A name as Kubernetes takes it (RFC 1123, dots for subdomains).
pub(crate) fn is_name(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
