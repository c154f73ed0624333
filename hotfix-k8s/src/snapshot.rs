//! What a snapshot keeps beside slot, release and size, as data that a plan can carry.

use std::collections::{BTreeMap, BTreeSet};

use hotfix_core::model::{Target, Weights, WorkloadSnapshot};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::api::READ_LIMIT;
use crate::config::Fingerprints;
use crate::deployer::{KubernetesDeployer, request};
use crate::error::Unusable;
use crate::fence::hex;
use crate::object::ObjectRef;
use crate::owner;
use crate::sight::{Object, Sight, Unreadable};
use crate::slot::Side;
use crate::traffic::Objections;

/// The format of what is kept; a snapshot with another number is refused, not guessed at.
const FORMAT: u32 = 1;

/// What is needed to put the objects back, and to see whether what they refer to is still the same.
///
/// Strategy, selector, weights and the bounds of autoscalers tell whoever reads a plan how the target was. They are their
/// owners', so no restore writes them. They stay in the format: an undo must not meet a snapshot that it cannot read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    format: u32,
    /// The pod template of the live slot.
    pub(crate) template: Value,
    /// How its Deployment replaces pods.
    strategy: Value,
    /// What the Service selected, and how the traffic was split.
    selector: Value,
    weights: Option<Weights>,
    /// SHA-256 of what the template refers to, by `ConfigMap/name` or `Secret/name`; `null` where there is none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) hashes: BTreeMap<String, Option<String>>,
    /// The bounds of the autoscalers of the Deployment, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    autoscalers: BTreeMap<String, Value>,
    /// Owners whose sync was off because git did not name what ran.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) ahead: BTreeSet<String>,
    /// What stood against the route, so that an undo does not wait for it to change.
    #[serde(default, skip_serializing_if = "Objections::is_empty")]
    pub(crate) objections: Objections,
}

impl Kept {
    /// Takes what is kept of the live slot.
    pub(crate) fn take(
        sight: &Sight,
        live: Side,
        hashes: BTreeMap<String, Option<String>>,
        autoscalers: &[&Value],
        ahead: BTreeSet<String>,
    ) -> Self {
        let deployment = sight.deployment(live).map(|object| &object.value["spec"]);
        let field = |name: &str| deployment.map(|spec| spec[name].clone()).unwrap_or_default();
        let bounds = |autoscaler: &Value| {
            let name = autoscaler["metadata"]["name"].as_str()?.to_owned();
            let spec = &autoscaler["spec"];
            Some((name, serde_json::json!({"min": spec["minReplicas"], "max": spec["maxReplicas"]})))
        };
        Self {
            format: FORMAT,
            template: field("template"),
            strategy: field("strategy"),
            selector: sight.selector.clone(),
            weights: sight.weights().ok(),
            hashes,
            autoscalers: autoscalers.iter().copied().filter_map(bounds).collect(),
            ahead,
            objections: sight.traffic.objections(&sight.route.value),
        }
    }

