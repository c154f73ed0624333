//! Who else sets the fields that a rollout changes: GitOps controllers, which take changes back, and autoscalers.

use serde_json::Value;

use crate::config::{OnAutoscaler, OnGitOps, TargetConfig};
use crate::gitops;
use crate::object::ObjectRef;

/// Somebody else owns an object. The text names who, how it was recognised and the mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Owned {
    #[error("{object} belongs to {owner}, which would take every change back; {mend}")]
    GitOps { object: Box<ObjectRef>, owner: String, mend: String },
    #[error(
        "HorizontalPodAutoscaler {autoscaler} sets the replicas of {object}; set on_autoscaler to accept it, or remove it"
    )]
    Autoscaler { object: Box<ObjectRef>, autoscaler: String },
}

/// Refuses an object that a GitOps controller would set back.
pub(crate) fn gitops(config: &TargetConfig, object: &ObjectRef, value: &Value) -> Result<(), Owned> {
    let OnGitOps::Refuse = config.on_gitops;
    match gitops::owner(value) {
        None => Ok(()),
        Some(owner) => {
            let (object, mend) = (object.clone().into(), owner.mend());
            Err(Owned::GitOps { object, owner: owner.to_string(), mend })
        }
    }
}

/// Returns the autoscalers of a Deployment.
pub(crate) fn autoscalers<'a>(all: &'a [Value], deployment: &ObjectRef) -> Vec<&'a Value> {
    let targets = |autoscaler: &&Value| {
        let target = &autoscaler["spec"]["scaleTargetRef"];
        target["kind"] == deployment.kind && target["name"] == *deployment.name
    };
    all.iter().filter(targets).collect()
}

/// Refuses an autoscaler, unless the configuration accepts it.
pub(crate) fn scaled(config: &TargetConfig, deployment: &ObjectRef, all: &[Value]) -> Result<(), Owned> {
    match (config.on_autoscaler, autoscalers(all, deployment).first()) {
        (OnAutoscaler::Refuse, Some(autoscaler)) => {
            let name = autoscaler["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            Err(Owned::Autoscaler { object: deployment.clone().into(), autoscaler: name })
        }
        _ => Ok(()),
    }
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
        let of = |name: &str| json!({"metadata": {"name": "h"}, "spec": {"scaleTargetRef": {"kind": "Deployment", "name": name}}});
        let refuse = TargetConfig::default();
        let accept = TargetConfig { on_autoscaler: OnAutoscaler::Accept, ..TargetConfig::default() };
        assert_eq!(scaled(&refuse, &shop(), &[of("other")]), Ok(()));
        assert_eq!(scaled(&accept, &shop(), &[of("shop")]), Ok(()));
        let error = scaled(&refuse, &shop(), &[of("other"), of("shop")]).unwrap_err().to_string();
        assert!(
            error.starts_with("HorizontalPodAutoscaler h sets the replicas of Deployment prod/shop"),
            "{error}"
        );
    }
}
