//! Who else sets the fields that a rollout changes: GitOps controllers, which take changes back, and autoscalers.

use serde_json::Value;

use crate::autoscaler;
use crate::config::{OnAutoscaler, TargetConfig};
use crate::gitops;
use crate::object::ObjectRef;
use crate::shape::Names;
use crate::sync::Unnamed;

/// Somebody else owns an object. The text names who, how it was recognised and the mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Owned {
    #[error("{object} belongs to {owner}, which would take every change back; {mend}")]
    GitOps { object: Box<ObjectRef>, owner: String, mend: String },
    #[error(
        "HorizontalPodAutoscaler {autoscaler} sets the replicas of {object}; set on_autoscaler to have it follow or to accept it, or remove it"
    )]
    Autoscaler { object: Box<ObjectRef>, autoscaler: String },
    #[error(
        "HorizontalPodAutoscaler {autoscaler} scales neither {object} nor its copy; correct its scaleTargetRef or the \
         target's configuration"
    )]
    NotScaled { object: Box<ObjectRef>, autoscaler: String },
    #[error(
        "{object} carries no mark of an owner, so nobody would apply what is written in git; correct on_gitops"
    )]
    ByNobody { object: Box<ObjectRef> },
    #[error("the sync of {owner} is off, so what is written in git would not be applied; switch it on")]
    NotSynced { owner: Box<ObjectRef> },
    #[error(
        "{owner} is applied by {by}, which would switch its sync on again; switch that sync off there first, or have it \
         leave the field alone"
    )]
    Above { owner: Box<ObjectRef>, by: String },
}

/// Refuses an object that a GitOps controller would set back whose sync is not paused.
pub(crate) fn gitops(config: &TargetConfig, object: &ObjectRef, value: &Value) -> Result<(), Owned> {
    let Some(owner) = gitops::owner(value) else { return Ok(()) };
    config.on_gitops.knows(&owner).map_err(|Unnamed { mend }| {
        let object = object.clone().into();
        Owned::GitOps { object, owner: owner.to_string(), mend }
    })
}

/// Returns the autoscalers of a Deployment.
pub(crate) fn autoscalers<'a>(all: &'a [Value], deployment: &ObjectRef) -> Vec<&'a Value> {
    all.iter().filter(|found| autoscaler::scales(found, deployment)).collect()
}

/// Refuses an autoscaler, unless the configuration accepts it or has it follow.
pub(crate) fn scaled(config: &TargetConfig, all: &[Value]) -> Result<(), Owned> {
    let Names { main, hotfix, autoscaler: followed, .. } = Names::of(config);
    let name = |found: &Value| found["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let both = || [&main, &hotfix].into_iter().flat_map(|deployment| autoscalers(all, deployment)).map(name);
    let (object, foreign) = match (&config.on_autoscaler, &followed) {
        (OnAutoscaler::Accept, _) => return Ok(()),
        (_, None) => (main.clone().into(), autoscalers(all, &main).into_iter().map(name).next()),
        (_, Some(followed)) if !both().any(|name| name == followed.name) => {
            return Err(Owned::NotScaled { object: main.into(), autoscaler: followed.name.clone() });
        }
        (_, Some(followed)) => (main.clone().into(), both().find(|name| *name != followed.name)),
    };
    foreign.map_or(Ok(()), |autoscaler| Err(Owned::Autoscaler { object, autoscaler }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shop() -> ObjectRef {
        ObjectRef::deployment("prod", "shop")
    }

    #[test]
    fn an_object_of_a_gitops_controller_is_refused_with_the_mend() {
        let labels = json!({"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux"});
        let object = json!({"metadata": {"labels": labels}});
        let error = gitops(&TargetConfig::default(), &shop(), &object).unwrap_err().to_string();
        assert_eq!(
            error,
            "Deployment prod/shop belongs to Flux Kustomization flux/apps (by its label \
             kustomize.toolkit.fluxcd.io/name), which would take every change back; suspend it first: flux suspend \
             kustomization apps -n flux"
        );
        assert_eq!(gitops(&TargetConfig::default(), &shop(), &json!({"metadata": {}})), Ok(()));
    }

    #[test]
    fn an_autoscaler_is_refused_or_accepted() {
        let of = |named: &str, name: &str| json!({"metadata": {"name": named}, "spec": {"scaleTargetRef": {"kind": "Deployment", "name": name}}});
        let with = |on_autoscaler| TargetConfig {
            namespace: "prod".to_owned(),
            deployment: "shop".to_owned(),
            on_autoscaler,
            ..TargetConfig::default()
        };
        let refuse = with(OnAutoscaler::Refuse);
        assert_eq!(scaled(&refuse, &[of("h", "other")]), Ok(()));
        assert_eq!(scaled(&with(OnAutoscaler::Accept), &[of("h", "shop")]), Ok(()));
        let follow = with(OnAutoscaler::Follow { name: Some("h".to_owned()) });
        for name in ["shop", "shop-hotfix"] {
            assert_eq!(scaled(&follow, &[of("x", "other"), of("h", name)]), Ok(()));
        }
        let astray = scaled(&follow, &[of("h", "other")]).unwrap_err().to_string();
        assert!(
            astray.starts_with("HorizontalPodAutoscaler h scales neither Deployment prod/shop nor"),
            "{astray}"
        );
        let second = scaled(&follow, &[of("h", "shop"), of("i", "shop-hotfix")]).unwrap_err().to_string();
        assert!(second.starts_with("HorizontalPodAutoscaler i sets the replicas"), "{second}");
        let error = scaled(&refuse, &[of("h", "other"), of("h", "shop")]).unwrap_err().to_string();
        assert!(
            error.starts_with("HorizontalPodAutoscaler h sets the replicas of Deployment prod/shop"),
            "{error}"
        );
    }
}
