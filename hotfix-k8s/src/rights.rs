//! The least that a deployer has to be allowed to do, feature by feature, as a Role to apply.
//!
//! Reading and changing are allowed for the objects by name. Listing and watching, which find the pods of a rollout,
//! and creating, which adopts a workload, cannot be narrowed to names by the API server.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};

/// Something that a deployer does, and the names of the objects it does it to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Feature {
    /// Rolls, restores and watches Deployments and their pods.
    Deployments(BTreeSet<String>),
    /// Rolls, restores and watches StatefulSets, and deletes pods of theirs that would keep them from it.
    StatefulSets(BTreeSet<String>),
    /// Rolls, restores and watches DaemonSets, by deleting their pods.
    DaemonSets(BTreeSet<String>),
    /// Makes the copy of a Deployment that is the second slot.
    Adoption,
    /// Switches the selector of Services.
    Services(BTreeSet<String>),
    /// Reads by which labels Services select, and whether they are there.
    Selectors(BTreeSet<String>),
    /// Sees when the traffic of a Service has reached or left a slot.
    Endpoints,
    /// Sees by which hash the pods of a slot are known.
    ReplicaSets,
    /// Splits by objects of a kind, such as VirtualServices.
    Routes(Resource, BTreeSet<String>),
    /// Reads objects that those rest on, such as DestinationRules.
    Premises(Resource, BTreeSet<String>),
    /// Sees which autoscalers set the numbers of pods.
    Autoscalers,
    /// Has autoscalers follow the live slot.
    FollowedAutoscalers(BTreeSet<String>),
    /// Switches the sync of Applications of Argo CD. They have a namespace of their own, and so has this Role.
    Applications(BTreeSet<String>),
    /// Suspends Kustomizations of Flux, in their namespace.
    Kustomizations(BTreeSet<String>),
    /// Suspends HelmReleases of Flux, in their namespace.
    HelmReleases(BTreeSet<String>),
    /// Asks GitRepositories of Flux to fetch, in their namespace.
    GitRepositories(BTreeSet<String>),
    /// Sees which disruptions pods may suffer.
    DisruptionBudgets,
    /// Keeps hashes of ConfigMaps in snapshots.
    ConfigMaps,
    /// Keeps hashes of Secrets in snapshots. It can read every Secret of the namespace, so leave it out if you can.
    Secrets,
    /// Keeps copies of ConfigMaps, and puts contents back from them.
    ConfigMapCopies,
    /// Keeps copies of Secrets, and puts contents back from them. It can write every Secret of the namespace.
    SecretCopies,
    /// Elects a leader and claims targets by Leases.
    Leases(BTreeSet<String>),
}

/// A kind of objects as a Role names it, such as the `virtualservices` of `networking.istio.io`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resource {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The resource, in the plural.
    pub name: &'static str,
}

/// A rule of a Role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// The API group; empty for the core group.
    pub api_groups: [&'static str; 1],
    /// The resource.
    pub resources: [&'static str; 1],
    /// The names of the objects; every name when empty.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub resource_names: BTreeSet<String>,
    /// What may be done.
    pub verbs: Vec<&'static str>,
}

/// Whom a Role is given to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Returns the rules that the features need, no others, in a fixed order.
#[must_use]
pub fn rules(features: &BTreeSet<Feature>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for rule in features.iter().flat_map(Feature::rules).flatten() {
        let same = rules.iter_mut().find(|known| {
            (known.resources, &known.verbs, known.resource_names.is_empty())
                == (rule.resources, &rule.verbs, rule.resource_names.is_empty())
        });
        match same {
            Some(known) => known.resource_names.extend(rule.resource_names),
            None => rules.push(rule),
        }
    }
    rules
}

/// Returns the Role of a namespace that allows the features.
#[must_use]
pub fn role(namespace: &str, name: &str, features: &BTreeSet<Feature>) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"namespace": namespace, "name": name},
        "rules": rules(features),
    })
}

/// Returns what gives the Role of that name to a service account.
#[must_use]
pub fn role_binding(namespace: &str, name: &str, account: &ServiceAccount) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"namespace": namespace, "name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "namespace": account.namespace, "name": account.name}],
    })
}

/// Returns manifests as one YAML stream, to be read by people and applied by kubectl.
#[must_use]
pub fn yaml(manifests: &[Value]) -> String {
    let documents = manifests.iter().map(|manifest| {
        let mut text = String::new();
        block(manifest, 0, &mut text);
        text
    });
    documents.collect::<Vec<_>>().join("---\n")
}

