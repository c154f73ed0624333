//! Whether the subsets of a DestinationRule are the slots. It is the operator's and only read: a subset that no pod is of
//! would take its share of the requests nowhere, however many pods of the slot are ready.

use serde_json::{Map, Value};

use super::NotUnderstood;
use super::backend::Premise;
use super::cursor::{At, Misfit};
use super::destinations::Service;
use crate::config::{Destinations, VirtualServiceTraffic};
use crate::names;
use crate::object::{Kind, ObjectRef};
use crate::shape::Shape;
use crate::slot::Side;

const RULE: Kind =
    Kind { api_version: "networking.istio.io/v1", name: "DestinationRule", plural: "destinationrules" };

/// What subsets a DestinationRule has to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subsets {
    rule: ObjectRef,
    of: Service,
    main: String,
    hotfix: String,
}

impl VirtualServiceTraffic {
    /// Returns what a target with this Service takes; `None` where its slots are no subsets.
    pub(super) fn subsets(&self, service: &ObjectRef) -> Option<Subsets> {
        let Destinations::Subsets { main, hotfix, rule } = &self.destinations else { return None };
        let (namespace, name) = (service.namespace.clone(), service.name.clone());
        let rule = RULE.object(&namespace, rule.as_deref().unwrap_or(&name));
        let of = Service { namespace, name };
        Some(Subsets { rule, of, main: main.clone(), hotfix: hotfix.clone() })
    }
}

impl Premise for Subsets {
    fn object(&self) -> (Kind, ObjectRef) {
        (RULE, self.rule.clone())
    }

    /// Each subset has the pods of its slot and no others.
    fn check(&self, rule: &Value, main: &Value, shape: &Shape) -> Result<(), NotUnderstood> {
        let checked = self.host(rule).and_then(|spec| {
            Side::BOTH.into_iter().try_for_each(|side| self.subset(&spec, side, main, shape))
        });
        checked.map_err(|misfit| misfit.of(self.rule.clone()))
    }
}

impl Subsets {
    fn host<'a>(&self, rule: &'a Value) -> Result<At<'a>, Misfit> {
        let spec = At::root(rule).need("spec", "give the DestinationRule subsets")?;
        let host = spec.need("host", &format!("name the Service {}", self.of.name))?;
        let named = spec.text("host")?.unwrap_or_default();
        if self.of.is_named(named, &self.rule.namespace) {
            return Ok(spec);
        }
        Err(host.misfit(format!("{named:?} is not the Service {}; name that or another rule", self.of.name)))
    }

    fn subset(&self, spec: &At<'_>, side: Side, main: &Value, shape: &Shape) -> Result<(), Misfit> {
        let name = self.name(side);
        let pair = format!("{}: {}", shape.label, shape.value(side));
        let list = spec.need("subsets", &format!("add a subset {name} with the label {pair}"))?;
        let mut found = None;
        for subset in list.elements()? {
            if subset.text("name")? == Some(name) {
                found.get_or_insert(subset);
            }
        }
        let subset = found
            .ok_or_else(|| list.misfit(format!("has no subset {name}; add it with the label {pair}")))?;
        let labels = subset.need("labels", &format!("give the subset the label {pair}"))?;
        let wanted = labels.value().as_object().cloned().unwrap_or_default();
        if wanted.get(&shape.label).and_then(Value::as_str) != Some(shape.value(side)) {
            let path = labels.pointer_to(&shape.label).to_string();
            let reason = format!("the pods of its slot have {pair}; give the subset that label");
            return Err(Misfit { path, reason });
        }
        others(&labels, &wanted, main, shape)
    }

    fn name(&self, side: Side) -> &str {
        match side {
            Side::Main => &self.main,
            Side::Hotfix => &self.hotfix,
        }
    }
}

