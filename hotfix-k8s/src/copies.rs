//! Copies of the ConfigMaps and Secrets that a snapshot has hashes of, kept in the namespace of the target.
//!
//! A copy is immutable, named by its content and owned by the main Deployment, so it goes with that. Contents are read
//! from the server and written to it, and go nowhere else: no snapshot, journal, log or error holds any.

use hotfix_core::model::Target;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api::Failure;
use crate::config::Copies;
use crate::deployer::{KubernetesDeployer, request};
use crate::error::Unusable;
use crate::names;
use crate::object::{self, ObjectRef};
use crate::sight::Object;

/// How many copies of a kind are kept for a target.
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

/// Returns the copy of what a reference held when it had this hash.
pub(crate) fn copy_of(reference: &ObjectRef, deployment: &str, hash: &str) -> ObjectRef {
    let digits = hash.rsplit(':').next().unwrap_or_default();
    let name = format!("{deployment}-hotfix-{}", digits.get(..20).unwrap_or(digits));
    ObjectRef { name, ..reference.clone() }
}

impl KubernetesDeployer {
    /// Keeps a copy of an object that was read, and takes the oldest away when there are too many.
    pub(crate) async fn keep_copy(
        &self,
        target: &Target,
        main: &Object,
        (reference, value, hash): (&ObjectRef, &Value, &str),
        deadline: Instant,
    ) -> Result<(), Unusable> {
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
            Ok(_) => self.forget_copies(&copy, deployment, deadline).await,
            // It is named by what it holds.
            Err(Failure::Status(refusal)) if refusal.code == 409 => Ok(()),
            Err(failure) => Err(request(copy.to_string(), discreet(failure))),
        }
    }

    async fn forget_copies(
        &self,
        newest: &ObjectRef,
        deployment: &str,
        deadline: Instant,
    ) -> Result<(), Unusable> {
        let collection = object::collection(newest.api_version, &newest.plural(), &newest.namespace);
        let labels = format!("{}={deployment}", names::KEPT_FOR);
        let found = self.api.list(&collection, &labels, deadline).await;
        let found = found.map_err(|failure| request(collection, discreet(failure)))?;
        let text =
            |value: &Value, field: &str| value["metadata"][field].as_str().unwrap_or_default().to_owned();
        let mut copies: Vec<(String, String, String)> = found
            .iter()
            .map(|copy| (text(copy, "creationTimestamp"), text(copy, "name"), text(copy, "uid")))
            .filter(|(_, name, _)| *name != newest.name)
            .collect();
        copies.sort_unstable();
        let surplus = (copies.len() + 1).saturating_sub(KEPT);
        for (_, name, uid) in copies.into_iter().take(surplus) {
            let copy = ObjectRef { name, ..newest.clone() };
            match self.api.delete(&copy, &uid, deadline).await {
                Ok(()) => {}
                Err(Failure::Status(refusal)) if refusal.is_not_found() || refusal.code == 409 => {}
                Err(failure) => return Err(request(copy.to_string(), discreet(failure))),
            }
        }
        Ok(())
    }
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
