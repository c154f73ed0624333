//! Recognises objects that a GitOps controller applies from git, by what it leaves on them. Such a controller takes
//! back what is changed beside it, so a rollout has to know before its plan is made.

use std::fmt;

use serde_json::Value;

/// A controller that would take a change back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GitOpsOwner {
    pub(crate) tool: Tool,
    /// The application, Kustomization or HelmRelease, where the object says.
    pub(crate) application: Option<Application>,
    /// How it was recognised.
    pub(crate) mark: Mark,
}

/// Which controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    ArgoCd,
    FluxKustomize,
    FluxHelm,
}

/// What the controller applies the object for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Application {
    /// Nothing where the controller has one namespace for all.
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
}

/// What on the object gave the controller away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Annotation(&'static str),
    Label(&'static str),
    FieldManager(&'static str),
}

const TRACKING_ID: &str = "argocd.argoproj.io/tracking-id";
const INSTANCE: &str = "argocd.argoproj.io/instance";
/// Helm and people set it as well, so that it names an application only where something else names Argo CD.
const COMMON_INSTANCE: &str = "app.kubernetes.io/instance";
const ARGO_MANAGERS: [&str; 2] = ["argocd-controller", "argocd-application-controller"];

/// The field manager of the controller that applies Kustomizations.
pub(crate) const KUSTOMIZE_MANAGER: &str = "kustomize-controller";

/// A controller of Flux: its labels, its annotation group and its field manager.
struct Flux {
    tool: Tool,
    name: &'static str,
    namespace: &'static str,
    manager: &'static str,
}

const FLUX: [Flux; 2] = [
    Flux {
        tool: Tool::FluxKustomize,
        name: "kustomize.toolkit.fluxcd.io/name",
        namespace: "kustomize.toolkit.fluxcd.io/namespace",
        manager: KUSTOMIZE_MANAGER,
    },
    Flux {
        tool: Tool::FluxHelm,
        name: "helm.toolkit.fluxcd.io/name",
        namespace: "helm.toolkit.fluxcd.io/namespace",
        manager: "helm-controller",
    },
];

/// Returns who would take back a change of this object.
///
/// An object that Flux was told to leave alone has no owner, nor has a copy that carries the tracking annotation of
/// the object it was copied from: Argo CD goes by what the annotation names.
pub(crate) fn owner(object: &Value) -> Option<GitOpsOwner> {
    argo_cd(object).or_else(|| FLUX.iter().find_map(|flux| flux.owner(object)))
}

fn argo_cd(object: &Value) -> Option<GitOpsOwner> {
    let owned = |application, mark| Some(GitOpsOwner { tool: Tool::ArgoCd, application, mark });
    if let Some(id) = annotation(object, TRACKING_ID) {
        // What is tracked by annotation is judged by it alone: that is the more exact of Argo CD's two ways.
        let (application, of) = id.split_once(':')?;
        return if is_of(object, of) {
            owned(application_of(application), Mark::Annotation(TRACKING_ID))
        } else {
            None
        };
    }
    if let Some(instance) = label(object, INSTANCE) {
        return owned(application_of(instance), Mark::Label(INSTANCE));
    }
    let manager = ARGO_MANAGERS.into_iter().find(|manager| is_manager(object, manager))?;
    owned(label(object, COMMON_INSTANCE).and_then(application_of), Mark::FieldManager(manager))
}

/// Takes away the labels of a copy by which the owner of the original would take it for its own, and prune it.
pub(crate) fn disown(original: &Value, labels: &mut Value) {
    let Some(labels) = labels.as_object_mut() else { return };
    labels.remove(INSTANCE);
    for flux in FLUX {
        labels.remove(flux.name);
        labels.remove(flux.namespace);
    }
    if owner(original).is_some_and(|owner| owner.tool == Tool::ArgoCd) {
        labels.remove(COMMON_INSTANCE);
    }
}

/// Whether the second part of a tracking id, `group/Kind:namespace/name`, names this object.
fn is_of(object: &Value, tracked: &str) -> bool {
    let Some((kind, place)) = tracked.split_once(':') else {
        return false;
    };
    let (group, kind) = kind.split_once('/').unwrap_or(("", kind));
    let (namespace, name) = place.split_once('/').unwrap_or(("", place));
    let api_version = object["apiVersion"].as_str();
    let own_group = api_version.map(|version| version.split_once('/').map_or("", |(group, _)| group));
    // Elements of a list come without their kind.
    own_group.is_none_or(|own| own == group)
        && object["kind"].as_str().is_none_or(|own| own == kind)
        && object["metadata"]["namespace"].as_str().unwrap_or_default() == namespace
        && object["metadata"]["name"] == name
}

/// An application as Argo CD writes it: `name`, or `namespace_name` outside its own namespace.
fn application_of(text: &str) -> Option<Application> {
    let (namespace, name) = text.split_once('_').map_or((None, text), |(space, name)| (Some(space), name));
    Some(Application { namespace: namespace.map(str::to_owned), name: name.to_owned() })
}

impl Flux {
    fn owner(&self, object: &Value) -> Option<GitOpsOwner> {
        if self.leaves_alone(object) {
            return None;
        }
        let owned = |application, mark| Some(GitOpsOwner { tool: self.tool, application, mark });
        if let Some(name) = label(object, self.name) {
            let namespace = label(object, self.namespace).map(str::to_owned);
            return owned(Some(Application { namespace, name: name.to_owned() }), Mark::Label(self.name));
        }
        is_manager(object, self.manager).then(|| owned(None, Mark::FieldManager(self.manager)))?
    }

    fn leaves_alone(&self, object: &Value) -> bool {
        let says = |name: &str, value: &str| {
            annotation(object, name).is_some_and(|found| found.eq_ignore_ascii_case(value))
        };
        match self.tool {
            Tool::FluxKustomize => {
                says("kustomize.toolkit.fluxcd.io/reconcile", "disabled")
                    || says("kustomize.toolkit.fluxcd.io/ssa", "ignore")
                    || says("kustomize.toolkit.fluxcd.io/ssa", "ifNotPresent")
            }
            // A HelmRelease writes its objects again with its next upgrade, whatever they say.
            Tool::FluxHelm | Tool::ArgoCd => false,
        }
    }
}

fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object["metadata"]["annotations"][name].as_str()
}

