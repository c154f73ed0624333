//! What ConfigMaps and Secrets held when a snapshot was taken, put back from their copies.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use hotfix_core::model::Target;
use json_patch::PatchOperation;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

use crate::api::Failure;
use crate::change::set;
use crate::copies::{copy_of, discreet};
use crate::deployer::{KubernetesDeployer, request};
use crate::error::Unusable;
use crate::fence;
use crate::object::ObjectRef;
use crate::snapshot::hash;

/// The longest that putting contents back may keep a restore from its end.
const LIMIT: Duration = Duration::from_secs(5);
/// How often one is written again because somebody wrote it at the same moment.
const TRIES: usize = 8;

/// Something that does not hold what it held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) object: ObjectRef,
    /// The hash of what it held.
    pub(crate) hash: String,
}

impl KubernetesDeployer {
    /// Finds what of a snapshot's hashes is not so any more and has copies. What cannot be read is taken as changed:
    /// putting it back tells more.
    pub(crate) async fn changed(
        &self,
        target: &Target,
        hashes: &BTreeMap<String, Option<String>>,
        deadline: Instant,
    ) -> Vec<Changed> {
        let Ok(config) = self.target(target) else { return Vec::new() };
        let looks = hashes.iter().filter_map(|(name, kept)| {
            let (kind, name) = name.split_once('/')?;
            let kind = ["ConfigMap", "Secret"].into_iter().find(|known| *known == kind)?;
            let (namespace, name) = (config.namespace.clone(), name.to_owned());
            let object = ObjectRef { api_version: "v1", kind, namespace, name };
            let kept = kept.clone().filter(|_| config.copies.cover(kind))?;
            Some(async move {
                let found = self.api.get(&object, deadline).await;
                let is_so = found.is_ok_and(|found| found.is_some_and(|found| hash(&found) == kept));
                (!is_so).then_some(Changed { object, hash: kept })
            })
        });
        join_all(looks).await.into_iter().flatten().collect()
    }

    /// Puts contents back, and returns what is to be said of each. It never fails: nothing may keep a rollback from its
    /// end.
    pub(crate) async fn put_back(
        &self,
        target: &Target,
        changed: &[Changed],
        deadline: Instant,
    ) -> Vec<String> {
        let now = Instant::now();
        let until = now + LIMIT.min(deadline.saturating_duration_since(now) / 2);
        let mut said = Vec::new();
        for changed in changed {
            let object = &changed.object;
            said.push(match self.put_one_back(target, changed, until).await {
                Ok(()) => format!("{object} holds again what it held"),
                Err(unusable) => format!("{object} does not hold what it held: {unusable}"),
            });
        }
        said
    }

    async fn put_one_back(
        &self,
        target: &Target,
        Changed { object, hash: wanted }: &Changed,
        deadline: Instant,
    ) -> Result<(), Unusable> {
        let copy = copy_of(object, &self.target(target)?.deployment, wanted);
        let kept =
            self.content(&copy, deadline).await?.ok_or_else(|| Unusable::Missing(copy.clone().into()))?;
        if hash(&kept) != *wanted {
            let reason = "it does not hold what its name says".to_owned();
            return Err(Unusable::Corrupt { object: copy.into(), reason });
        }
        let mut last = Failure::Timeout;
        for _ in 0..TRIES {
            let written = match self.content(object, deadline).await? {
                Some(found) if hash(&found) == *wanted => return Ok(()),
                Some(found) => self.api.patch(object, &replaced(&found, &kept), deadline).await,
                None => self.api.create(object, &created(object, &kept), deadline).await,
            };
            match written {
                Ok(_) => return Ok(()),
                Err(Failure::Status(refusal)) if matches!(refusal.code, 409 | 422) => {
                    last = Failure::Status(refusal);
                }
                Err(failure) => return Err(request(object.to_string(), discreet(failure))),
            }
        }
        Err(request(object.to_string(), discreet(last)))
    }

    async fn content(&self, object: &ObjectRef, deadline: Instant) -> Result<Option<Value>, Unusable> {
        let found = self.api.get(object, deadline).await;
        found.map_err(|failure| request(object.to_string(), discreet(failure)))
    }
}

/// What makes exactly the version that was read hold the content of another; the rest of it stays.
fn replaced(found: &Value, kept: &Value) -> Vec<PatchOperation> {
    let field = |name: &str| Some(kept[name].clone()).filter(|value| !value.is_null());
    let mut patch = vec![fence::tested(found, "uid"), fence::tested(found, "resourceVersion")];
    for name in ["data", "binaryData"] {
        patch.extend(set(found, [name], field(name)));
    }
    patch
}

fn created(object: &ObjectRef, kept: &Value) -> Value {
    let mut value = json!({
        "apiVersion": object.api_version,
        "kind": object.kind,
        "metadata": {"name": object.name, "namespace": object.namespace},
    });
    for name in ["data", "binaryData"] {
        if !kept[name].is_null() {
            value[name] = kept[name].clone();
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use json_patch::Patch;

    use super::*;

    #[test]
    fn only_the_content_is_put_back() {
        let mut found = json!({
            "metadata": {"uid": "u", "resourceVersion": "7", "labels": {"team": "shop"}},
            "data": {"LEVEL": "loud", "NEW": "1"},
            "binaryData": {"x": "AA=="},
        });
        let kept =
            json!({"metadata": {"labels": {"other": "1"}}, "data": {"LEVEL": "calm"}, "immutable": true});
        let patch = replaced(&found, &kept);
        let metadata = found["metadata"].clone();
        json_patch::patch(&mut found, &Patch(patch)).unwrap();
        assert_eq!(found, json!({"metadata": metadata, "data": {"LEVEL": "calm"}}));
    }
}