/// Every other label of a subset is on all pods of both slots, and stays there when another release is staged.
fn others(labels: &At<'_>, wanted: &Map<String, Value>, main: &Value, shape: &Shape) -> Result<(), Misfit> {
    let template = &main["spec"]["template"]["metadata"]["labels"];
    let stays = |label: &str| !matches!(label, names::ARTIFACT | names::SLOT);
    let mut other = wanted.iter().filter(|(label, _)| **label != shape.label);
    match other.find(|(label, value)| !stays(label) || template[label.as_str()] != **value) {
        None => Ok(()),
        Some((label, value)) => Err(Misfit {
            path: labels.pointer_to(label).to_string(),
            reason: format!("not every pod of the slot has {label}: {value}; remove it from the subset"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::{TargetConfig, Traffic};

    fn of(config: &TargetConfig) -> Option<Subsets> {
        let Traffic::VirtualService(mesh) = &config.traffic else { return None };
        mesh.subsets(&ObjectRef::service("prod", "shop"))
    }

    fn config() -> TargetConfig {
        let traffic =
            r#"{"virtual_service": {"destinations": {"subsets": {"main": "old", "hotfix": "new"}}}}"#;
        TargetConfig {
            namespace: "prod".to_owned(),
            deployment: "shop".to_owned(),
            traffic: serde_json::from_str(traffic).unwrap(),
            ..TargetConfig::default()
        }
    }

    fn check(spec: &Value) -> Result<(), String> {
        let labels = json!({"app": "shop", "track": "stable", names::ARTIFACT: "ab"});
        let main = json!({"spec": {
            "selector": {"matchLabels": {"app": "shop", "track": "stable"}},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web"}]}},
        }});
        let service = json!({"spec": {"selector": {"app": "shop"}}});
        let shape = Shape::read(&config(), &main, &service).unwrap();
        let subsets = of(&config()).unwrap();
        subsets.check(&json!({"spec": spec}), &main, &shape).map_err(|error| error.to_string())
    }

    fn subset(name: &str, labels: Value) -> Value {
        json!({"name": name, "labels": labels})
    }

    #[test]
    fn only_subsets_have_a_rule() {
        assert_eq!(VirtualServiceTraffic::default().subsets(&ObjectRef::service("prod", "shop")), None);
        let rule = of(&config()).unwrap().rule;
        assert_eq!(rule.collection(), "/apis/networking.istio.io/v1/namespaces/prod/destinationrules");
        let mut named = config();
        let traffic = r#"{"virtual_service": {"destinations": {"subsets": {"main": "a", "hotfix": "b", "rule": "tracks"}}}}"#;
        named.traffic = serde_json::from_str(traffic).unwrap();
        assert_eq!(of(&named).unwrap().rule.to_string(), "DestinationRule prod/tracks");
    }

    #[test]
    fn subsets_by_the_label_of_the_slots_are_the_slots() {
        let old = subset("old", json!({"track": "stable"}));
        let new = subset("new", json!({"app": "shop", "track": "stable-hotfix"}));
        let other = subset("other", json!({"track": "nightly"}));
        for host in ["shop", "shop.prod", "shop.prod.svc.cluster.local"] {
            assert_eq!(check(&json!({"host": host, "subsets": [other, new, old]})), Ok(()));
        }
    }

    #[test]
    fn subsets_that_are_not_the_slots_are_named_with_the_mend() {
        let old = || subset("old", json!({"track": "stable"}));
        let new = |labels: Value| json!({"host": "shop", "subsets": [old(), subset("new", labels)]});
        let cases = [
            (
                json!({"host": "pay"}),
                "/spec/host: \"pay\" is not the Service shop; name that or another rule",
            ),
            (
                json!({"host": "shop"}),
                "/spec/subsets: is not there; add a subset old with the label track: stable",
            ),
            (
                json!({"host": "shop", "subsets": [old()]}),
                "/spec/subsets: has no subset new; add it with the label track: stable-hotfix",
            ),
            (
                json!({"host": "shop", "subsets": [old(), {"name": "new"}]}),
                "/spec/subsets/1/labels: is not there; give the subset the label track: stable-hotfix",
            ),
            (
                new(json!({"app": "shop"})),
                "/spec/subsets/1/labels/track: the pods of its slot have track: stable-hotfix; give the subset that label",
            ),
            (
                new(json!({"track": "canary"})),
                "/spec/subsets/1/labels/track: the pods of its slot have track: stable-hotfix; give the subset that label",
            ),
            (
                new(json!({"track": "stable-hotfix", "team": "pay"})),
                "/spec/subsets/1/labels/team: not every pod of the slot has team: \"pay\"; remove it from the subset",
            ),
            (
                new(json!({"track": "stable-hotfix", names::ARTIFACT: "ab"})),
                "/spec/subsets/1/labels/hotfix.dev~1artifact: not every pod of the slot has hotfix.dev/artifact: \"ab\"; remove it from the subset",
            ),
        ];
        for (spec, expected) in cases {
            assert_eq!(check(&spec), Err(format!("DestinationRule prod/shop at {expected}")));
        }
    }
}
