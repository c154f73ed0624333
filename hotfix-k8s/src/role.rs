//! What a target takes, in the words of [`crate::rights`].

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Copies, Fingerprints, TargetConfig, WorkloadKind};
use crate::rights::Feature;
use crate::shape::Names;
use crate::sync::SyncOwner;

impl TargetConfig {
    /// Returns what a deployer does to this target, to make the Role with the least rights of. Adopting a Deployment takes
    /// [`Feature::Adoption`] beside.
    #[must_use]
    pub fn features(&self) -> BTreeSet<Feature> {
        let names = Names::of(self);
        let mut features = BTreeSet::from([Feature::Autoscalers, Feature::DisruptionBudgets]);
        features.extend(
            names.autoscaler.clone().map(|followed| Feature::FollowedAutoscalers([followed.name].into())),
        );
        match self.workload {
            WorkloadKind::Deployment if self.on_gitops.in_git().is_some() => {
                return BTreeSet::from([
                    Feature::Deployments([names.main.name].into()),
                    Feature::Autoscalers,
                ]);
            }
            WorkloadKind::Deployment => features.extend(self.of_two_deployments(names)),
            WorkloadKind::StatefulSet => features.extend([Feature::StatefulSets([names.main.name].into())]),
            WorkloadKind::DaemonSet => features.extend([Feature::DaemonSets([names.main.name].into())]),
        }
        match self.fingerprints {
            Fingerprints::Nothing => {}
            Fingerprints::ConfigMaps => features.extend([Feature::ConfigMaps]),
            Fingerprints::ConfigMapsAndSecrets => features.extend([Feature::ConfigMaps, Feature::Secrets]),
        }
        match self.copies {
            Copies::Nothing => {}
            Copies::ConfigMaps => features.extend([Feature::ConfigMapCopies]),
            Copies::ConfigMapsAndSecrets => {
                features.extend([Feature::ConfigMapCopies, Feature::SecretCopies])
            }
        }
        features
    }

    /// Returns what a deployer does to the owners whose sync is paused, or who are asked to look at git, by their
    /// namespaces: each takes a Role there. A Kustomization's GitRepository takes [`Feature::GitRepositories`] beside.
    #[must_use]
    pub fn owner_features(&self) -> BTreeMap<String, BTreeSet<Feature>> {
        let mut features: BTreeMap<String, BTreeSet<Feature>> = BTreeMap::new();
        for owner in self.on_gitops.owners() {
            let (namespace, feature) = match owner.clone() {
                SyncOwner::ArgoCd { namespace, name } => (namespace, Feature::Applications([name].into())),
                SyncOwner::FluxKustomization { namespace, name } => {
                    (namespace, Feature::Kustomizations([name].into()))
                }
                SyncOwner::FluxHelmRelease { namespace, name } => {
                    (namespace, Feature::HelmReleases([name].into()))
                }
            };
            features.entry(namespace).or_default().insert(feature);
        }
        features
    }

    fn of_two_deployments(&self, names: Names) -> Vec<Feature> {
        let deployments = Feature::Deployments([names.main.name, names.hotfix.name].into());
        let backend = self.traffic.backend();
        let mut features = vec![deployments, Feature::Endpoints];
        match backend.route() {
            None => features.push(Feature::Services([names.service.name].into())),
            Some(route) => {
                let services = [Some(names.service.clone()), self.service_of_copy()].into_iter().flatten();
                features.push(Feature::Selectors(services.map(|service| service.name).collect()));
                features.push(Feature::Routes(route.kind.resource(), [names.route.name].into()));
                features.extend(backend.premise(&names.service).map(|premise| {
                    let (kind, object) = premise.object();
                    Feature::Premises(kind.resource(), [object.name].into())
                }));
            }
        }
        features.extend(backend.features());
        features
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ReplicasTraffic, Traffic};
    use crate::rights::Resource;

    fn istio(name: &'static str) -> Resource {
        Resource { group: "networking.istio.io", name }
    }

    #[test]
    fn a_target_takes_what_its_configuration_asks_for() {
        let config = TargetConfig {
            namespace: "prod".to_owned(),
            deployment: "shop".to_owned(),
            fingerprints: Fingerprints::Nothing,
            ..TargetConfig::default()
        };
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let mut expected = BTreeSet::from([
            Feature::Deployments(names(&["shop", "shop-hotfix"])),
            Feature::Services(names(&["shop"])),
            Feature::Endpoints,
            Feature::Autoscalers,
            Feature::DisruptionBudgets,
        ]);
        assert_eq!(config.features(), expected);
        expected.extend([Feature::ConfigMaps, Feature::Secrets]);
        let all = TargetConfig { fingerprints: Fingerprints::ConfigMapsAndSecrets, ..config };
        assert_eq!(all.features(), expected);

        let set = TargetConfig { workload: WorkloadKind::StatefulSet, ..all.clone() };
        let set = TargetConfig { fingerprints: Fingerprints::Nothing, ..set };
        let of_set = BTreeSet::from([
            Feature::StatefulSets(names(&["shop"])),
            Feature::Autoscalers,
            Feature::DisruptionBudgets,
        ]);
        assert_eq!(set.features(), of_set);
        expected.insert(Feature::ReplicaSets);
        let shared = TargetConfig { traffic: Traffic::Replicas(ReplicasTraffic::default()), ..all.clone() };
        assert_eq!(shared.features(), expected);
        expected.remove(&Feature::ReplicaSets);
        expected.extend([Feature::ConfigMapCopies, Feature::SecretCopies]);
        let copied = TargetConfig { copies: Copies::ConfigMapsAndSecrets, ..all };
        assert_eq!(copied.features(), expected);
    }

