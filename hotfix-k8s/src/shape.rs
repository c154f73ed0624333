//! What of a target's objects must be as this crate understands it, found out before anything is changed.

use serde_json::Value;

use crate::config::{OnAutoscaler, TargetConfig, Traffic};
use crate::in_place::SetKind;
use crate::object::ObjectRef;
use crate::release::Unnamed;
use crate::replica_set::HASH;
use crate::slot::Side;
use crate::template;
use crate::traffic::backend::Reached;

/// Why a target cannot be handled as it is. The text names the object, the place in it and the mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Misshapen {
    #[error("{deployment} does not select its pods by a label that {service} selects by too; give both one")]
    NoLabel { deployment: Box<ObjectRef>, service: Box<ObjectRef> },
    #[error(
        "{service} and {deployment} both select by {labels}; name the one that tells the slots apart in the target's configuration"
    )]
    ManyLabels { deployment: Box<ObjectRef>, service: Box<ObjectRef>, labels: String },
    #[error(
        "{service} does not select the pods of {deployment}: its selector at /spec/selector/{label} is {value:?}; correct the selector or the target's configuration"
    )]
    NotSelected { deployment: Box<ObjectRef>, service: Box<ObjectRef>, label: String, value: String },
    #[error(
        "{deployment} has no label of its own in /spec/selector/matchLabels by which subsets of {service} can be told apart; make it anew with one, or name the slots by two Services"
    )]
    NoSubsetLabel { deployment: Box<ObjectRef>, service: Box<ObjectRef> },
    #[error(
        "{deployment} selects by {labels}, by which {service} does not; name the one that tells the slots apart in the target's configuration"
    )]
    ManySubsetLabels { deployment: Box<ObjectRef>, service: Box<ObjectRef>, labels: String },
    #[error(
        "{service} selects by {label} at /spec/selector/{label}, so it never has the pods of both slots, of which subsets are made; remove it from the selector"
    )]
    OneSubset { service: Box<ObjectRef>, label: String },
    #[error(
        "{deployment} selects by an expression on {label} at /spec/selector/matchExpressions; only /spec/selector/matchLabels is understood for that label"
    )]
    Expression { deployment: Box<ObjectRef>, label: String },
    #[error(
        "the value {value:?} of the label {label} on {deployment} is too long for the copy's; at most 56 characters are"
    )]
    LongLabel { deployment: Box<ObjectRef>, label: String, value: String },
    #[error(transparent)]
    Unnamed(#[from] Unnamed),
}

/// What tells the two slots apart, and which container carries the release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    /// The label by which traffic is sent.
    pub(crate) label: String,
    /// Its value on the pods of each slot.
    pub(crate) main: String,
    pub(crate) hotfix: String,
    /// What else tells the pods of both slots from those of others, where that label does not: a label selector.
    pub(crate) among: String,
    /// `Err` where it is not clear: only what names or stages a release needs to know.
    pub(crate) container: Result<String, Unnamed>,
}

/// What the label that tells the slots apart is to the Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SlotLabel {
    /// It selects by it.
    Selected,
    /// It selects the pods of both slots by others.
    Apart,
}

