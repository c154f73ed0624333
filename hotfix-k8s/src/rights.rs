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
    /// Makes the copy of a Deployment that is the second slot.
    Adoption,
    /// Switches the selector of Services.
    Services(BTreeSet<String>),
    /// Reads by which labels Services select.
    Selectors(BTreeSet<String>),
    /// Sees when the traffic of a Service has left a slot.
    Endpoints,
    /// Sees by which hash the pods of a slot are known.
    ReplicaSets,
    /// Splits by VirtualServices of Istio.
    VirtualServices(BTreeSet<String>),
    /// Splits by HTTPRoutes of the Gateway API.
    HttpRoutes(BTreeSet<String>),
    /// Splits by canary Ingresses of the NGINX ingress controller.
    Ingresses(BTreeSet<String>),
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
            Self::Adoption => vec![all("apps", "deployments", &["create"])],
            Self::Services(names) => vec![named("", "services", names, &["get", "patch"])],
            Self::Selectors(names) => vec![named("", "services", names, &["get"])],
            Self::Endpoints => vec![all("discovery.k8s.io", "endpointslices", &["list"])],
            Self::ReplicaSets => vec![all("apps", "replicasets", &["list"])],
            Self::VirtualServices(names) => {
                vec![named("networking.istio.io", "virtualservices", names, &["get", "patch"])]
            }
            Self::HttpRoutes(names) => {
                vec![named("gateway.networking.k8s.io", "httproutes", names, &["get", "patch"])]
            }
            Self::Ingresses(names) => vec![named("networking.k8s.io", "ingresses", names, &["get", "patch"])],
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
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_manifest_says_what_is_needed_and_nothing_more() {
        let features = BTreeSet::from([
            Feature::Deployments(names(&["shop", "shop-hotfix"])),
            Feature::Services(names(&["shop"])),
            Feature::Leases(names(&["hotfix"])),
        ]);
        let account = ServiceAccount { namespace: "platform".to_owned(), name: "releaser".to_owned() };
        let text = yaml(&[role("prod", "hotfix", &features), role_binding("prod", "hotfix", &account)]);
        assert_eq!(
            text,
            r#"apiVersion: "rbac.authorization.k8s.io/v1"
kind: "Role"
metadata:
  name: "hotfix"
  namespace: "prod"
rules:
- apiGroups: ["apps"]
  resourceNames: ["shop","shop-hotfix"]
  resources: ["deployments"]
  verbs: ["get","patch"]
- apiGroups: ["apps"]
  resources: ["deployments"]
  verbs: ["list","watch"]
- apiGroups: [""]
  resources: ["pods"]
  verbs: ["get","list","watch"]
- apiGroups: [""]
  resourceNames: ["shop"]
  resources: ["services"]
  verbs: ["get","patch"]
- apiGroups: ["coordination.k8s.io"]
  resources: ["leases"]
  verbs: ["create"]
- apiGroups: ["coordination.k8s.io"]
  resourceNames: ["hotfix"]
  resources: ["leases"]
  verbs: ["get","patch"]
---
apiVersion: "rbac.authorization.k8s.io/v1"
kind: "RoleBinding"
metadata:
  name: "hotfix"
  namespace: "prod"
roleRef:
  apiGroup: "rbac.authorization.k8s.io"
  kind: "Role"
  name: "hotfix"
subjects:
- kind: "ServiceAccount"
  name: "releaser"
  namespace: "platform"
"#
        );
    }

    /// Each feature by itself: `group/resource[names]: verbs`.
    #[test]
    fn every_feature_has_its_rules() {
        let shop = || names(&["shop"]);
        let cases = [
            (
                Feature::Deployments(shop()),
                vec![
                    "apps/deployments[shop]: get patch",
                    "apps/deployments: list watch",
                    "/pods: get list watch",
                ],
            ),
            (Feature::Adoption, vec!["apps/deployments: create"]),
            (Feature::Services(shop()), vec!["/services[shop]: get patch"]),
            (Feature::Endpoints, vec!["discovery.k8s.io/endpointslices: list"]),
            (Feature::ReplicaSets, vec!["apps/replicasets: list"]),
            (Feature::VirtualServices(shop()), vec!["networking.istio.io/virtualservices[shop]: get patch"]),
            (Feature::HttpRoutes(shop()), vec!["gateway.networking.k8s.io/httproutes[shop]: get patch"]),
            (Feature::Ingresses(shop()), vec!["networking.k8s.io/ingresses[shop]: get patch"]),
            (
                Feature::FollowedAutoscalers(shop()),
                vec!["autoscaling/horizontalpodautoscalers[shop]: get patch"],
            ),
            (Feature::Applications(shop()), vec!["argoproj.io/applications[shop]: get patch"]),
            (
                Feature::Kustomizations(shop()),
                vec!["kustomize.toolkit.fluxcd.io/kustomizations[shop]: get patch"],
            ),
            (Feature::HelmReleases(shop()), vec!["helm.toolkit.fluxcd.io/helmreleases[shop]: get patch"]),
            (Feature::Autoscalers, vec!["autoscaling/horizontalpodautoscalers: list"]),
            (Feature::DisruptionBudgets, vec!["policy/poddisruptionbudgets: list"]),
            (Feature::ConfigMaps, vec!["/configmaps: get"]),
            (Feature::Secrets, vec!["/secrets: get"]),
            (Feature::ConfigMapCopies, vec!["/configmaps: create delete list patch"]),
            (Feature::SecretCopies, vec!["/secrets: create delete list patch"]),
            (
                Feature::Leases(shop()),
                vec!["coordination.k8s.io/leases: create", "coordination.k8s.io/leases[shop]: get patch"],
            ),
        ];
        for (feature, expected) in cases {
            let shown = rules(&BTreeSet::from([feature])).iter().map(shown).collect::<Vec<_>>();
            assert_eq!(shown, expected);
        }
    }

    fn shown(rule: &Rule) -> String {
        let names = rule.resource_names.iter().map(String::as_str).collect::<Vec<_>>().join(",");
        let names = if names.is_empty() { names } else { format!("[{names}]") };
        format!("{}/{}{names}: {}", rule.api_groups[0], rule.resources[0], rule.verbs.join(" "))
    }

    #[test]
    fn targets_of_one_namespace_share_their_rules() {
        let both = BTreeSet::from([Feature::Services(names(&["a"])), Feature::Services(names(&["b"]))]);
        assert_eq!(rules(&both).iter().map(shown).collect::<Vec<_>>(), ["/services[a,b]: get patch"]);
    }

    #[test]
    fn no_name_allows_nothing() {
        assert_eq!(rules(&BTreeSet::from([Feature::Services(BTreeSet::new())])), []);
    }

    mod cluster {
        use hotfix_testkit::cluster::TestCluster;
        use k8s_openapi::api::coordination::v1::Lease;
        use k8s_openapi::api::core::v1::{Secret, Service};
        use k8s_openapi::api::rbac::v1::PolicyRule;
        use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
        use kube::{Api, Client};

        use super::*;

        /// A real server lets the holder of a Role do what the features do to the objects that were named, and no more.
        #[tokio::test]
        async fn a_role_is_enough_and_not_more_than_that() {
            let cluster = TestCluster::shared().await.unwrap();
            let namespace = cluster.namespace("rights").await.unwrap();
            let features =
                BTreeSet::from([Feature::Services(names(&["shop"])), Feature::Leases(names(&["shop"]))]);
            let granted: Vec<PolicyRule> =
                serde_json::from_value(serde_json::to_value(rules(&features)).unwrap()).unwrap();
            let user = cluster.user(&namespace, "releaser", &granted).await.unwrap();
            let (user, admin) = (Client::try_from(user).unwrap(), cluster.client().unwrap());
            let services = |client: &Client| Api::<Service>::namespaced(client.clone(), &namespace);
            for name in ["shop", "other"] {
                let service = json!({"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}});
                let service = serde_json::from_value(service).unwrap();
                services(&admin).create(&PostParams::default(), &service).await.unwrap();
            }
            let (services, leases) = (services(&user), Api::<Lease>::namespaced(user.clone(), &namespace));
            let change = Patch::Merge(json!({"metadata": {"annotations": {"a": "b"}}}));
            let (patch, list) = (PatchParams::default(), ListParams::default());
            let lease = |name: &str| serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
            let code = |error: Option<kube::Error>| match error {
                None => 200,
                Some(kube::Error::Api(status)) => status.code,
                Some(other) => panic!("{other}"),
            };
            let answers = [
                code(services.get("shop").await.err()),
                code(services.patch("shop", &patch, &change).await.err()),
                code(leases.create(&PostParams::default(), &lease("shop")).await.err()),
                code(leases.patch("shop", &patch, &change).await.err()),
                code(services.get("other").await.err()),
                code(services.patch("other", &patch, &change).await.err()),
                code(services.list(&list).await.err()),
                code(services.delete("shop", &DeleteParams::default()).await.err()),
                code(leases.get("other").await.err()),
                code(Api::<Secret>::namespaced(user, &namespace).list(&list).await.err()),
            ];
            assert_eq!(answers, [200, 200, 200, 200, 403, 403, 403, 403, 403, 403]);
        }
    }
}