fn label<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object["metadata"]["labels"][name].as_str()
}

/// Whether somebody of that name set fields other than the status.
fn is_manager(object: &Value, name: &str) -> bool {
    let entries = object["metadata"]["managedFields"].as_array();
    entries.into_iter().flatten().any(|entry| entry["manager"] == name && entry["subresource"].is_null())
}

impl GitOpsOwner {
    /// What to do so that a change stays.
    pub(crate) fn mend(&self) -> String {
        let (name, namespace) = match &self.application {
            Some(Application { namespace, name }) => (name.as_str(), namespace.as_deref()),
            None => ("NAME", None),
        };
        let qualified = namespace.map_or_else(|| name.to_owned(), |space| format!("{space}/{name}"));
        let namespace = namespace.unwrap_or("NAMESPACE");
        match self.tool {
            Tool::ArgoCd => {
                format!("switch its sync off first: argocd app set {qualified} --sync-policy none")
            }
            Tool::FluxKustomize => {
                format!("suspend it first: flux suspend kustomization {name} -n {namespace}")
            }
            Tool::FluxHelm => format!("suspend it first: flux suspend helmrelease {name} -n {namespace}"),
        }
    }
}

impl fmt::Display for GitOpsOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.tool {
            Tool::ArgoCd => "Argo CD application",
            Tool::FluxKustomize => "Flux Kustomization",
            Tool::FluxHelm => "Flux HelmRelease",
        };
        match &self.application {
            Some(Application { namespace: Some(namespace), name }) => write!(f, "{what} {namespace}/{name}")?,
            Some(Application { namespace: None, name }) => write!(f, "{what} {name}")?,
            None if self.tool == Tool::ArgoCd => write!(f, "an {what}")?,
            None => write!(f, "a {what}")?,
        }
        write!(f, " (by its {})", self.mark)
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Annotation(name) => write!(f, "annotation {name}"),
            Self::Label(name) => write!(f, "label {name}"),
            Self::FieldManager(name) => write!(f, "field manager {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shop(metadata: Value) -> Value {
        let mut object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "prod", "name": "shop"}
        });
        object["metadata"].as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
        object
    }

    fn tracked(id: &str) -> Value {
        json!({"annotations": {"argocd.argoproj.io/tracking-id": id}})
    }

    fn flux(kind: &str, annotations: Value) -> Value {
        json!({
            "annotations": annotations,
            "labels": {
                format!("{kind}.toolkit.fluxcd.io/name"): "apps",
                format!("{kind}.toolkit.fluxcd.io/namespace"): "flux-system",
            },
        })
    }

    #[test]
    fn a_controller_is_known_by_what_it_leaves() {
        let managed =
            |manager: &str| json!({"managedFields": [{"manager": "kubectl"}, {"manager": manager}]});
        let instance = json!({"labels": {"argocd.argoproj.io/instance": "shop"}});
        let mut common = managed("argocd-controller");
        common["labels"] = json!({"app.kubernetes.io/instance": "shop"});
        let off = json!({"helm.toolkit.fluxcd.io/driftDetection": "disabled"});
        let cases = [
            (
                tracked("store:apps/Deployment:prod/shop"),
                "Argo CD application store (by its annotation argocd.argoproj.io/tracking-id)",
                "switch its sync off first: argocd app set store --sync-policy none",
            ),
            (
                tracked("team-a_store:apps/Deployment:prod/shop"),
                "Argo CD application team-a/store (by its annotation argocd.argoproj.io/tracking-id)",
                "switch its sync off first: argocd app set team-a/store --sync-policy none",
            ),
            (
                instance,
                "Argo CD application shop (by its label argocd.argoproj.io/instance)",
                "switch its sync off first: argocd app set shop --sync-policy none",
            ),
            (
                common,
                "Argo CD application shop (by its field manager argocd-controller)",
                "switch its sync off first: argocd app set shop --sync-policy none",
            ),
            (
                managed("argocd-application-controller"),
                "an Argo CD application (by its field manager argocd-application-controller)",
                "switch its sync off first: argocd app set NAME --sync-policy none",
            ),
            (
                flux("kustomize", json!({})),
                "Flux Kustomization flux-system/apps (by its label kustomize.toolkit.fluxcd.io/name)",
                "suspend it first: flux suspend kustomization apps -n flux-system",
            ),
            (
                flux("helm", off),
                "Flux HelmRelease flux-system/apps (by its label helm.toolkit.fluxcd.io/name)",
                "suspend it first: flux suspend helmrelease apps -n flux-system",
            ),
            (
                managed("helm-controller"),
                "a Flux HelmRelease (by its field manager helm-controller)",
                "suspend it first: flux suspend helmrelease NAME -n NAMESPACE",
            ),
        ];
        for (metadata, who, mend) in cases {
            let found = owner(&shop(metadata)).expect(who);
            assert_eq!((found.to_string().as_str(), found.mend().as_str()), (who, mend));
        }
    }

    #[test]
    fn whoever_leaves_it_alone_is_no_owner() {
        let unowned = [
            json!({}),
            json!({"labels": {"app.kubernetes.io/instance": "shop", "app.kubernetes.io/managed-by": "Helm"}}),
            json!({"managedFields": [{"manager": "kubectl-client-side-apply"}, {"manager": "hotfix"}]}),
            json!({"managedFields": [{"manager": "argocd-controller", "subresource": "status"}]}),
            tracked("store:apps/Deployment:prod/shop-hotfix"),
            tracked("store:apps/Deployment:staging/shop"),
            tracked("store:/Service:prod/shop"),
            tracked("nonsense"),
            flux("kustomize", json!({"kustomize.toolkit.fluxcd.io/reconcile": "disabled"})),
            flux("kustomize", json!({"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"})),
            flux("kustomize", json!({"kustomize.toolkit.fluxcd.io/ssa": "Ignore"})),
        ];
        for metadata in unowned {
            assert_eq!(owner(&shop(metadata.clone())), None, "{metadata}");
        }
    }

    #[test]
    fn a_copy_is_not_taken_for_the_owner_s_own() {
        let labels = json!({
            "app": "shop", INSTANCE: "store", COMMON_INSTANCE: "store", "kustomize.toolkit.fluxcd.io/name": "apps",
        });
        let mut copy = labels.clone();
        disown(&shop(json!({"labels": labels})), &mut copy);
        assert_eq!(copy, json!({"app": "shop"}));
        let mut copy = json!({COMMON_INSTANCE: "store"});
        disown(&shop(json!({"labels": copy})), &mut copy);
        assert_eq!(copy, json!({COMMON_INSTANCE: "store"}), "Helm and people set it as well");
    }

    #[test]
    fn objects_of_the_core_group_and_elements_of_lists_are_matched_too() {
        let service = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"namespace": "prod", "name": "shop", "annotations": {TRACKING_ID: "store:/Service:prod/shop"}},
        });
        assert_eq!(owner(&service).unwrap().tool, Tool::ArgoCd);
        let mut element = service;
        element.as_object_mut().unwrap().retain(|name, _| name == "metadata");
        assert_eq!(owner(&element).unwrap().tool, Tool::ArgoCd);
    }
}