impl Shape {
    /// Reads the shape from the main Deployment and the Service.
    pub(crate) fn read(
        config: &TargetConfig,
        deployment: &Value,
        service: &Value,
    ) -> Result<Self, Misshapen> {
        let names = Names::of(config);
        let kind = SlotLabel::of(&config.traffic);
        let label = match (&config.label, kind) {
            (Some(label), _) => label.clone(),
            (None, SlotLabel::Selected) => only_label(&names, deployment, service)?,
            (None, SlotLabel::Apart) => only_label_apart(&names, deployment, service)?,
        };
        let main = label_value(deployment, &label).ok_or_else(|| kind.missing(&names))?.to_owned();
        let hotfix = match config.traffic {
            // One Service selects the pods of both.
            Traffic::Replicas(_) => main.clone(),
            _ => format!("{main}-hotfix"),
        };
        if hotfix.len() > 63 {
            return Err(Misshapen::LongLabel { deployment: names.main.into(), label, value: main });
        }
        let expressions = deployment.pointer("/spec/selector/matchExpressions").and_then(Value::as_array);
        if expressions.into_iter().flatten().any(|expression| expression["key"] == *label) {
            return Err(Misshapen::Expression { deployment: names.main.into(), label });
        }
        selects_both(&names, deployment, service, &label, [&main, &hotfix], kind)?;
        let among = match kind {
            SlotLabel::Selected => String::new(),
            SlotLabel::Apart => others(deployment, &label),
        };
        let template = deployment.pointer("/spec/template");
        let container = template::container(template, &names.main.to_string(), config.container.as_deref());
        Ok(Self { label, main, hotfix, among, container })
    }

    /// Returns what selects the pods of both slots.
    pub(crate) fn pods(&self) -> String {
        let Self { label, main, hotfix, among, .. } = self;
        let own =
            if main == hotfix { format!("{label}={main}") } else { format!("{label} in ({main},{hotfix})") };
        if among.is_empty() { own } else { format!("{among},{own}") }
    }

    /// Returns the value of the label on the pods of a slot.
    pub(crate) fn value(&self, side: Side) -> &str {
        match side {
            Side::Main => &self.main,
            Side::Hotfix => &self.hotfix,
        }
    }
}

impl SlotLabel {
    fn of(traffic: &Traffic) -> Self {
        match traffic.backend().reached() {
            Reached::One => Self::Apart,
            Reached::Itself | Reached::Two(_) => Self::Selected,
        }
    }

    fn missing(self, names: &Names) -> Misshapen {
        let (deployment, service) = (names.main.clone().into(), names.service.clone().into());
        match self {
            Self::Selected => Misshapen::NoLabel { deployment, service },
            Self::Apart => Misshapen::NoSubsetLabel { deployment, service },
        }
    }
}

/// The objects of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) main: ObjectRef,
    pub(crate) hotfix: ObjectRef,
    pub(crate) service: ObjectRef,
    /// Where the split of traffic is written; it may be the Service.
    pub(crate) route: ObjectRef,
    /// What follows the live slot.
    pub(crate) autoscaler: Option<ObjectRef>,
}

impl Names {
    pub(crate) fn of(config: &TargetConfig) -> Self {
        let service = config.service.as_deref().unwrap_or(&config.deployment);
        Self {
            main: match SetKind::of(config.workload) {
                None => ObjectRef::deployment(&config.namespace, &config.deployment),
                Some(kind) => ObjectRef::set(kind.name(), &config.namespace, &config.deployment),
            },
            hotfix: copy_of(&ObjectRef::deployment(&config.namespace, &config.deployment)),
            service: ObjectRef::service(&config.namespace, service),
            route: config.traffic.object(&config.namespace, service),
            autoscaler: match &config.on_autoscaler {
                OnAutoscaler::Refuse | OnAutoscaler::Accept => None,
                OnAutoscaler::Follow { name } => Some(ObjectRef {
                    api_version: "autoscaling/v2",
                    kind: "HorizontalPodAutoscaler",
                    namespace: config.namespace.clone(),
                    name: name.clone().unwrap_or_else(|| config.deployment.clone()),
                }),
            },
        }
    }

    /// Returns the Deployment of a slot.
    pub(crate) const fn deployment(&self, side: Side) -> &ObjectRef {
        match side {
            Side::Main => &self.main,
            Side::Hotfix => &self.hotfix,
        }
    }
}

/// What the copy of a Deployment is called.
pub(crate) fn copy_of(deployment: &ObjectRef) -> ObjectRef {
    ObjectRef { name: format!("{}-hotfix", deployment.name), ..deployment.clone() }
}

