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
    let of = |group, name| Resource { group, name };
    let cases = [
        (
            Feature::Deployments(shop()),
            vec![
                "apps/deployments[shop]: get patch",
                "apps/deployments: list watch",
                "/pods: get list watch",
            ],
        ),
        (
            Feature::StatefulSets(shop()),
            vec![
                "apps/statefulsets[shop]: get patch",
                "apps/statefulsets: list watch",
                "/pods: get list watch",
                "/pods: delete patch",
            ],
        ),
        (
            Feature::DaemonSets(shop()),
            vec![
                "apps/daemonsets[shop]: get patch",
                "apps/daemonsets: list watch",
                "/pods: get list watch",
                "/pods: delete patch",
            ],
        ),
        (Feature::Adoption, vec!["apps/deployments: create"]),
        (Feature::Services(shop()), vec!["/services[shop]: get patch"]),
        (Feature::Endpoints, vec!["discovery.k8s.io/endpointslices: list"]),
        (
            Feature::Routes(of("networking.istio.io", "virtualservices"), shop()),
            vec!["networking.istio.io/virtualservices[shop]: get patch"],
        ),
        (
            Feature::Premises(of("networking.istio.io", "destinationrules"), shop()),
            vec!["networking.istio.io/destinationrules[shop]: get"],
        ),
        (
            Feature::Routes(of("gateway.networking.k8s.io", "httproutes"), shop()),
            vec!["gateway.networking.k8s.io/httproutes[shop]: get patch"],
        ),
        (
            Feature::Routes(of("networking.k8s.io", "ingresses"), shop()),
            vec!["networking.k8s.io/ingresses[shop]: get patch"],
        ),
        (Feature::FollowedAutoscalers(shop()), vec!["autoscaling/horizontalpodautoscalers[shop]: get patch"]),
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
        (Feature::ReplicaSets, vec!["apps/replicasets: list"]),
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
