//! What an embedder says of each target. Checked as a whole before anything is read or changed.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use hotfix_core::model::{Fenced, Target};
use serde::{Deserialize, Serialize};

mod git;
mod named;
mod overrides;
mod policies;
mod replicas;
mod requests;
mod shared;
mod testers;

pub use self::git::{ImagePlace, ImageValues, InGit};
pub use self::overrides::{EnvFrom, EnvValue, Overrides};
pub use self::policies::{Copies, Fingerprints, OnAutoscaler, OnGitOps};
pub use self::replicas::{Allowance, ReplicasTraffic};
pub use self::requests::RequestLimits;
pub use self::testers::Testers;

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

/// Where it is written which slot gets how much traffic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Traffic {
    /// In the selector of the Service: all of it to one slot (blue-green).
    #[default]
    Service,
    /// In the weights of an Istio VirtualService.
    VirtualService(VirtualServiceTraffic),
    /// In the weights of a Gateway API HTTPRoute.
    HttpRoute(HttpRouteTraffic),
    /// In the annotation `canary-weight` of the canary Ingress of the NGINX ingress controller.
    Ingress(IngressTraffic),
    /// In the numbers of pods behind one Service.
    Replicas(ReplicasTraffic),
}

/// An Istio VirtualService that splits traffic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VirtualServiceTraffic {
    /// Its name; `None`: that of the Service.
    pub name: Option<String>,
    /// What the slots are called in it.
    pub destinations: Destinations,
    /// The http routes that are written; none named: every route with a destination for each slot.
    pub routes: BTreeSet<String>,
    /// Who reaches a staged release before customers do; `None`: nobody.
    pub testers: Option<Testers>,
}

/// What the slots are called in a VirtualService.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Destinations {
    /// A Service for each slot: that of the target, and this one for the copy; `None`: the same name with `-hotfix`.
    Hosts {
        /// The Service of the copy.
        hotfix: Option<String>,
    },
    /// Two subsets of the Service, as a DestinationRule defines them, by the one label of the Deployment's selector that
    /// the Service does not select by. The copy's value of it is the Deployment's with `-hotfix`.
    Subsets {
        /// That of the Deployment.
        main: String,
        /// That of its copy.
        hotfix: String,
        /// The DestinationRule; `None`: it has the name of the Service.
        rule: Option<String>,
    },
}

impl Default for Destinations {
    fn default() -> Self {
        Self::Hosts { hotfix: None }
    }
}

/// A Gateway API HTTPRoute that splits traffic between the Service of the target and that of its copy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpRouteTraffic {
    /// Its name; `None`: that of the Service.
    pub name: Option<String>,
    /// The Service of the copy; `None`: the name of the Service with `-hotfix`.
    pub hotfix: Option<String>,
    /// The rules that are written; none named: every rule with a backend for each slot.
    pub rules: BTreeSet<String>,
    /// Who reaches a staged release before customers do; `None`: nobody. Only where `rules` names the rules: where the
    /// API server keeps those names, it keeps the ones by which the rules for testers are known again.
    pub testers: Option<Testers>,
}

/// The canary Ingress, beside the one of the application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IngressTraffic {
    /// Its name; `None`: that of the Service with `-canary`.
    pub name: Option<String>,
    /// The Service of the copy, its only backend; `None`: the name of the Service with `-hotfix`.
    pub hotfix: Option<String>,
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
        if let Traffic::Replicas(replicas) = &self.traffic {
            self.check_replicas(target, *replicas)?;
        }
        if let Traffic::HttpRoute(HttpRouteTraffic { rules, testers: Some(testers), .. }) = &self.traffic
            && rules.is_empty()
        {
            let mend = "name the rules that are written in traffic.http_route.rules";
            return Err(invalid(target, "traffic.http_route.testers", testers.header(), mend));
        }
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