/// The only label by which the Service tells this Deployment, or its copy, from others.
fn only_label(names: &Names, deployment: &Value, service: &Value) -> Result<String, Misshapen> {
    let selector = service.pointer("/spec/selector").and_then(Value::as_object);
    let common = selector.into_iter().flatten().filter(|(label, _)| label_value(deployment, label).is_some());
    let labels: Vec<&str> = common.map(|(label, _)| label.as_str()).collect();
    let (deployment, service) = (names.main.clone().into(), names.service.clone().into());
    match labels.as_slice() {
        [only] => Ok((*only).to_owned()),
        [] => Err(Misshapen::NoLabel { deployment, service }),
        many => Err(Misshapen::ManyLabels { deployment, service, labels: many.join(", ") }),
    }
}

/// The only label by which this Deployment selects and the Service does not.
fn only_label_apart(names: &Names, deployment: &Value, service: &Value) -> Result<String, Misshapen> {
    let selector = service.pointer("/spec/selector");
    let own = deployment.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let apart = own.into_iter().flatten().map(|(label, _)| label.as_str());
    let apart = apart.filter(|label| selector.is_none_or(|selector| selector.get(*label).is_none()));
    let labels: Vec<&str> = apart.collect();
    match labels.as_slice() {
        [only] => Ok((*only).to_owned()),
        [] => Err(SlotLabel::Apart.missing(names)),
        many => Err(Misshapen::ManySubsetLabels {
            deployment: names.main.clone().into(),
            service: names.service.clone().into(),
            labels: many.join(", "),
        }),
    }
}

/// The labels by which a Deployment selects, without one of them.
fn others(deployment: &Value, label: &str) -> String {
    let own = deployment.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let pairs = own.into_iter().flatten().filter(|(other, _)| *other != label);
    let pairs = pairs.filter_map(|(other, value)| Some(format!("{other}={}", value.as_str()?)));
    pairs.collect::<Vec<_>>().join(",")
}

/// Every label of the Service's selector is on the pods; the one that tells the slots apart may have either value.
fn selects_both(
    names: &Names,
    deployment: &Value,
    service: &Value,
    label: &str,
    values: [&str; 2],
    kind: SlotLabel,
) -> Result<(), Misshapen> {
    let selector = service.pointer("/spec/selector").and_then(Value::as_object);
    let labels = deployment.pointer("/spec/template/metadata/labels");
    let mut found = kind == SlotLabel::Apart;
    // The hash of a template is put on pods by a controller and is in no template.
    for (key, value) in selector.into_iter().flatten().filter(|(key, _)| *key != HASH) {
        let value = value.as_str().unwrap_or_default();
        if key == label && kind == SlotLabel::Apart {
            return Err(Misshapen::OneSubset { service: names.service.clone().into(), label: key.clone() });
        }
        let holds = if key == label {
            found = true;
            values.contains(&value)
        } else {
            labels.is_some_and(|labels| labels[key] == value)
        };
        if !holds {
            let (deployment, service) = (names.main.clone().into(), names.service.clone().into());
            return Err(Misshapen::NotSelected {
                deployment,
                service,
                label: key.clone(),
                value: value.to_owned(),
            });
        }
    }
    if found {
        return Ok(());
    }
    Err(Misshapen::NoLabel { deployment: names.main.clone().into(), service: names.service.clone().into() })
}

