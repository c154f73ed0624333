//! What a target takes, in the words of [`crate::rights`].

use std::collections::BTreeSet;

use crate::config::{Fingerprints, TargetConfig, Traffic};
use crate::rights::Feature;
use crate::shape::Names;

impl TargetConfig {
    /// Returns what a deployer does to this target, to make the Role with the least rights of. Adopting it takes
    /// [`Feature::Adoption`] beside.
    #[must_use]
    pub fn features(&self) -> BTreeSet<Feature> {
        let names = Names::of(self);
        let deployments = [names.main.name, names.hotfix.name].into();
        let mut features = BTreeSet::from([Feature::Deployments(deployments), Feature::Autoscalers]);
        let (service, route) = ([names.service.name].into(), [names.route.name].into());
        features.extend(match self.traffic {
            Traffic::Service => vec![Feature::Services(service), Feature::Endpoints],
            Traffic::Replicas(_) => {
                vec![Feature::Services(service), Feature::Endpoints, Feature::ReplicaSets]
            }
            Traffic::VirtualService(_) => vec![Feature::Selectors(service), Feature::VirtualServices(route)],
            Traffic::HttpRoute(_) => vec![Feature::Selectors(service), Feature::HttpRoutes(route)],
            Traffic::Ingress(_) => vec![Feature::Selectors(service), Feature::Ingresses(route)],
        });
        if self.traffic.testers().is_some() {
            features.insert(Feature::Endpoints);
        }
        match self.fingerprints {
            Fingerprints::Nothing => {}
            Fingerprints::ConfigMaps => features.extend([Feature::ConfigMaps]),
            Fingerprints::ConfigMapsAndSecrets => features.extend([Feature::ConfigMaps, Feature::Secrets]),
        }
        features
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ReplicasTraffic, Testers, VirtualServiceTraffic};

    #[test]
    fn testers_take_a_look_at_endpoints() {
        let mut mesh = VirtualServiceTraffic::default();
        let features = |mesh: &VirtualServiceTraffic| {
            let traffic = Traffic::VirtualService(mesh.clone());
            TargetConfig { traffic, ..TargetConfig::default() }.features()
        };
        assert!(!features(&mesh).contains(&Feature::Endpoints));
        mesh.testers = Testers::new("x-hotfix", "1").ok();
        assert!(features(&mesh).contains(&Feature::Endpoints));
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
        ]);
        assert_eq!(config.features(), expected);
        expected.extend([Feature::ConfigMaps, Feature::Secrets]);
        let all = TargetConfig { fingerprints: Fingerprints::ConfigMapsAndSecrets, ..config };
        assert_eq!(all.features(), expected);
        expected.insert(Feature::ReplicaSets);
        let shared = TargetConfig { traffic: Traffic::Replicas(ReplicasTraffic::default()), ..all };
        assert_eq!(shared.features(), expected);
    }
}
