//! Who else sets the fields that a rollout changes: GitOps controllers, which take changes back, and autoscalers.

use serde_json::Value;

use crate::config::{OnAutoscaler, OnGitOps, TargetConfig};
use crate::object::ObjectRef;

/// Somebody else owns an object. The text names who, how it was recognised and the mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Owned {
    #[error(
        "{object} belongs to {owner} (by its {mark}), which would take every change back; take it out of its sync first"
    )]
    GitOps { object: Box<ObjectRef>, owner: &'static str, mark: String },
    #[error(
        "HorizontalPodAutoscaler {autoscaler} sets the replicas of {object}; set on_autoscaler to accept it, or remove it"
    )]
    Autoscaler { object: Box<ObjectRef>, autoscaler: String },
}

/// What GitOps controllers leave on the objects that they apply.
const MARKS: [(&str, &str, &str); 6] = [
    ("annotations", "argocd.argoproj.io/tracking-id", "Argo CD"),
    ("labels", "argocd.argoproj.io/instance", "Argo CD"),
    ("labels", "kustomize.toolkit.fluxcd.io/name", "Flux"),
    ("labels", "helm.toolkit.fluxcd.io/name", "Flux"),
    ("annotations", "kustomize.toolkit.fluxcd.io/name", "Flux"),
    ("annotations", "helm.toolkit.fluxcd.io/name", "Flux"),
];

/// The field managers under which they apply.
const MANAGERS: [(&str, &str); 4] = [
    ("argocd-controller", "Argo CD"),
    ("argocd-application-controller", "Argo CD"),
    ("kustomize-controller", "Flux"),
    ("helm-controller", "Flux"),
];

/// Says that Flux leaves an object alone, though its marks are there.
const RELEASED: (&str, &str) = ("kustomize.toolkit.fluxcd.io/reconcile", "disabled");

/// Looks for an owner of an object.
pub(crate) fn gitops(config: &TargetConfig, object: &ObjectRef, value: &Value) -> Result<(), Owned> {
    let OnGitOps::Refuse = config.on_gitops;
    let metadata = &value["metadata"];
    if metadata["annotations"][RELEASED.0] == RELEASED.1 {
        return Ok(());
    }
    let marked = MARKS.iter().find(|(place, mark, _)| metadata[place][mark].is_string());
    if let Some((place, mark, owner)) = marked {
        let mark = format!("{} {mark}", &place[..place.len() - 1]);
        return Err(Owned::GitOps { object: object.clone().into(), owner, mark });
    }
    let managers = metadata["managedFields"].as_array().into_iter().flatten();
    let owner = |entry: &Value| MANAGERS.iter().find(|(manager, _)| entry["manager"] == *manager);
    match managers.filter_map(owner).next() {
        None => Ok(()),
        Some((manager, owner)) => {
            let mark = format!("field manager {manager}");
            Err(Owned::GitOps { object: object.clone().into(), owner, mark })
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
    fn gitops_controllers_are_recognised_by_what_they_leave() {
        let config = TargetConfig::default();
        let cases = [
            (
                json!({"annotations": {"argocd.argoproj.io/tracking-id": "a:b"}}),
                "Argo CD (by its annotation argocd",
            ),
            (json!({"labels": {"argocd.argoproj.io/instance": "shop"}}), "Argo CD (by its label argocd"),
            (json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}), "Flux (by its label kustomize"),
            (json!({"labels": {"helm.toolkit.fluxcd.io/name": "apps"}}), "Flux (by its label helm"),
            (
                json!({"managedFields": [{"manager": "kubectl"}, {"manager": "argocd-controller"}]}),
                "Argo CD (by its field manager argocd-controller)",
            ),
            (json!({"managedFields": [{"manager": "kustomize-controller"}]}), "Flux (by its field manager"),
        ];
        for (metadata, expected) in cases {
            let error = gitops(&config, &shop(), &json!({"metadata": metadata})).unwrap_err().to_string();
            assert!(
                error.starts_with("Deployment prod/shop belongs to ") && error.contains(expected),
                "{error}"
            );
        }
        let released = json!({"metadata": {
            "labels": {"kustomize.toolkit.fluxcd.io/name": "apps"},
            "annotations": {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"},
        }});
        let plain = json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": "Helm"}}});
        for fine in [released, plain] {
            assert_eq!(gitops(&config, &shop(), &fine), Ok(()));
        }
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
