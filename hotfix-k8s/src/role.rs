//! What a target takes, in the words of [`crate::rights`].

use std::collections::BTreeSet;

use crate::config::{Fingerprints, TargetConfig, Traffic, WorkloadKind};
use crate::rights::Feature;
use crate::shape::Names;

impl TargetConfig {
    /// Returns what a deployer does to this target, to make the Role with the least rights of. Adopting a Deployment takes
    /// [`Feature::Adoption`] beside.
    #[must_use]
    pub fn features(&self) -> BTreeSet<Feature> {
        let names = Names::of(self);
        let mut features = BTreeSet::from([Feature::Autoscalers]);
        match self.workload {
            WorkloadKind::Deployment => features.extend(self.of_two_deployments(names)),
            WorkloadKind::StatefulSet => features.extend([Feature::StatefulSets([names.main.name].into())]),
            WorkloadKind::DaemonSet => features.extend([Feature::DaemonSets([names.main.name].into())]),
        }
        match self.fingerprints {
            Fingerprints::Nothing => {}
            Fingerprints::ConfigMaps => features.extend([Feature::ConfigMaps]),
            Fingerprints::ConfigMapsAndSecrets => features.extend([Feature::ConfigMaps, Feature::Secrets]),
        }
        features
    }

    fn of_two_deployments(&self, names: Names) -> [Feature; 3] {
        let deployments = Feature::Deployments([names.main.name, names.hotfix.name].into());
        let (service, route) = ([names.service.name].into(), [names.route.name].into());
        match self.traffic {
            Traffic::Service => [deployments, Feature::Services(service), Feature::Endpoints],
            Traffic::VirtualService(_) => {
                [deployments, Feature::Selectors(service), Feature::VirtualServices(route)]
            }
            Traffic::HttpRoute(_) => [deployments, Feature::Selectors(service), Feature::HttpRoutes(route)],
            Traffic::Ingress(_) => [deployments, Feature::Selectors(service), Feature::Ingresses(route)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

        let set = TargetConfig { workload: WorkloadKind::StatefulSet, ..all };
        let set = TargetConfig { fingerprints: Fingerprints::Nothing, ..set };
        let expected = BTreeSet::from([Feature::StatefulSets(names(&["shop"])), Feature::Autoscalers]);
        assert_eq!(set.features(), expected);
    }
}