fn label_value<'a>(deployment: &'a Value, label: &str) -> Option<&'a str> {
    deployment.pointer("/spec/selector/matchLabels")?.get(label)?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(label: Option<&str>) -> TargetConfig {
        let label = label.map(str::to_owned);
        TargetConfig {
            namespace: "prod".to_owned(),
            deployment: "shop".to_owned(),
            label,
            ..TargetConfig::default()
        }
    }

    fn deployment(selector: &Value) -> Value {
        let mut labels = selector.clone();
        labels["team"] = "checkout".into();
        json!({"spec": {
            "selector": {"matchLabels": selector},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web"}]}},
        }})
    }

    fn service(selector: &Value) -> Value {
        json!({"spec": {"selector": selector}})
    }

    #[test]
    fn the_label_is_the_one_both_select_by() {
        let shop = deployment(&json!({"app": "shop"}));
        let expected = Shape {
            label: "app".to_owned(),
            main: "shop".to_owned(),
            hotfix: "shop-hotfix".to_owned(),
            among: String::new(),
            container: Ok("web".to_owned()),
        };
        for selector in [json!({"app": "shop"}), json!({"app": "shop-hotfix", "team": "checkout"})] {
            assert_eq!(Shape::read(&config(None), &shop, &service(&selector)), Ok(expected.clone()));
        }
        let two = json!({"app": "shop", "tier": "web"});
        let named = Shape::read(&config(Some("tier")), &deployment(&two), &service(&two)).unwrap();
        assert_eq!((named.main.as_str(), named.hotfix.as_str()), ("web", "web-hotfix"));
    }

    fn subsets(label: Option<&str>) -> TargetConfig {
        let traffic = r#"{"virtual_service": {"destinations": {"subsets": {"main": "a", "hotfix": "b"}}}}"#;
        TargetConfig { traffic: serde_json::from_str(traffic).unwrap(), ..config(label) }
    }

    #[test]
    fn subsets_take_a_label_by_which_the_service_does_not_select() {
        let shop = deployment(&json!({"app": "shop", "track": "stable"}));
        let expected = Shape {
            label: "track".to_owned(),
            main: "stable".to_owned(),
            hotfix: "stable-hotfix".to_owned(),
            among: "app=shop".to_owned(),
            container: Ok("web".to_owned()),
        };
        assert_eq!(expected.pods(), "app=shop,track in (stable,stable-hotfix)");
        for label in [None, Some("track")] {
            let read = Shape::read(&subsets(label), &shop, &service(&json!({"app": "shop"})));
            assert_eq!(read, Ok(expected.clone()));
        }
    }

    #[test]
    fn a_service_that_cannot_have_the_pods_of_both_subsets_is_refused() {
        let (app, two) = (json!({"app": "shop"}), json!({"app": "shop", "track": "stable"}));
        let three = json!({"app": "shop", "tier": "web", "track": "stable"});
        let cases = [
            (None, &app, &app, "has no label of its own in /spec/selector/matchLabels"),
            (None, &two, &two, "has no label of its own in /spec/selector/matchLabels"),
            (None, &three, &app, "selects by tier, track, by which Service prod/shop does not; name the one"),
            (Some("track"), &two, &two, "Service prod/shop selects by track at /spec/selector/track"),
            (Some("track"), &app, &app, "has no label of its own in /spec/selector/matchLabels"),
            (None, &two, &json!({"app": "pay"}), "at /spec/selector/app is \"pay\""),
        ];
        for (label, labels, selector, expected) in cases {
            let read = Shape::read(&subsets(label), &deployment(labels), &service(selector));
            let error = read.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn another_shape_is_refused_with_the_place_and_the_mend() {
        let app = json!({"app": "shop"});
        let two = json!({"app": "shop", "tier": "web"});
        let mut expression = deployment(&app);
        expression["spec"]["selector"]["matchExpressions"] = json!([{"key": "app", "operator": "Exists"}]);
        let long = json!({"app": "s".repeat(57)});
        let cases = [
            (deployment(&two), service(&two), "both select by app, tier; name the one"),
            (deployment(&app), service(&json!({"tier": "web"})), "give both one"),
            (deployment(&app), service(&Value::Null), "give both one"),
            (deployment(&app), service(&json!({"app": "pay"})), "at /spec/selector/app is \"pay\""),
            (deployment(&app), service(&json!({"app": "shop", "x": "y"})), "at /spec/selector/x is \"y\""),
            (expression, service(&app), "an expression on app at /spec/selector/matchExpressions"),
            (deployment(&long), service(&long), "is too long for the copy's"),
        ];
        for (deployment, service, expected) in cases {
            let error = Shape::read(&config(None), &deployment, &service).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
