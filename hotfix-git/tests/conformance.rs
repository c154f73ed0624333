//! The port keeps its contract: alone, with a work tree, and with a remote.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hotfix_core::model::ObjectId;
use hotfix_git::Oid;
use hotfix_testkit::conformance::version_control::{
    self, CommitScript, History, Repository, VersionControlFixture,
};

use crate::fixture::source::{object, open_port};
use crate::fixture::{Sandbox, TestRepo};

/// Where the references that count are.
#[derive(Clone, Copy)]
enum Place {
    Bare,
    WorkTree,
    Remote,
}

struct Fixture {
    place: Place,
    /// Kept until the last case is done.
    sandboxes: Mutex<Vec<Sandbox>>,
}

impl Fixture {
    fn new(place: Place) -> Self {
        Self { place, sandboxes: Mutex::default() }
    }
}

#[async_trait]
impl VersionControlFixture for Fixture {
    async fn repository(&self, history: &History) -> Repository {
        let sandbox = Sandbox::new();
        let bare = sandbox.bare("bare.git");
        let commits = write(&bare, history);
        let url = format!("file://{}", bare.path.display());
        let control = match self.place {
            Place::Bare => open_port(&bare, None),
            Place::WorkTree => open_port(&clone(&sandbox, &url, "--mirror"), None),
            Place::Remote => open_port(&clone(&sandbox, &url, "--quiet"), Some("origin")),
        };
        self.sandboxes.lock().unwrap().push(sandbox);
        Repository { control: Arc::new(control), commits }
    }
}

/// Clones with a work tree on a detached HEAD; as a mirror, with every branch here instead of at `origin`.
fn clone(sandbox: &Sandbox, url: &str, mode: &str) -> TestRepo {
    let git_dir = if mode == "--mirror" { "work/.git" } else { "work" };
    sandbox.init(git_dir, &["clone", "--quiet", mode, url, "."]);
    let work = sandbox.at(sandbox.path().join("work"));
    if mode == "--mirror" {
        work.git(&["config", "core.bare", "false"]);
        work.git(&["reset", "--quiet", "--hard"]);
    }
    work.git(&["switch", "--quiet", "--detach"]);
    if mode != "--mirror" {
        work.git(&["branch", "--quiet", "--delete", "--force", "main"]);
    }
    work
}

fn write(repo: &TestRepo, history: &History) -> BTreeMap<&'static str, ObjectId> {
    let git = git2::Repository::open(&repo.path).unwrap();
    let mut ids: BTreeMap<&'static str, Oid> = BTreeMap::new();
    for script in history.commits {
        let id = write_commit(&git, script, &ids);
        ids.insert(script.name, id);
    }
    for (name, commit) in history.branches {
        git.reference(&format!("refs/heads/{name}"), ids[commit], true, "").unwrap();
    }
    for (name, commit) in history.tags {
        let target = git.find_object(ids[commit], None).unwrap();
        git.tag(name, &target, &somebody(), name, false).unwrap();
    }
    ids.into_iter().map(|(name, id)| (name, object(id))).collect()
}

fn write_commit(git: &git2::Repository, script: &CommitScript, ids: &BTreeMap<&'static str, Oid>) -> Oid {
    let parents: Vec<_> = script.parents.iter().map(|name| git.find_commit(ids[name]).unwrap()).collect();
    let mut index = git2::Index::new().unwrap();
    if let Some(first) = parents.first() {
        index.read_tree(&first.tree().unwrap()).unwrap();
    }
    for (path, content) in script.changes {
        match content {
            Some(content) => index.add(&entry(path, git.blob(content.as_bytes()).unwrap())).unwrap(),
            None => index.remove_path(path.as_ref()).unwrap(),
        }
    }
    let tree = git.find_tree(index.write_tree_to(git).unwrap()).unwrap();
    git.commit(None, &somebody(), &somebody(), script.message, &tree, &parents.iter().collect::<Vec<_>>())
        .unwrap()
}

fn somebody() -> git2::Signature<'static> {
    git2::Signature::new("Somebody", "somebody@example.com", &git2::Time::new(1_750_000_000, 0)).unwrap()
}

fn entry(path: &str, id: Oid) -> git2::IndexEntry {
    let zero = git2::IndexTime::new(0, 0);
    git2::IndexEntry {
        ctime: zero,
        mtime: zero,
        dev: 0,
        ino: 0,
        mode: 0o100_644,
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: path.into(),
    }
}

async fn keeps_every_case(place: Place) {
    let report = version_control::report(&Fixture::new(place)).await;
    report.assert_kept();
    assert_eq!(report.skipped(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_repository_keeps_every_case() {
    keeps_every_case(Place::Bare).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_with_a_work_tree_keeps_every_case() {
    keeps_every_case(Place::WorkTree).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_with_a_remote_keeps_every_case() {
    keeps_every_case(Place::Remote).await;
}
