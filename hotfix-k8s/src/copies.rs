//! Copies of the ConfigMaps and Secrets that a snapshot has hashes of, kept in the namespace of the target.
//!
//! A copy is immutable, named by its content and owned by the main Deployment, so it goes with that. Contents are read
//! from the server and written to it, and go nowhere else: no snapshot, journal, log or error holds any.

use std::collections::{BTreeMap, BTreeSet};

use hotfix_core::model::Target;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api::Failure;
use crate::config::Copies;
use crate::deployer::{KubernetesDeployer, request};
use crate::error::Unusable;
use crate::names;
use crate::object::ObjectRef;
use crate::sight::Object;

/// How many copies of an object are kept for a target, beside those that the newest snapshot refers to.
const KEPT: usize = 10;

impl Copies {
    /// Whether a kind is copied.
    pub(crate) fn cover(self, kind: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::ConfigMaps => kind == "ConfigMap",
            Self::ConfigMapsAndSecrets => true,
        }
    }
}

/// When a copy was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Copied {
    Anew,
    Before,
}

/// Returns the copy of what a reference held when it had this hash.
pub(crate) fn copy_of(reference: &ObjectRef, deployment: &str, hash: &str) -> ObjectRef {
    let digits = hash.rsplit(':').next().unwrap_or_default();
    let name = format!("{deployment}-hotfix-{}", digits.get(..20).unwrap_or(digits));
    ObjectRef { name, ..reference.clone() }
}

impl KubernetesDeployer {
    /// Keeps a copy of an object that was read, and returns it with whether it is new.
    pub(crate) async fn keep_copy(
        &self,
        target: &Target,
        main: &Object,
        (reference, value, hash): (&ObjectRef, &Value, &str),
        deadline: Instant,
    ) -> Result<(ObjectRef, Copied), Unusable> {
        let deployment = &self.target(target)?.deployment;
        let copy = copy_of(reference, deployment, hash);
        let mut object = json!({
            "apiVersion": copy.api_version,
            "kind": copy.kind,
            "metadata": {
                "name": copy.name,
                "namespace": copy.namespace,
                "labels": {names::KEPT_FOR: deployment},
                "annotations": {names::COPY_OF: reference.name},
                "ownerReferences": [{
                    "apiVersion": main.reference.api_version,
                    "kind": main.reference.kind,
                    "name": main.reference.name,
                    "uid": main.value["metadata"]["uid"],
                }],
            },
            "immutable": true,
        });
        for field in ["data", "binaryData"] {
            if !value[field].is_null() {
                object[field] = value[field].clone();
            }
        }
        match self.api.create(&copy, &object, deadline).await {
            Ok(_) => Ok((copy, Copied::Anew)),
            // It is named by what it holds.
            Err(Failure::Status(refusal)) if refusal.code == 409 => Ok((copy, Copied::Before)),
            Err(failure) => Err(request(copy.to_string(), discreet(failure))),
        }
    }

    /// Takes the oldest copies away where some were made. None goes that is needed: the snapshot that is being taken
    /// refers to those, however old they are.
    pub(crate) async fn forget_copies(
        &self,
        target: &Target,
        needed: &BTreeMap<ObjectRef, Copied>,
        deadline: Instant,
    ) -> Result<(), Unusable> {
        let labels = format!("{}={}", names::KEPT_FOR, self.target(target)?.deployment);
        let made = needed.iter().filter(|(_, copied)| **copied == Copied::Anew);
        let collections: BTreeMap<String, &ObjectRef> =
            made.map(|(copy, _)| (copy.collection(), copy)).collect();
        for (collection, one) in collections {
            let found = self.api.list(&collection, &labels, deadline).await;
            let found = found.map_err(|failure| request(collection, discreet(failure)))?;
            let needed: BTreeSet<&str> =
                needed.keys().filter(|copy| copy.kind == one.kind).map(|copy| copy.name.as_str()).collect();
            for (name, uid) in surplus(&found, &needed) {
                let copy = ObjectRef { name, ..one.clone() };
                match self.api.delete(&copy, &uid, deadline).await {
                    Ok(()) => {}
                    Err(Failure::Status(refusal)) if refusal.is_not_found() || refusal.code == 409 => {}
                    Err(failure) => return Err(request(copy.to_string(), discreet(failure))),
                }
            }
        }
        Ok(())
    }
}

