//! The pod template of a staged release: the live one with another image, our labels and the target's overrides.
//! Everything else in it stays as it is.

use hotfix_core::model::ImageReference;
use serde_json::{Map, Value, json};

use crate::config::{EnvFrom, EnvValue, Overrides};
use crate::names;
use crate::object::ObjectRef;
use crate::release::Unnamed;

/// What a copy of a template gets.
#[derive(Debug)]
pub(crate) struct Changes<'a> {
    /// The container that carries the release.
    pub(crate) container: &'a str,
    pub(crate) image: &'a ImageReference,
    /// The label by which traffic is sent, with the value of the slot, where one tells the slots apart.
    pub(crate) label: Option<(&'a str, &'a str)>,
    /// The slot's name.
    pub(crate) slot: &'a str,
    pub(crate) overrides: &'a Overrides,
}

impl Changes<'_> {
    /// Returns the copy.
    pub(crate) fn of(&self, template: &Value) -> Value {
        let mut copy = template.clone();
        let labels = entry(entry(&mut copy, "metadata"), "labels");
        if let Some((label, value)) = self.label {
            labels[label] = value.into();
        }
        labels[names::SLOT] = self.slot.into();
        labels[names::ARTIFACT] = artifact_label(self.image).into();
        if let Some(annotations) = copy.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
            annotations.remove(names::RENEWED);
        }
        if let Some(container) = find(&mut copy, self.container) {
            container["image"] = self.image.as_str().into();
            set(container, self.overrides);
        }
        copy
    }
}

/// The value of [`names::ARTIFACT`].
pub(crate) fn artifact_label(image: &ImageReference) -> &str {
    &image.digest()["sha256:".len()..][..16]
}

/// Returns the image of a container of a template.
pub(crate) fn image<'a>(template: Option<&'a Value>, container: &str) -> Option<&'a str> {
    containers(template).find(|found| found["name"] == container)?["image"].as_str()
}

/// Returns the container that carries the release: the one that is configured, or the only one.
pub(crate) fn container(
    template: Option<&Value>,
    deployment: &str,
    configured: Option<&str>,
) -> Result<String, Unnamed> {
    let names: Vec<&str> = containers(template).filter_map(|container| container["name"].as_str()).collect();
    let (deployment, known) = (deployment.to_owned(), names.join(", "));
    match (configured, names.as_slice()) {
        (Some(name), names) if names.contains(&name) => Ok(name.to_owned()),
        (Some(name), _) => Err(Unnamed::NoContainer { deployment, container: name.to_owned(), known }),
        (None, [only]) => Ok((*only).to_owned()),
        (None, _) => Err(Unnamed::ManyContainers { deployment, known }),
    }
}

/// Returns the template with a mark that has its pods started anew.
pub(crate) fn renewed(template: &Value, key: &str) -> Value {
    let mut copy = template.clone();
    entry(entry(&mut copy, "metadata"), "annotations")[names::RENEWED] = key.into();
    copy
}

/// Returns whether a container reads an object into its environment, which it does once, when it starts.
pub(crate) fn reads_at_start(template: &Value, object: &ObjectRef) -> bool {
    let [whole, key] = match object.kind {
        "ConfigMap" => ["configMapRef", "configMapKeyRef"],
        _ => ["secretRef", "secretKeyRef"],
    };
    let fields = ["/spec/containers", "/spec/initContainers"].into_iter();
    let containers = fields.filter_map(|field| template.pointer(field)?.as_array()).flatten();
    let entries =
        |container: &'_ Value, field: &str| container[field].as_array().cloned().unwrap_or_default();
    containers.into_iter().any(|container| {
        entries(container, "envFrom").iter().any(|source| source[whole]["name"] == *object.name)
            || entries(container, "env").iter().any(|entry| entry["valueFrom"][key]["name"] == *object.name)
    })
}

/// Returns whether two templates run the same, whoever had their pods started anew.
pub(crate) fn is_same(left: &Value, right: &Value) -> bool {
    let plain = |template: &Value| {
        let mut template = template.clone();
        let mut is_bare = false;
        if let Some(annotations) =
            template.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut)
        {
            annotations.remove(names::RENEWED);
            is_bare = annotations.is_empty();
        }
        if is_bare && let Some(metadata) = template["metadata"].as_object_mut() {
            metadata.remove("annotations");
        }
        template
    };
    plain(left) == plain(right)
}

fn containers(template: Option<&Value>) -> impl Iterator<Item = &Value> {
    template.and_then(|template| template.pointer("/spec/containers")?.as_array()).into_iter().flatten()
}

fn find<'a>(template: &'a mut Value, container: &str) -> Option<&'a mut Value> {
    let containers = template.pointer_mut("/spec/containers")?.as_array_mut()?;
    containers.iter_mut().find(|found| found["name"] == container)
}

/// Returns an inner object, made when it is missing.
fn entry<'a>(object: &'a mut Value, name: &str) -> &'a mut Value {
    let inner = &mut object[name];
    if !inner.is_object() {
        *inner = Value::Object(Map::new());
    }
    inner
}

fn set(container: &mut Value, overrides: &Overrides) {
    for (name, value) in &overrides.env {
        let entry = variable(name, value);
        let env = list(container, "env");
        match env.iter_mut().find(|entry| entry["name"] == *name) {
            Some(old) => *old = entry,
            None => env.push(entry),
        }
    }
    for source in &overrides.env_from {
        let source = match source {
            EnvFrom::ConfigMap(name) => json!({"configMapRef": {"name": name}}),
            EnvFrom::Secret(name) => json!({"secretRef": {"name": name}}),
        };
        let sources = list(container, "envFrom");
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
}

fn variable(name: &str, value: &EnvValue) -> Value {
    match value {
        EnvValue::Value(text) => json!({"name": name, "value": text}),
        EnvValue::ConfigMap { name: object, key } => {
            json!({"name": name, "valueFrom": {"configMapKeyRef": {"name": object, "key": key}}})
        }
        EnvValue::Secret { name: object, key } => {
            json!({"name": name, "valueFrom": {"secretKeyRef": {"name": object, "key": key}}})
        }
    }
}

fn list<'a>(container: &'a mut Value, name: &str) -> &'a mut Vec<Value> {
    let list = &mut container[name];
    if !list.is_array() {
        *list = Value::Array(Vec::new());
    }
    list.as_array_mut().expect("it was made an array")
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
