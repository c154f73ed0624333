//! What a target takes, in the words of [`crate::rights`].

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Copies, Fingerprints, TargetConfig, Traffic};
use crate::rights::Feature;
use crate::shape::Names;
use crate::sync::SyncOwner;

impl TargetConfig {
    /// Returns what a deployer does to this target, to make the Role with the least rights of. Adopting it takes
    /// [`Feature::Adoption`] beside.
    #[must_use]
    pub fn features(&self) -> BTreeSet<Feature> {
        let names = Names::of(self);
        let deployments = [names.main.name, names.hotfix.name].into();
        let mut features = BTreeSet::from([
            Feature::Deployments(deployments),
            Feature::Autoscalers,
            Feature::DisruptionBudgets,
        ]);
        features
            .extend(names.autoscaler.map(|followed| Feature::FollowedAutoscalers([followed.name].into())));
        let (service, route) = ([names.service.name].into(), [names.route.name].into());
        features.insert(Feature::Endpoints);
        features.extend(match self.traffic {
            Traffic::Service => vec![Feature::Services(service)],
            Traffic::Replicas(_) => vec![Feature::Services(service), Feature::ReplicaSets],
            Traffic::VirtualService(_) => vec![Feature::Selectors(service), Feature::VirtualServices(route)],
            Traffic::HttpRoute(_) => vec![Feature::Selectors(service), Feature::HttpRoutes(route)],
            Traffic::Ingress(_) => vec![Feature::Selectors(service), Feature::Ingresses(route)],
        });
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

    /// Returns what a deployer does to the owners whose sync is paused, by their namespaces: each takes a Role there.
    #[must_use]
    pub fn owner_features(&self) -> BTreeMap<String, BTreeSet<Feature>> {
        let mut features: BTreeMap<String, BTreeSet<Feature>> = BTreeMap::new();
        for owner in self.on_gitops.named() {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ReplicasTraffic;

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
        expected.insert(Feature::ReplicaSets);
        let shared = TargetConfig { traffic: Traffic::Replicas(ReplicasTraffic::default()), ..all.clone() };
        assert_eq!(shared.features(), expected);
        expected.remove(&Feature::ReplicaSets);
        expected.extend([Feature::ConfigMapCopies, Feature::SecretCopies]);
        let copied = TargetConfig { copies: Copies::ConfigMapsAndSecrets, ..all };
        assert_eq!(copied.features(), expected);
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