/// Name and uid of the copies beyond the newest ones of each object. Those that are needed count, and stay.
fn surplus(copies: &[Value], needed: &BTreeSet<&str>) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut of_each: BTreeMap<String, Vec<(bool, String, String, String)>> = BTreeMap::new();
    for copy in copies {
        let metadata = &copy["metadata"];
        let (time, name) = (text(&metadata["creationTimestamp"]), text(&metadata["name"]));
        let is_needed = needed.contains(name.as_str());
        let copies = of_each.entry(text(&metadata["annotations"][names::COPY_OF])).or_default();
        copies.push((is_needed, time, name, text(&metadata["uid"])));
    }
    let surplus = of_each.into_values().flat_map(|mut copies| {
        copies.sort_unstable();
        let many = copies.len().saturating_sub(KEPT);
        copies.into_iter().take(many).filter(|(is_needed, ..)| !is_needed)
    });
    surplus.map(|(_, _, name, uid)| (name, uid)).collect()
}

/// Leaves out what a server may have quoted of a content.
pub(crate) fn discreet(failure: Failure) -> Failure {
    match failure {
        Failure::Status(mut refusal) => {
            // That a right is missing or a quota exhausted quotes no content, and people need it.
            if refusal.code != 403 {
                refusal.message.clear();
            }
            Failure::Status(refusal)
        }
        Failure::Unclear { .. } => Failure::Unclear { answer: "an answer that is not understood".to_owned() },
        failure => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Refusal;

    #[test]
    fn a_copy_is_named_by_what_it_holds() {
        let flags = ObjectRef {
            api_version: "v1",
            kind: "ConfigMap",
            namespace: "prod".to_owned(),
            name: "flags".to_owned(),
        };
        let hash = format!("sha256:{}", "0123456789abcdef".repeat(4));
        let copy = copy_of(&flags, "shop", &hash);
        assert_eq!(copy.to_string(), "ConfigMap prod/shop-hotfix-0123456789abcdef0123");
    }

    #[test]
    fn what_a_snapshot_refers_to_is_never_taken_away() {
        let copy = |of: &str, at: u8| {
            json!({"metadata": {
                "name": format!("{of}-{at:02}"),
                "uid": format!("uid-{of}-{at:02}"),
                "creationTimestamp": format!("2026-11-29T01:00:{at:02}Z"),
                "annotations": {names::COPY_OF: of},
            }})
        };
        let gone = |copies: &[Value], needed: &[&str]| {
            let gone = surplus(copies, &needed.iter().copied().collect());
            gone.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        let constant = copy("constant", 0);
        let changing: Vec<Value> = (1..=12).map(|at| copy("changing", at)).collect();
        let both = [&[constant][..], &changing].concat();
        // Each has its own ten: what changes often takes nothing away from what does not change.
        assert_eq!(gone(&both, &["constant-00", "changing-12"]), ["changing-01", "changing-02"]);
        // It holds again what it held long ago.
        assert_eq!(gone(&both, &["constant-00", "changing-01"]), ["changing-02", "changing-03"]);
        assert_eq!(gone(&both[..11], &["constant-00", "changing-10"]), [] as [&str; 0]);
        // More objects than are kept of one.
        let many: Vec<Value> = (0..15).map(|at| copy(&format!("object{at}"), at)).collect();
        assert_eq!(gone(&many, &["object14-14"]), [] as [&str; 0]);
    }

    #[test]
    fn what_a_server_quotes_is_not_passed_on() {
        let refusal =
            |code| Refusal { code, reason: "R".to_owned(), message: "m".to_owned(), ..Refusal::default() };
        let message = |code| match discreet(Failure::Status(refusal(code))) {
            Failure::Status(refusal) => refusal.message,
            other => panic!("{other:?}"),
        };
        assert_eq!([message(422), message(403)], ["", "m"]);
        let unclear = discreet(Failure::Unclear { answer: "secret".to_owned() });
        assert_eq!(unclear, Failure::Unclear { answer: "an answer that is not understood".to_owned() });
    }
}
