//! Reading references: resolve, peel, list, and find out where a branch is checked out.

use std::path::{Path, PathBuf};

use git2::{ErrorCode, ObjectType, Oid, Repository};

use crate::error::Error;
use crate::repo::Repo;

/// A reference of the repository and what it points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefValue {
    /// The full name, such as `refs/tags/v1.4.2`.
    pub name: String,
    /// The object the reference holds: for an annotated tag the tag object.
    pub id: Oid,
    /// The commit it comes to when tags are peeled off, if it comes to one.
    pub commit: Option<Oid>,
}

impl Repo {
    /// Reads a reference by its full name. A missing one is `None`.
    ///
    /// # Errors
    /// [`Error::BadRefName`] when the name can be no reference.
    pub fn find_ref(&self, name: &str) -> Result<Option<RefValue>, Error> {
        let found = match self.git().find_reference(name).and_then(|found| found.resolve()) {
            Ok(found) => found,
            Err(missing) if missing.code() == ErrorCode::NotFound => return Ok(None),
            Err(other) => return Err(Error::lookup("read a reference", name)(other)),
        };
        let commit = found.peel_to_commit().ok().map(|commit| commit.id());
        Ok(found.target().map(|id| RefValue { name: name.to_owned(), id, commit }))
    }

    /// Resolves a revision as git does (`main`, `v1.2^{}`, `HEAD~2`, an abbreviated id) and peels it to its commit.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown revision and [`Error::WrongKind`] when it comes to no commit.
    pub fn resolve_commit(&self, revision: &str) -> Result<Oid, Error> {
        let object =
            self.git().revparse_single(revision).map_err(Error::lookup("resolve a revision", revision))?;
        let found = object.kind();
        object.peel(ObjectType::Commit).map(|commit| commit.id()).map_err(|_| Error::WrongKind {
            name: revision.to_owned(),
            wanted: "commit",
            found: found.map_or("object of an unknown kind", |kind| kind.str()),
        })
    }

    /// Lists the references below a prefix such as `refs/tags/`, sorted by name.
    ///
    /// # Errors
    /// [`Error::Library`] when the references cannot be read.
    pub fn list_refs(&self, prefix: &str) -> Result<Vec<RefValue>, Error> {
        let failed = "list references";
        let names = self.git().references_glob(&format!("{prefix}*")).map_err(Error::library(failed))?;
        let mut found = Vec::new();
        for reference in names {
            let reference = reference.map_err(Error::library(failed))?;
            let Ok(name) = reference.name() else { continue };
            found.extend(self.find_ref(name)?);
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// Lists the names of all tags without `refs/tags/`, sorted.
    ///
    /// # Errors
    /// [`Error::Library`] when the references cannot be read.
    pub fn tag_names(&self) -> Result<Vec<String>, Error> {
        let names = self.git().tag_names(None).map_err(Error::library("list tags"))?;
        let mut names: Vec<String> = names.iter().flatten().flatten().map(str::to_owned).collect();
        names.sort();
        Ok(names)
    }

    /// Returns the work tree that has the reference checked out, if one has.
    ///
    /// # Errors
    /// [`Error::Library`] when the work trees cannot be listed.
    pub fn checked_out_at(&self, name: &str) -> Result<Option<PathBuf>, Error> {
        let found = self.checked_out()?.into_iter().find(|(branch, _)| branch == name);
        Ok(found.map(|(_, work_tree)| work_tree))
    }

    /// Lists the branches that are checked out, with their work trees. One that is being rebased counts.
    ///
    /// # Errors
    /// [`Error::Library`] when the work trees cannot be listed.
    pub fn checked_out(&self) -> Result<Vec<(String, PathBuf)>, Error> {
        let failed = "list work trees";
        let common = self.common_dir();
        let main = Repository::open(common).map_err(Error::library(failed))?;
        let mut found = Vec::new();
        if let Some(work_tree) = main.workdir() {
            found.extend(branches_of(common).map(|branch| (branch, work_tree.to_path_buf())));
        }
        for linked in &main.worktrees().map_err(Error::library(failed))? {
            let Ok(Some(linked)) = linked else { continue };
            let work_tree = main.find_worktree(linked).map_err(Error::library(failed))?.path().to_path_buf();
            let private = common.join("worktrees").join(linked);
            found.extend(branches_of(&private).map(|branch| (branch, work_tree.clone())));
        }
        found.sort();
        found.dedup();
        Ok(found)
    }
}

/// Reads which branches the work tree with this git folder holds: HEAD's, and the one a rebase will move.
fn branches_of(git_dir: &Path) -> impl Iterator<Item = String> {
    let files = ["HEAD", "rebase-merge/head-name", "rebase-apply/head-name"].map(|file| git_dir.join(file));
    files.into_iter().filter_map(|file| {
        let content = std::fs::read_to_string(file).ok()?;
        let name = content.strip_prefix("ref:").unwrap_or(&content).trim();
        name.starts_with("refs/").then(|| name.to_owned())
    })
}
