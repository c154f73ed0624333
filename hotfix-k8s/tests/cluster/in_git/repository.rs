//! The configuration repository of a team: a bare one that counts, and the clone that the deployer works on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use git2::{Repository, Signature, Time};
use hotfix_engine::SystemClock;
use hotfix_git::{GitConfig, GitVersionControl};

/// The branch that the owner follows.
pub(crate) const BRANCH: &str = "main";

pub(crate) struct Fleet {
    folder: tempfile::TempDir,
}

/// A commit, as `git log` tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) subject: String,
    pub(crate) message: String,
    /// The paths that differ from the parent.
    pub(crate) paths: Vec<String>,
}

impl Fleet {
    /// Makes a repository with these files in one commit.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let fleet = Self { folder };
        let mut options = git2::RepositoryInitOptions::new();
        options.bare(true).initial_head(BRANCH);
        Repository::init_opts(fleet.path(), &options).expect("a repository");
        fleet.commit("Begin", files);
        fleet
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("fleet.git")
    }

    /// Commits on top of the branch as somebody else does.
    pub(crate) fn commit(&self, message: &str, files: &[(&str, &str)]) {
        let git = Repository::open(self.path()).expect("a repository");
        let name = format!("refs/heads/{BRANCH}");
        let parent = git.refname_to_id(&name).ok().map(|id| git.find_commit(id).expect("a commit"));
        let base = match &parent {
            Some(parent) => parent.tree_id(),
            None => git.treebuilder(None).and_then(|empty| empty.write()).expect("written"),
        };
        let mut changes = git2::build::TreeUpdateBuilder::new();
        for (path, text) in files {
            changes.upsert(*path, git.blob(text.as_bytes()).expect("written"), git2::FileMode::Blob);
        }
        let tree = changes.create_updated(&git, &git.find_tree(base).expect("a tree")).expect("written");
        let tree = git.find_tree(tree).expect("a tree");
        let who = Signature::new("Ada", "ada@example.test", &Time::new(1_760_000_000, 0)).expect("a person");
        let parents: Vec<_> = parent.iter().collect();
        git.commit(Some(&name), &who, &who, message, &tree, &parents).expect("committed");
    }

    /// The file at the head of the branch.
    pub(crate) fn show(&self, path: &str) -> String {
        show(&self.path(), BRANCH, path).expect("a file")
    }

    /// The history of the branch, oldest first.
    pub(crate) fn log(&self) -> Vec<Told> {
        let git = Repository::open(self.path()).expect("a repository");
        let mut walk = git.revwalk().expect("a walk");
        walk.set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::REVERSE).expect("sorted");
        walk.push_ref(&format!("refs/heads/{BRANCH}")).expect("the branch");
        walk.map(|id| told(&git, id.expect("an id"))).collect()
    }

    /// A clone as another process has it.
    pub(crate) fn clone_for(&self, worker: &str) -> Arc<GitVersionControl> {
        let path = self.folder.path().join(worker);
        let url = format!("file://{}", self.path().display());
        git2::build::RepoBuilder::new().bare(true).clone(&url, &path).expect("a clone");
        let config = GitConfig { path, remote: Some("origin".to_owned()), ..GitConfig::default() };
        Arc::new(GitVersionControl::new(config, Arc::new(SystemClock)).expect("a sound clone"))
    }
}

/// A file of a branch.
pub(super) fn show(repository: &Path, branch: &str, path: &str) -> Option<String> {
    let git = Repository::open(repository).ok()?;
    let commit = git.find_reference(&format!("refs/heads/{branch}")).ok()?.peel_to_commit().ok()?;
    let entry = commit.tree().ok()?.get_path(Path::new(path)).ok()?;
    let blob = git.find_blob(entry.id()).ok()?;
    String::from_utf8(blob.content().to_vec()).ok()
}

fn told(git: &Repository, id: git2::Oid) -> Told {
    let commit = git.find_commit(id).expect("a commit");
    let before = commit.parent(0).ok().map(|parent| parent.tree().expect("a tree"));
    let after = commit.tree().expect("a tree");
    let diff = git.diff_tree_to_tree(before.as_ref(), Some(&after), None).expect("a difference");
    let path = |delta: git2::DiffDelta<'_>| delta.new_file().path().map(|path| path.display().to_string());
    Told {
        subject: commit.summary().ok().flatten().unwrap_or_default().to_owned(),
        message: commit.message().unwrap_or_default().to_owned(),
        paths: diff.deltas().filter_map(path).collect(),
    }
}
