//! Who applies the file: whether they would at all, and asking them to look now.

use hotfix_core::model::Target;
use hotfix_core::port::Call;
use serde_json::Value;
use tokio::time::Instant;

use crate::api::Failure;
use crate::deployer::{KubernetesDeployer, request};
use crate::error::Unusable;
use crate::fence;
use crate::gitops::Tool;
use crate::object::ObjectRef;
use crate::owner::Owned;
use crate::sync::{Sync, SyncOwner, read_sync};

/// Asks Argo CD to fetch and compare. It takes the annotation away when it has.
const REFRESH: &str = "argocd.argoproj.io/refresh";
/// Asks a controller of Flux to go to work. Any new value does.
const REQUESTED: &str = "reconcile.fluxcd.io/requestedAt";
/// How often an owner is asked again because its controller wrote it at the same moment.
const TRIES: usize = 8;

impl KubernetesDeployer {
    /// Refuses owners that are not there or whose sync is off: what is committed would never run.
    pub(crate) async fn followed(&self, target: &Target, deadline: Instant) -> Result<(), Unusable> {
        for owner in self.target(target)?.on_gitops.owners() {
            let value = self.owner(owner, deadline).await?;
            match read_sync(owner.tool(), &value) {
                Sync::On(_) => {}
                Sync::Off | Sync::OffByOthers => {
                    return Err(Owned::NotSynced { owner: owner.object().into() }.into());
                }
            }
        }
        Ok(())
    }

    /// Asks the owners to look at git now, and returns what is to be said of those that could not be asked: they look by
    /// themselves, only later.
    pub(crate) async fn ask_owners(&self, target: &Target, call: &Call, deadline: Instant) -> Vec<String> {
        let Ok(config) = self.target(target) else { return Vec::new() };
        let mut said = Vec::new();
        for owner in config.on_gitops.owners() {
            if let Err(unusable) = self.ask_owner(owner, call, deadline).await {
                let sentence = format!("{} was not asked to look at git: {unusable}", owner.object());
                tracing::warn!(%target, "{sentence}");
                said.push(sentence);
            }
        }
        said
    }

    async fn ask_owner(&self, owner: &SyncOwner, call: &Call, deadline: Instant) -> Result<(), Unusable> {
        let object = owner.object();
        let value = self.owner(owner, deadline).await?;
        let asked = format!("{}@{}", call.key, call.stamp);
        match owner.tool() {
            Tool::ArgoCd => self.annotate(&object, REFRESH, "normal", deadline).await,
            Tool::FluxKustomize | Tool::FluxHelm => {
                // What has fetched nothing new has nothing to apply.
                if let Some(source) = source(&value, &object) {
                    self.annotate(&source, REQUESTED, &asked, deadline).await?;
                }
                self.annotate(&object, REQUESTED, &asked, deadline).await
            }
        }
    }

    async fn annotate(
        &self,
        object: &ObjectRef,
        name: &str,
        text: &str,
        deadline: Instant,
    ) -> Result<(), Unusable> {
        let failed = |failure| request(object.to_string(), failure);
        let mut last = Failure::Timeout;
        for _ in 0..TRIES {
            let value = self.api.get(object, deadline).await.map_err(failed)?;
            let value = value.ok_or_else(|| Unusable::Missing(object.clone().into()))?;
            let patch = fence::annotated(&value, name, text.to_owned());
            match self.api.patch(object, &patch, deadline).await {
                Ok(_) => return Ok(()),
                Err(Failure::Status(refusal)) if matches!(refusal.code, 409 | 422) => {
                    last = Failure::Status(refusal);
                }
                Err(failure) => return Err(failed(failure)),
            }
        }
        Err(failed(last))
    }
}

/// The GitRepository that a Kustomization applies from. Other sources are not fetched from git.
fn source(owner: &Value, object: &ObjectRef) -> Option<ObjectRef> {
    let reference = owner.pointer("/spec/sourceRef")?;
    let text = |key: &str| reference[key].as_str().map(str::to_owned);
    (reference["kind"] == "GitRepository").then_some(())?;
    Some(ObjectRef {
        api_version: "source.toolkit.fluxcd.io/v1",
        kind: "GitRepository",
        namespace: text("namespace").unwrap_or_else(|| object.namespace.clone()),
        name: text("name")?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_kustomization_s_repository_is_where_it_says() {
        let owner = SyncOwner::FluxKustomization { namespace: "apps".to_owned(), name: "shop".to_owned() };
        let found = |reference: Value| {
            let source = source(&json!({"spec": {"sourceRef": reference}}), &owner.object())?;
            Some(format!("{}/{} {source}", source.api_version, source.plural()))
        };
        let here = found(json!({"kind": "GitRepository", "name": "fleet"}));
        let expected = "source.toolkit.fluxcd.io/v1/gitrepositories GitRepository apps/fleet";
        assert_eq!(here.as_deref(), Some(expected));
        let there = found(json!({"kind": "GitRepository", "name": "fleet", "namespace": "flux-system"}));
        assert_eq!(there.as_deref(), Some(expected.replace("apps/", "flux-system/").as_str()));
        assert_eq!(found(json!({"kind": "OCIRepository", "name": "fleet"})), None);
        assert_eq!(source(&json!({"spec": {}}), &owner.object()), None, "a HelmRelease has none");
    }
}
