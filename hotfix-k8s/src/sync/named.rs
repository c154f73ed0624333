//! The owners that a target names.

use serde::{Deserialize, Serialize};

use crate::config::{InGit, OnGitOps, is_name};
use crate::gitops::{GitOpsOwner, Tool};
use crate::object::ObjectRef;

/// What a GitOps controller applies the objects of a target from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum SyncOwner {
    /// An Application of Argo CD. It may not be made by an ApplicationSet or applied by another Application, which would
    /// switch its sync on again.
    ArgoCd {
        /// Its namespace.
        #[serde(default = "argo_cd")]
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A Kustomization of Flux. What applies it may not say whether it is suspended.
    FluxKustomization {
        /// Its namespace.
        #[serde(default = "flux_system")]
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A HelmRelease of Flux. What applies it may not say whether it is suspended.
    FluxHelmRelease {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

fn argo_cd() -> String {
    "argocd".to_owned()
}

fn flux_system() -> String {
    "flux-system".to_owned()
}

impl SyncOwner {
    /// Returns the object.
    pub(crate) fn object(&self) -> ObjectRef {
        let (api_version, kind, namespace, name) = match self {
            Self::ArgoCd { namespace, name } => ("argoproj.io/v1alpha1", "Application", namespace, name),
            Self::FluxKustomization { namespace, name } => {
                ("kustomize.toolkit.fluxcd.io/v1", "Kustomization", namespace, name)
            }
            Self::FluxHelmRelease { namespace, name } => {
                ("helm.toolkit.fluxcd.io/v2", "HelmRelease", namespace, name)
            }
        };
        ObjectRef { api_version, kind, namespace: namespace.clone(), name: name.clone() }
    }

    pub(crate) const fn tool(&self) -> Tool {
        match self {
            Self::ArgoCd { .. } => Tool::ArgoCd,
            Self::FluxKustomization { .. } => Tool::FluxKustomize,
            Self::FluxHelmRelease { .. } => Tool::FluxHelm,
        }
    }

    /// Whether this is who left the mark on an object; what the mark leaves open is taken as said here.
    fn is(&self, owner: &GitOpsOwner) -> bool {
        let object = self.object();
        let named = owner.application.as_ref();
        self.tool() == owner.tool
            && named.is_none_or(|named| {
                named.name == object.name
                    && named.namespace.as_ref().is_none_or(|namespace| *namespace == object.namespace)
            })
    }
}

/// Somebody owns an object whom the target does not name.
pub(crate) struct Unnamed {
    /// What to do, beside naming it.
    pub(crate) mend: String,
}

impl OnGitOps {
    /// Returns the owners whose sync is paused.
    pub(crate) fn named(&self) -> impl Iterator<Item = &SyncOwner> {
        match self {
            Self::Refuse | Self::Git(_) => None,
            Self::Pause(owners) => Some(owners),
        }
        .into_iter()
        .flatten()
    }

    /// Returns all owners that are named.
    pub(crate) fn owners(&self) -> impl Iterator<Item = &SyncOwner> {
        match self {
            Self::Refuse => None,
            Self::Pause(owners) => Some(owners),
            Self::Git(git) => Some(&git.owners),
        }
        .into_iter()
        .flatten()
    }

    /// Returns where the image is written instead.
    pub(crate) fn in_git(&self) -> Option<&InGit> {
        match self {
            Self::Refuse | Self::Pause(_) => None,
            Self::Git(git) => Some(git),
        }
    }

    /// Whether an owner is among those that are named.
    pub(crate) fn knows(&self, owner: &GitOpsOwner) -> Result<(), Unnamed> {
        match self {
            Self::Refuse => Err(Unnamed { mend: owner.mend() }),
            Self::Pause(_) | Self::Git(_) if self.owners().any(|named| named.is(owner)) => Ok(()),
            Self::Pause(_) => {
                Err(Unnamed { mend: format!("name it in on_gitops.pause, or {}", owner.mend()) })
            }
            Self::Git(_) => Err(Unnamed { mend: "name it in on_gitops.git.owners".to_owned() }),
        }
    }

    /// Returns a field with a value that cannot be used, and the mend.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String, &'static str)> {
        let field = match self {
            Self::Refuse => return Ok(()),
            Self::Pause(owners) if owners.is_empty() => {
                return Err(("on_gitops.pause", String::new(), "name at least one owner, or refuse"));
            }
            Self::Pause(_) => "on_gitops.pause",
            Self::Git(git) => {
                git.check()?;
                "on_gitops.git.owners"
            }
        };
        for object in self.owners().map(SyncOwner::object) {
            for text in [object.namespace, object.name] {
                if !is_name(&text) {
                    let mend = "name objects of the cluster: lower-case letters, digits and inner dashes";
                    return Err((field, text, mend));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::gitops;

    fn pause(text: &str) -> OnGitOps {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn an_owner_is_known_by_what_it_left_and_the_rest_as_it_is_named() {
        let on =
            pause(r#"{"pause": [{"argo_cd": {"name": "store"}}, {"flux_kustomization": {"name": "apps"}}]}"#);
        let labelled =
            |label: &str, value: &str| json!({"metadata": {"name": "shop", "labels": {label: value}}});
        let managed =
            |manager: &str| json!({"metadata": {"name": "shop", "managedFields": [{"manager": manager}]}});
        let cases = [
            (labelled("argocd.argoproj.io/instance", "store"), true),
            (labelled("argocd.argoproj.io/instance", "argocd_store"), true),
            (labelled("argocd.argoproj.io/instance", "team_store"), false),
            (labelled("argocd.argoproj.io/instance", "other"), false),
            (labelled("kustomize.toolkit.fluxcd.io/name", "apps"), true),
            (labelled("helm.toolkit.fluxcd.io/name", "apps"), false),
            (managed("argocd-controller"), true),
            (managed("helm-controller"), false),
        ];
        for (object, known) in cases {
            let owner = gitops::owner(&object).unwrap();
            assert_eq!(on.knows(&owner).is_ok(), known, "{owner}");
            assert!(OnGitOps::Refuse.knows(&owner).is_err(), "{owner}");
        }
    }

    #[test]
    fn an_owner_that_would_apply_what_is_in_git_is_named_and_not_paused() {
        let on: OnGitOps = serde_json::from_str(
            r#"{"git": {
                "owners": [{"argo_cd": {"name": "store"}}], "repository": "fleet", "service": "shop",
                "branch": "main", "file": "shop.yaml", "image": {"values": {"tag": "image.tag"}}
            }}"#,
        )
        .unwrap();
        assert_eq!(on.check(), Ok(()));
        assert_eq!((on.named().count(), on.owners().count()), (0, 1));
        let labelled = |value: &str| json!({"metadata": {"labels": {"argocd.argoproj.io/instance": value}}});
        assert!(on.knows(&gitops::owner(&labelled("store")).unwrap()).is_ok());
        let other = on.knows(&gitops::owner(&labelled("other")).unwrap()).unwrap_err();
        assert_eq!(other.mend, "name it in on_gitops.git.owners");
        let OnGitOps::Git(mut git) = on else { unreachable!("it was read so") };
        for (image, field) in [
            (json!({"values": {}}), "on_gitops.git.image.values"),
            (json!({"values": {"repository": "image.name"}}), "on_gitops.git.image.values"),
            (json!({"values": {"reference": "image", "tag": "tag"}}), "on_gitops.git.image.values"),
            (json!({"values": {"tag": "image..tag"}}), "on_gitops.git.image.values"),
            (json!({"kustomization": {"name": ""}}), "on_gitops.git.image.kustomization.name"),
        ] {
            git.image = serde_json::from_value(image).unwrap();
            assert_eq!(git.check().unwrap_err().0, field, "{:?}", git.image);
        }
        git.owners.clear();
        assert_eq!(OnGitOps::Git(git).check().unwrap_err().0, "on_gitops.git.owners");
    }

    #[test]
    fn a_pause_names_sound_objects() {
        assert_eq!(pause(r#"{"pause": [{"argo_cd": {"name": "store"}}]}"#).check(), Ok(()));
        assert_eq!(pause(r#"{"pause": []}"#).check().unwrap_err().1, "");
        let odd = pause(r#"{"pause": [{"flux_helm_release": {"namespace": "prod", "name": "Shop"}}]}"#);
        assert_eq!(odd.check().unwrap_err().1, "Shop");
        assert!(
            serde_json::from_str::<OnGitOps>(r#"{"pause": [{"argo_cd": {"name": "a", "x": 1}}]}"#).is_err()
        );
    }
}
