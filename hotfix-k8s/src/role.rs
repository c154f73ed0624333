//! The least rights that a target takes, as the Role that grants them.

use k8s_openapi::api::rbac::v1::{PolicyRule, Role};
use kube::core::ObjectMeta;

use crate::config::{Fingerprints, TargetConfig};
use crate::shape::Names;

/// What rights are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// Adopting the target, once.
    Adopt,
    /// Everything else.
    Run,
}

impl TargetConfig {
    /// Returns the Role that grants what this target takes and nothing else. Changes are granted on the named objects
    /// only; watching and creating cannot be granted by name.
    #[must_use]
    pub fn role(&self, name: &str, purpose: Purpose) -> Role {
        let metadata = ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(self.namespace.clone()),
            ..ObjectMeta::default()
        };
        Role { metadata, rules: Some(self.rules(purpose)) }
    }

    fn rules(&self, purpose: Purpose) -> Vec<PolicyRule> {
        let names = Names::of(self);
        let deployments = [names.main.name.as_str(), &names.hotfix.name];
        let mut rules = vec![
            rule("apps", "deployments", &["get", "patch"], &deployments),
            rule("", "pods", &["list", "watch"], &[]),
            rule("autoscaling", "horizontalpodautoscalers", &["list"], &[]),
        ];
        let is_route = names.route == names.service;
        let service = if is_route { &["get", "patch"][..] } else { &["get"] };
        rules.push(rule("", "services", service, &[&names.service.name]));
        if !is_route {
            let group = names.route.api_version.split_once('/').map_or("", |(group, _)| group);
            rules.push(rule(group, &names.route.plural(), &["get", "patch"], &[&names.route.name]));
        }
        match purpose {
            Purpose::Adopt => rules.push(rule("apps", "deployments", &["create"], &[])),
            Purpose::Run => {
                rules.push(rule("apps", "deployments", &["list", "watch"], &[]));
                rules.push(rule("discovery.k8s.io", "endpointslices", &["list"], &[]));
                match self.fingerprints {
                    Fingerprints::Nothing => {}
                    Fingerprints::ConfigMaps => rules.push(rule("", "configmaps", &["get"], &[])),
                    Fingerprints::ConfigMapsAndSecrets => {
                        rules.push(rule("", "configmaps", &["get"], &[]));
                        rules.push(rule("", "secrets", &["get"], &[]));
                    }
                }
            }
        }
        rules
    }
}

fn rule(group: &str, resource: &str, verbs: &[&str], names: &[&str]) -> PolicyRule {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(vec![resource.to_owned()]),
        resource_names: (!names.is_empty()).then(|| owned(names)),
        verbs: owned(verbs),
        ..PolicyRule::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(config: &TargetConfig, purpose: Purpose) -> Vec<String> {
        let rules = config.role("hotfix", purpose).rules.unwrap_or_default();
        let line = |rule: &PolicyRule| {
            let resource = rule.resources.clone().unwrap_or_default().join(",");
            let names = rule.resource_names.clone().unwrap_or_default().join(",");
            format!("{resource} {names}: {}", rule.verbs.join(","))
        };
        rules.iter().map(line).collect()
    }

    #[test]
    fn changes_are_granted_by_name() {
        let config = TargetConfig {
            namespace: "prod".to_owned(),
            deployment: "shop".to_owned(),
            fingerprints: Fingerprints::Nothing,
            ..TargetConfig::default()
        };
        let common = [
            "deployments shop,shop-hotfix: get,patch",
            "pods : list,watch",
            "horizontalpodautoscalers : list",
            "services shop: get,patch",
        ];
        let adopt = ["deployments : create"];
        assert_eq!(lines(&config, Purpose::Adopt), [&common[..], &adopt].concat());
        let run = ["deployments : list,watch", "endpointslices : list"];
        assert_eq!(lines(&config, Purpose::Run), [&common[..], &run].concat());
        let all = TargetConfig { fingerprints: Fingerprints::ConfigMapsAndSecrets, ..config };
        assert_eq!(lines(&all, Purpose::Run)[6..], ["configmaps : get", "secrets : get"]);
    }
}