    /// Reads what a snapshot kept; `None` when it was made of a release alone.
    pub(crate) fn read(snapshot: &WorkloadSnapshot) -> Result<Option<Self>, String> {
        if snapshot.backend.is_null() {
            return Ok(None);
        }
        match serde_json::from_value::<Self>(snapshot.backend.clone()) {
            Ok(kept) if kept.format == FORMAT => Ok(Some(kept)),
            Ok(kept) => Err(format!("its format is {}, this version writes {FORMAT}", kept.format)),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl KubernetesDeployer {
    /// Takes a snapshot; `None` when nothing is live.
    pub(crate) async fn try_snapshot(&self, target: &Target) -> Result<Option<WorkloadSnapshot>, Unusable> {
        let deadline = Instant::now() + READ_LIMIT;
        let config = self.target(target)?;
        let (sight, all, survey) = tokio::join!(
            self.sight(target, deadline),
            self.autoscalers(&config.namespace, deadline),
            self.survey(target, deadline)
        );
        let (sight, all, survey) = (sight?, all?, survey?);
        let Some(live) = sight.live()? else { return Ok(None) };
        let Some(held) = sight.held(live).map_err(Unreadable::from)? else { return Ok(None) };
        let autoscalers = owner::autoscalers(&all, &sight.main.reference);
        let template = sight.deployment(live).map(|object| object.value["spec"]["template"].clone());
        let template = template.unwrap_or_default();
        let hashes = self.hashes(target, &sight.main, &template, deadline).await?;
        let kept = Kept::take(&sight, live, hashes, &autoscalers, survey.ahead);
        Ok(Some(WorkloadSnapshot {
            slot: sight.slots.name(live).clone(),
            release: held.release,
            replicas: held.replicas,
            backend: serde_json::to_value(kept).unwrap_or_default(),
        }))
    }

    /// Hashes what a template refers to, and keeps copies where the configuration wants them.
    pub(crate) async fn hashes(
        &self,
        target: &Target,
        main: &Object,
        template: &Value,
        deadline: Instant,
    ) -> Result<BTreeMap<String, Option<String>>, Unusable> {
        let config = self.target(target)?;
        let (mut hashes, mut copies) = (BTreeMap::new(), BTreeMap::new());
        for reference in references(template, &config.namespace, config.fingerprints) {
            let name = format!("{}/{}", reference.kind, reference.name);
            let object = self.api.get(&reference, deadline).await;
            let object = object.map_err(|failure| request(reference.to_string(), failure))?;
            let found = object.as_ref().map(|object| (object, hash(object)));
            if let Some((object, hash)) = found.as_ref().filter(|_| config.copies.cover(reference.kind)) {
                let kept = self.keep_copy(target, main, (&reference, object, hash), deadline).await?;
                // Two objects that hold the same have one copy.
                let copied = copies.get(&kept.0).copied().unwrap_or(kept.1);
                copies.insert(kept.0, copied);
            }
            hashes.insert(name, found.map(|(_, hash)| hash));
        }
        self.forget_copies(target, &copies, deadline).await?;
        Ok(hashes)
    }
}

/// Returns the ConfigMaps and Secrets that a template refers to, as far as hashes of them are wanted.
pub(crate) fn references(template: &Value, namespace: &str, fingerprints: Fingerprints) -> Vec<ObjectRef> {
    let mut found = Vec::new();
    collect(template, &mut found);
    found.sort_unstable();
    found.dedup();
    let wanted = |kind: &str| match fingerprints {
        Fingerprints::Nothing => false,
        Fingerprints::ConfigMaps => kind == "ConfigMap",
        Fingerprints::ConfigMapsAndSecrets => true,
    };
    let references = found.into_iter().filter(|(kind, _)| wanted(kind));
    let reference = |(kind, name): (&'static str, String)| ObjectRef {
        api_version: "v1",
        kind,
        namespace: namespace.to_owned(),
        name,
    };
    references.map(reference).collect()
}

/// Every way in which a pod refers to one: by environment, by volume and by projection. Image pull secrets are not
/// part of what runs.
fn collect(value: &Value, found: &mut Vec<(&'static str, String)>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(fields) => {
            for (field, inner) in fields {
                let reference = match field.as_str() {
                    "configMapRef" | "configMapKeyRef" | "configMap" => Some(("ConfigMap", &inner["name"])),
                    "secretRef" | "secretKeyRef" => Some(("Secret", &inner["name"])),
                    "secret" if inner["secretName"].is_string() => Some(("Secret", &inner["secretName"])),
                    "secret" => Some(("Secret", &inner["name"])),
                    _ => None,
                };
                match reference.and_then(|(kind, name)| Some((kind, name.as_str()?))) {
                    Some((kind, name)) => found.push((kind, name.to_owned())),
                    None => collect(inner, found),
                }
            }
        }
        _ => {}
    }
}

/// Hashes what a ConfigMap or Secret holds. Its metadata is left out: a label is no change of configuration.
pub(crate) fn hash(object: &Value) -> String {
    let held = serde_json::json!([object["data"], object["binaryData"]]);
    format!("sha256:{}", hex(&Sha256::digest(held.to_string().as_bytes())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template() -> Value {
        json!({"spec": {
            "imagePullSecrets": [{"name": "registry"}],
            "containers": [{
                "envFrom": [{"configMapRef": {"name": "flags"}}, {"secretRef": {"name": "keys"}}],
                "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "more", "key": "a"}}}],
            }],
            "volumes": [
                {"name": "v1", "configMap": {"name": "flags"}},
                {"name": "v2", "secret": {"secretName": "tls"}},
                {"name": "v3", "projected": {"sources": [{"secret": {"name": "token"}}]}},
            ],
        }})
    }

    #[test]
    fn what_a_template_refers_to_is_found_once() {
        let names = |fingerprints| {
            let all = references(&template(), "prod", fingerprints);
            all.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(names(Fingerprints::Nothing), [] as [&str; 0]);
        assert_eq!(names(Fingerprints::ConfigMaps), ["ConfigMap prod/flags", "ConfigMap prod/more"]);
        let both = names(Fingerprints::ConfigMapsAndSecrets);
        assert_eq!(both[2..], ["Secret prod/keys", "Secret prod/tls", "Secret prod/token"]);
    }

    #[test]
    fn a_hash_is_of_the_contents_alone() {
        let first = hash(&json!({"metadata": {"resourceVersion": "1"}, "data": {"a": "1"}}));
        assert_eq!(first, hash(&json!({"metadata": {"resourceVersion": "2"}, "data": {"a": "1"}})));
        assert_ne!(first, hash(&json!({"data": {"a": "2"}})));
        assert_eq!(first.len(), "sha256:".len() + 64);
    }
}
