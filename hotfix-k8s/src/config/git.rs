//! Where a release is written when the source of truth is a file in git.

use std::collections::BTreeSet;

use hotfix_core::model::{BranchName, ServiceName};
use hotfix_core::port::Identity;
use serde::{Deserialize, Serialize};

use super::Odd;
use crate::sync::SyncOwner;

/// A file in git from which the owners of a Deployment apply it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InGit {
    /// Who applies it. They are asked to look when something was written.
    pub owners: BTreeSet<SyncOwner>,
    /// The repository, by the name under which
    /// [`with_repository`](crate::KubernetesDeployer::with_repository) was given it.
    pub repository: String,
    /// The name of the fence in that repository. No other target, and no service that is released from the repository,
    /// may have the same one.
    pub service: ServiceName,
    /// The branch that the owners follow.
    pub branch: BranchName,
    /// The path of the file, from the root of the repository.
    pub file: String,
    /// How the image stands in it.
    pub image: ImagePlace,
    /// Author and committer of what is written.
    #[serde(default = "somebody")]
    pub identity: Identity,
}

fn somebody() -> Identity {
    Identity { name: "hotfix".to_owned(), email: "hotfix@localhost".to_owned() }
}

/// How an image stands in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum ImagePlace {
    /// In the manifest of the Deployment, which may be one of several documents.
    Manifest,
    /// In the entry of that name in `images` of a Kustomization: what it has of `newName`, `newTag` and `digest`.
    Kustomization {
        /// The name of the image in the bases.
        name: String,
    },
    /// In values of a Helm chart. Paths are keys with dots between them, such as `image.tag`; a number is a place in a
    /// list.
    Values(ImageValues),
}

/// The values that name an image: `reference` alone, or others of which one is `tag` or `digest`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImageValues {
    /// The path of the whole reference.
    pub reference: Option<String>,
    /// The path of the name, with or without a registry.
    pub repository: Option<String>,
    /// The path of the tag.
    pub tag: Option<String>,
    /// The path of the digest, `sha256:…`.
    pub digest: Option<String>,
}

impl InGit {
    /// Returns a field with a value that cannot be used, and the mend.
    pub(crate) fn check(&self) -> Result<(), Odd> {
        let is_path = |text: &str| {
            !text.split('/').any(|part| matches!(part, "" | "." | ".." | ".git")) && !text.contains('\\')
        };
        if self.owners.is_empty() {
            return Err(("on_gitops.git.owners", String::new(), "name at least one owner"));
        }
        if self.repository.is_empty() {
            let mend = "name a repository that the deployer is given";
            return Err(("on_gitops.git.repository", String::new(), mend));
        }
        if !is_path(&self.file) {
            let mend = "name a file by its path from the root of the repository, such as apps/shop.yaml";
            return Err(("on_gitops.git.file", self.file.clone(), mend));
        }
        match &self.image {
            ImagePlace::Manifest => Ok(()),
            ImagePlace::Kustomization { name } if name.is_empty() => {
                Err(("on_gitops.git.image.kustomization.name", name.clone(), "name the image of the bases"))
            }
            ImagePlace::Kustomization { .. } => Ok(()),
            ImagePlace::Values(values) => values.check(),
        }
    }
}

impl ImageValues {
    fn check(&self) -> Result<(), Odd> {
        let Self { reference, repository, tag, digest } = self;
        let others = repository.is_some() || tag.is_some() || digest.is_some();
        let is_pinned = tag.is_some() || digest.is_some();
        if reference.is_some() == others || (others && !is_pinned) {
            let mend = "give the path of the reference alone, or of the tag, the digest or both";
            return Err(("on_gitops.git.image.values", format!("{self:?}"), mend));
        }
        let paths = [reference, repository, tag, digest].into_iter().flatten();
        let odd = |path: &&String| path.split('.').any(str::is_empty);
        match paths.clone().find(odd) {
            Some(path) => Err((
                "on_gitops.git.image.values",
                path.clone(),
                "write paths as keys with dots between them",
            )),
            None => Ok(()),
        }
    }
}