    #[test]
    fn subsets_take_the_reading_of_their_rule() {
        let traffic = r#"{"virtual_service": {"destinations": {"subsets": {"main": "a", "hotfix": "b", "rule": "tracks"}}}}"#;
        let config = TargetConfig {
            deployment: "shop".to_owned(),
            fingerprints: Fingerprints::Nothing,
            traffic: serde_json::from_str(traffic).unwrap(),
            ..TargetConfig::default()
        };
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let expected = BTreeSet::from([
            Feature::Deployments(names(&["shop", "shop-hotfix"])),
            Feature::Selectors(names(&["shop"])),
            Feature::Routes(istio("virtualservices"), names(&["shop"])),
            Feature::Premises(istio("destinationrules"), names(&["tracks"])),
            Feature::Endpoints,
            Feature::Autoscalers,
            Feature::DisruptionBudgets,
        ]);
        assert_eq!(config.features(), expected);
    }

    #[test]
    fn a_route_takes_the_services_of_both_slots() {
        let selectors = |traffic: &str| {
            let traffic = serde_json::from_str(traffic).unwrap();
            let config = TargetConfig { deployment: "shop".to_owned(), traffic, ..TargetConfig::default() };
            let features = config.features().into_iter();
            features.filter(|feature| matches!(feature, Feature::Selectors(_))).collect::<Vec<_>>()
        };
        let names = |names: &[&str]| Feature::Selectors(names.iter().map(|&name| name.to_owned()).collect());
        let subsets = r#"{"virtual_service": {"destinations": {"subsets": {"main": "a", "hotfix": "b"}}}}"#;
        for (traffic, expected) in [
            (r#"{"virtual_service": {}}"#, names(&["shop", "shop-hotfix"])),
            (subsets, names(&["shop"])),
            (r#"{"http_route": {"hotfix": "spare"}}"#, names(&["shop", "spare"])),
            (r#"{"ingress": {}}"#, names(&["shop", "shop-hotfix"])),
            (r#"{"traefik_service": {"hotfix": "spare"}}"#, names(&["shop", "spare"])),
        ] {
            assert_eq!(selectors(traffic), [expected], "{traffic}");
        }
    }

    #[test]
    fn what_is_written_in_git_takes_the_deployment_and_its_owners_alone() {
        let git = r#"{"git": {
            "owners": [{"flux_kustomization": {"name": "apps"}}], "repository": "fleet", "service": "shop",
            "branch": "main", "file": "shop.yaml", "image": {"kustomization": {"name": "shop/web"}}
        }}"#;
        let config = TargetConfig {
            deployment: "shop".to_owned(),
            on_gitops: serde_json::from_str(git).unwrap(),
            ..TargetConfig::default()
        };
        let one = |name: &str| BTreeSet::from([name.to_owned()]);
        let expected = BTreeSet::from([Feature::Deployments(one("shop")), Feature::Autoscalers]);
        assert_eq!(config.features(), expected);
        let owners = [("flux-system".to_owned(), [Feature::Kustomizations(one("apps"))].into())];
        assert_eq!(config.owner_features(), owners.into());
    }

    #[test]
    fn owners_take_rights_where_they_are() {
        let owners = r#"{"pause": [
            {"argo_cd": {"name": "shop"}}, {"argo_cd": {"name": "base"}},
            {"flux_helm_release": {"namespace": "prod", "name": "shop"}}
        ]}"#;
        let config =
            TargetConfig { on_gitops: serde_json::from_str(owners).unwrap(), ..TargetConfig::default() };
        let one = |name: &str| BTreeSet::from([name.to_owned()]);
        let argo = [Feature::Applications(one("shop")), Feature::Applications(one("base"))];
        let expected = [
            ("argocd".to_owned(), argo.into()),
            ("prod".to_owned(), [Feature::HelmReleases(one("shop"))].into()),
        ];
        assert_eq!(config.owner_features(), expected.into());
        assert_eq!(TargetConfig::default().owner_features(), BTreeMap::new());
    }
}