impl Feature {
    fn rules(&self) -> Vec<Option<Rule>> {
        match self {
            Self::Deployments(names) => vec![
                named("apps", "deployments", names, &["get", "patch"]),
                all("apps", "deployments", &["list", "watch"]),
                all("", "pods", &["get", "list", "watch"]),
            ],
            Self::StatefulSets(names) => in_place("statefulsets", names),
            Self::DaemonSets(names) => in_place("daemonsets", names),
            Self::Adoption => vec![all("apps", "deployments", &["create"])],
            Self::Services(names) => vec![named("", "services", names, &["get", "patch"])],
            Self::Selectors(names) => vec![named("", "services", names, &["get"])],
            Self::Endpoints => vec![all("discovery.k8s.io", "endpointslices", &["list"])],
            Self::ReplicaSets => vec![all("apps", "replicasets", &["list"])],
            Self::Routes(of, names) => vec![named(of.group, of.name, names, &["get", "patch"])],
            Self::Premises(of, names) => vec![named(of.group, of.name, names, &["get"])],
            Self::Autoscalers => vec![all("autoscaling", "horizontalpodautoscalers", &["list"])],
            Self::FollowedAutoscalers(names) => {
                vec![named("autoscaling", "horizontalpodautoscalers", names, &["get", "patch"])]
            }
            Self::Applications(names) => vec![named("argoproj.io", "applications", names, &["get", "patch"])],
            Self::Kustomizations(names) => {
                vec![named("kustomize.toolkit.fluxcd.io", "kustomizations", names, &["get", "patch"])]
            }
            Self::HelmReleases(names) => {
                vec![named("helm.toolkit.fluxcd.io", "helmreleases", names, &["get", "patch"])]
            }
            Self::GitRepositories(names) => {
                vec![named("source.toolkit.fluxcd.io", "gitrepositories", names, &["get", "patch"])]
            }
            Self::DisruptionBudgets => vec![all("policy", "poddisruptionbudgets", &["list"])],
            Self::ConfigMaps => vec![all("", "configmaps", &["get"])],
            Self::Secrets => vec![all("", "secrets", &["get"])],
            Self::ConfigMapCopies => vec![all("", "configmaps", &["create", "delete", "list", "patch"])],
            Self::SecretCopies => vec![all("", "secrets", &["create", "delete", "list", "patch"])],
            Self::Leases(names) => vec![
                all("coordination.k8s.io", "leases", &["create"]),
                named("coordination.k8s.io", "leases", names, &["get", "patch"]),
            ],
        }
    }
}

/// Pods are found by their labels, so deleting and touching them cannot be narrowed to names.
fn in_place(resource: &'static str, names: &BTreeSet<String>) -> Vec<Option<Rule>> {
    vec![
        named("apps", resource, names, &["get", "patch"]),
        all("apps", resource, &["list", "watch"]),
        all("", "pods", &["get", "list", "watch"]),
        all("", "pods", &["delete", "patch"]),
    ]
}

fn all(group: &'static str, resource: &'static str, verbs: &[&'static str]) -> Option<Rule> {
    let (resource_names, verbs) = (BTreeSet::new(), verbs.to_vec());
    Some(Rule { api_groups: [group], resources: [resource], resource_names, verbs })
}

/// No rule without a name: the server would take it for one about every object.
fn named(
    group: &'static str,
    resource: &'static str,
    names: &BTreeSet<String>,
    verbs: &[&'static str],
) -> Option<Rule> {
    let rule = all(group, resource, verbs).filter(|_| !names.is_empty())?;
    Some(Rule { resource_names: names.clone(), ..rule })
}

/// Writes objects over several lines and lists of scalars on one. Scalars are written as JSON, which YAML takes.
fn block(value: &Value, depth: usize, text: &mut String) {
    let Value::Object(fields) = value else {
        text.push_str(&format!("{value}\n"));
        return;
    };
    for (position, (name, value)) in fields.iter().enumerate() {
        if position > 0 {
            text.push_str(&"  ".repeat(depth));
        }
        text.push_str(&format!("{name}:"));
        match value {
            Value::Array(elements) if elements.iter().any(Value::is_object) => {
                text.push('\n');
                for element in elements {
                    text.push_str(&format!("{}- ", "  ".repeat(depth)));
                    block(element, depth + 1, text);
                }
            }
            Value::Object(_) => {
                text.push_str(&format!("\n{}", "  ".repeat(depth + 1)));
                block(value, depth + 1, text);
            }
            scalar => text.push_str(&format!(" {scalar}\n")),
        }
    }
}

#[cfg(test)]
#[path = "rights_tests.rs"]
mod tests;
