//! Blue-green by the selector of a Service: one label of it names the slot that gets the traffic.

use hotfix_core::model::Weights;
use hotfix_core::port::TrafficSplit;
use json_patch::{PatchOperation, ReplaceOperation, TestOperation};
use serde_json::Value;

use super::backend::{Backend, Means, Reached, RouteName, Site};
use super::{NotUnderstood, Route};
use crate::names;
use crate::object::ObjectRef;
use crate::slot::{Side, Slots};

/// All of the traffic to one slot. There is nothing to be said of it.
#[derive(Debug)]
pub(crate) struct ServiceTraffic;

impl Backend for ServiceTraffic {
    fn route(&self) -> Option<RouteName<'_>> {
        None
    }

    fn reached(&self) -> Reached<'_> {
        Reached::Itself
    }

    fn split(&self) -> TrafficSplit {
        TrafficSplit::Switch
    }

    fn means(&self, site: &Site<'_>) -> Means {
        Means::Route(Box::new(ServiceSwitch {
            object: site.names.route.clone(),
            slots: site.slots.clone(),
            label: site.shape.label.clone(),
            main: site.shape.main.clone(),
            hotfix: site.shape.hotfix.clone(),
        }))
    }
}

/// A Service whose selector is switched.
#[derive(Debug, Clone)]
pub(crate) struct ServiceSwitch {
    pub(crate) object: ObjectRef,
    pub(crate) slots: Slots,
    /// The label that tells the slots apart.
    pub(crate) label: String,
    /// Its value on the pods of each slot.
    pub(crate) main: String,
    pub(crate) hotfix: String,
}

impl ServiceSwitch {
    fn selected<'a>(&self, object: &'a Value) -> Result<(&'a str, Side), NotUnderstood> {
        let value = object.pointer("/spec/selector").and_then(|selector| selector.get(&self.label));
        match value.and_then(Value::as_str) {
            Some(value) if value == self.main => Ok((value, Side::Main)),
            Some(value) if value == self.hotfix => Ok((value, Side::Hotfix)),
            found => Err(NotUnderstood {
                object: self.object.clone().into(),
                path: names::pointer(["spec", "selector", &self.label]).to_string(),
                reason: format!(
                    "it is {}; {} or {} would be understood",
                    found.unwrap_or("not there"),
                    self.main,
                    self.hotfix
                ),
            }),
        }
    }

    const fn value(&self, side: Side) -> &String {
        match side {
            Side::Main => &self.main,
            Side::Hotfix => &self.hotfix,
        }
    }
}

impl Route for ServiceSwitch {
    fn object(&self) -> ObjectRef {
        self.object.clone()
    }

    fn split(&self) -> TrafficSplit {
        TrafficSplit::Switch
    }

    fn read(&self, object: &Value) -> Result<Weights, NotUnderstood> {
        let (_, side) = self.selected(object)?;
        Ok(Weights::all(self.slots.name(side).clone()))
    }

    fn write(&self, object: &Value, weights: &Weights) -> Result<Vec<PatchOperation>, NotUnderstood> {
        let (found, selected) = self.selected(object)?;
        let side = Side::BOTH.into_iter().find(|side| weights.of(self.slots.name(*side)) == 100);
        let Some(side) = side else {
            return Err(NotUnderstood {
                object: self.object.clone().into(),
                path: names::pointer(["spec", "selector", &self.label]).to_string(),
                reason: format!(
                    "a selector sends all traffic to one slot and cannot split it into {weights}"
                ),
            });
        };
        if side == selected {
            return Ok(Vec::new());
        }
        let path = names::pointer(["spec", "selector", &self.label]);
        Ok(vec![
            PatchOperation::Test(TestOperation { path: path.clone(), value: found.into() }),
            PatchOperation::Replace(ReplaceOperation { path, value: self.value(side).as_str().into() }),
        ])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn switch() -> ServiceSwitch {
        ServiceSwitch {
            object: ObjectRef {
                api_version: "v1",
                kind: "Service",
                namespace: "prod".to_owned(),
                name: "shop".to_owned(),
            },
            slots: Slots::new(),
            label: "app.kubernetes.io/name".to_owned(),
            main: "shop".to_owned(),
            hotfix: "shop-hotfix".to_owned(),
        }
    }

    fn service(value: &str) -> Value {
        json!({"spec": {"selector": {"app.kubernetes.io/name": value, "tier": "web"}, "clusterIP": "10.0.0.7"}})
    }

    fn all(side: Side) -> Weights {
        Weights::all(Slots::new().name(side).clone())
    }

    #[test]
    fn it_reads_and_switches_one_label() {
        let switch = switch();
        assert_eq!(switch.read(&service("shop")), Ok(all(Side::Main)));
        assert_eq!(switch.read(&service("shop-hotfix")), Ok(all(Side::Hotfix)));
        let patch = switch.write(&service("shop"), &all(Side::Hotfix)).unwrap();
        let expected = json!([
            {"op": "test", "path": "/spec/selector/app.kubernetes.io~1name", "value": "shop"},
            {"op": "replace", "path": "/spec/selector/app.kubernetes.io~1name", "value": "shop-hotfix"},
        ]);
        assert_eq!(serde_json::to_value(patch).unwrap(), expected);
        assert_eq!(switch.write(&service("shop"), &all(Side::Main)), Ok(vec![]));
    }

    #[test]
    fn what_it_does_not_understand_is_not_written() {
        let switch = switch();
        let said = |error: NotUnderstood| error.to_string();
        let foreign = switch.write(&service("other"), &all(Side::Main)).map_err(said);
        let expected = "Service prod/shop at /spec/selector/app.kubernetes.io~1name: it is other; shop or \
                        shop-hotfix would be understood";
        assert_eq!(foreign, Err(expected.to_owned()));
        let none = switch.read(&json!({"spec": {}})).map_err(said).unwrap_err();
        assert!(none.contains("it is not there;"), "{none}");
        let slots = Slots::new();
        let split = Weights::split(slots.main, slots.hotfix, 10).unwrap();
        let reason = switch.write(&service("shop"), &split).map_err(said).unwrap_err();
        assert!(reason.contains("cannot split it into hotfix 10 %, main 90 %"), "{reason}");
    }
}
