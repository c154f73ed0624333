//! The ReplicaSets of a Deployment: by which hash the pods of its template are known.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::pod;

/// The label that the controller of a Deployment puts on the pods of each template.
pub(crate) const HASH: &str = "pod-template-hash";

/// What is kept of a ReplicaSet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReplicaSet {
    /// The Deployment that owns it.
    deployment: String,
    hash: String,
    /// Its template as the Deployment had it.
    template: Value,
    /// How many pods it is to keep.
    replicas: u32,
    /// RFC 3339 in UTC, so that the order of the texts is that of the times.
    created: String,
}

/// The hashes of the templates of one Deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Hashes {
    /// That of the template it has now; `None` until its controller has seen it.
    pub(crate) current: Option<String>,
    /// Those of templates that it had before.
    pub(crate) older: BTreeSet<String>,
}

impl ReplicaSet {
    /// Reads a ReplicaSet; `None` when it is not one of a Deployment.
    pub(crate) fn read(set: &Value) -> Option<Self> {
        let metadata = &set["metadata"];
        let mut template = set["spec"]["template"].clone();
        template.pointer_mut("/metadata/labels")?.as_object_mut()?.remove(HASH)?;
        Some(Self {
            deployment: pod::owner(metadata, "Deployment")?.to_owned(),
            hash: metadata["labels"][HASH].as_str()?.to_owned(),
            template,
            replicas: set["spec"]["replicas"]
                .as_u64()
                .map_or(1, |count| count.try_into().unwrap_or(u32::MAX)),
            created: metadata["creationTimestamp"].as_str().unwrap_or_default().to_owned(),
        })
    }
}

/// How many pods of a template the controller of a Deployment has asked for by now.
pub(crate) fn asked(sets: &[ReplicaSet], deployment: &str, hash: &str) -> u32 {
    let of_it = sets.iter().filter(|set| set.deployment == deployment && set.hash == hash);
    of_it.map(|set| set.replicas).sum()
}

impl Hashes {
    /// Finds those of a Deployment. Of several ReplicaSets with its template the oldest counts, as for its controller.
    pub(crate) fn of(deployment: &Value, sets: &[ReplicaSet]) -> Self {
        let name = deployment["metadata"]["name"].as_str().unwrap_or_default();
        let own = || sets.iter().filter(|set| set.deployment == name);
        let same = own().filter(|set| set.template == deployment["spec"]["template"]);
        let current = same.min_by(|a, b| a.created.cmp(&b.created)).map(|set| set.hash.clone());
        let older = own().map(|set| set.hash.clone()).filter(|hash| Some(hash) != current.as_ref()).collect();
        Self { current, older }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template(image: &str, hash: Option<&str>) -> Value {
        let mut template = json!({"metadata": {"labels": {"app": "shop"}}, "spec": {"image": image}});
        if let Some(hash) = hash {
            template["metadata"]["labels"][HASH] = hash.into();
        }
        template
    }

    fn set(of: &str, hash: &str, image: &str, created: &str) -> Option<ReplicaSet> {
        let owner = json!({"kind": "Deployment", "name": of, "controller": true});
        ReplicaSet::read(&json!({
            "metadata": {"labels": {HASH: hash}, "ownerReferences": [owner], "creationTimestamp": created},
            "spec": {"template": template(image, Some(hash))},
        }))
    }

    #[test]
    fn the_current_hash_is_that_of_the_oldest_set_with_the_template() {
        let sets: Vec<ReplicaSet> = [
            set("shop", "a", "one", "2026-01-01T00:00:00Z"),
            set("shop", "c", "two", "2026-01-03T00:00:00Z"),
            set("shop", "b", "two", "2026-01-02T00:00:00Z"),
            set("shop-hotfix", "d", "two", "2026-01-01T00:00:00Z"),
        ]
        .into_iter()
        .flatten()
        .collect();
        let deployment =
            |image: &str| json!({"metadata": {"name": "shop"}, "spec": {"template": template(image, None)}});
        let found = Hashes::of(&deployment("two"), &sets);
        let older = |hashes: &[&str]| hashes.iter().map(|&hash| hash.to_owned()).collect();
        assert_eq!(found, Hashes { current: Some("b".to_owned()), older: older(&["a", "c"]) });
        let unseen = Hashes::of(&deployment("three"), &sets);
        assert_eq!(unseen, Hashes { current: None, older: older(&["a", "b", "c"]) });
    }

    #[test]
    fn a_set_of_nobody_is_not_read() {
        let bare =
            json!({"metadata": {"labels": {HASH: "a"}}, "spec": {"template": template("one", Some("a"))}});
        assert_eq!(ReplicaSet::read(&bare), None);
    }
}
