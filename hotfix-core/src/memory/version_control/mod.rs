//! The reference [`VersionControl`]: a repository without a disk, a work tree or a remote.

mod compose;
mod diff;
mod merge;
mod objects;
mod refs;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;

use self::objects::{Commit, Found, Signature, Tag, find};
use self::refs::Repository;
use super::lock;
use super::script::{DOWN, Link, Network, Trouble};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{BranchName, IdempotencyKey, ObjectId, RefBatch, RefName, ServiceName, Stamp, TagName};
use crate::port::{
    Atomicity, Call, Composed, Identity, Probe, Recipe, Reply, Seal, SourceFacts, SourceQuery,
    VersionControl, VersionControlCapabilities,
};

/// A repository that exists only in memory.
///
/// Objects are named by the SHA-256 of their content, cut to forty digits, so equal histories have equal ids. Merges
/// work on whole files: a file that both sides changed differently is a conflict. Each accepted batch is recorded in
/// [`MemoryVersionControl::accepted`], independently of what the caller heard.
///
/// ```
/// use hotfix_core::memory::MemoryVersionControl;
/// use hotfix_core::model::BranchName;
///
/// let git = MemoryVersionControl::new();
/// let first = git.commit(&[], &[("src/main.rs", Some("fn main() {}"))], "begin");
/// git.set_branch(&BranchName::new("main")?, Some(&first));
/// assert_eq!(git.read("main", "src/main.rs").as_deref(), Some("fn main() {}"));
/// # Ok::<(), hotfix_core::model::InvalidValue>(())
/// ```
#[derive(Clone, Default)]
pub struct MemoryVersionControl(Arc<Mutex<World>>);

#[derive(Default)]
struct World {
    repository: Repository,
    network: Network<Request>,
}

#[derive(Clone)]
struct Request {
    call: Call,
    service: ServiceName,
    batch: RefBatch,
}

/// A batch that the repository accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedBatch {
    /// Whose fence it passed.
    pub service: ServiceName,
    /// Its stamp.
    pub stamp: Stamp,
    /// Its key.
    pub key: IdempotencyKey,
    /// What moved.
    pub batch: RefBatch,
}

impl MemoryVersionControl {
    /// Builds an empty repository.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a commit: the files of the first parent with the changes applied; `None` deletes a file. Moves no
    /// reference. Author and time are the same for all commits written this way.
    ///
    /// # Panics
    /// If a parent does not exist.
    #[must_use = "no reference holds the commit yet"]
    pub fn commit(&self, parents: &[ObjectId], changes: &[(&str, Option<&str>)], message: &str) -> ObjectId {
        let objects = &mut self.lock().repository.objects;
        for parent in parents {
            assert!(objects.commit(parent).is_some(), "parent {parent} does not exist");
        }
        let mut files = parents.first().map(|parent| objects.files(parent)).unwrap_or_default();
        for (path, content) in changes {
            match content {
                Some(content) => files.insert((*path).to_owned(), (*content).to_owned()),
                None => files.remove(*path),
            };
        }
        let tree = objects.write_tree(files);
        objects.write_commit(Commit {
            tree,
            parents: parents.to_vec(),
            author: somebody(),
            committer: somebody(),
            message: message.to_owned(),
        })
    }

    /// Moves, creates or deletes a branch behind everybody's back, without a stamp.
    ///
    /// # Panics
    /// If the commit does not exist.
    pub fn set_branch(&self, branch: &BranchName, commit: Option<&ObjectId>) {
        let repository = &mut self.lock().repository;
        if let Some(commit) = commit {
            assert!(repository.objects.commit(commit).is_some(), "commit {commit} does not exist");
        }
        repository.set(&RefName::branch(branch), commit.cloned());
    }

    /// Creates an annotated tag behind everybody's back.
    ///
    /// # Panics
    /// If the commit does not exist.
    pub fn set_tag(&self, name: &TagName, commit: &ObjectId) {
        let repository = &mut self.lock().repository;
        assert!(repository.objects.commit(commit).is_some(), "commit {commit} does not exist");
        let tag = repository.objects.write_tag(Tag {
            name: name.clone(),
            commit: commit.clone(),
            tagger: somebody(),
            message: name.to_string(),
        });
        repository.set(&RefName::tag(name), Some(tag));
    }

    /// Marks a branch as checked out in a work tree: it cannot be moved from then on.
    pub fn check_out(&self, branch: &BranchName) {
        self.lock().repository.checked_out.insert(RefName::branch(branch));
    }

    /// Returns the commit of a revision: a full reference, a tag, a branch, or the digits of an id.
    #[must_use]
    pub fn resolve(&self, revision: &str) -> Option<ObjectId> {
        self.lock().repository.resolve(revision)
    }

    /// Returns a file of a revision.
    #[must_use]
    pub fn read(&self, revision: &str, path: &str) -> Option<String> {
        let repository = &self.lock().repository;
        repository.objects.files(&repository.resolve(revision)?).remove(path)
    }

    /// Returns every reference with what it holds, tags not peeled.
    #[must_use]
    pub fn references(&self) -> BTreeMap<RefName, ObjectId> {
        self.lock().repository.refs.clone()
    }

    /// Scripts what happens to the next call of `apply` for which nothing is scripted yet.
    pub fn trouble(&self, trouble: Trouble) {
        self.lock().network.add(trouble);
    }

    /// Cuts or restores the link to the repository.
    pub fn set_link(&self, link: Link) {
        self.lock().network.link = link;
    }

    /// Delivers the requests that were held, in the order they were sent, and returns what was answered to nobody.
    pub fn deliver_held(&self) -> Vec<Reply> {
        self.lock().deliver_held()
    }

    /// Returns the batches that were accepted, in order, of all services.
    #[must_use]
    pub fn accepted(&self) -> Vec<AcceptedBatch> {
        self.lock().repository.accepted.clone()
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        lock(&self.0)
    }

    fn reach(&self, operation: &'static str) -> Result<MutexGuard<'_, World>> {
        let world = self.lock();
        if world.network.link == Link::Down {
            return Err(Error::new(ErrorKind::Unavailable, operation, DOWN));
        }
        Ok(world)
    }
}

impl World {
    fn send(&mut self, request: Request) -> Reply {
        let repository = &mut self.repository;
        self.network.send(request, |request| request.arrive(repository))
    }

    fn deliver_held(&mut self) -> Vec<Reply> {
        let repository = &mut self.repository;
        self.network.deliver(|request| request.arrive(repository))
    }
}

impl Request {
    fn arrive(&self, repository: &mut Repository) -> Reply {
        repository.apply(&self.call, &self.service, &self.batch)
    }
}

/// Who wrote what was there before.
fn somebody() -> Signature {
    Signature {
        who: Identity { name: "Somebody".to_owned(), email: "somebody@example.com".to_owned() },
        at: chrono::DateTime::UNIX_EPOCH,
    }
}

impl fmt::Debug for MemoryVersionControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryVersionControl").finish_non_exhaustive()
    }
}

#[async_trait]
impl VersionControl for MemoryVersionControl {
    fn capabilities(&self) -> VersionControlCapabilities {
        VersionControlCapabilities { atomic: Atomicity::AllOrNothing, remote: None }
    }

    async fn observe(&self, query: &SourceQuery) -> Result<SourceFacts> {
        let world = self.reach("version_control.observe")?;
        let repository = &world.repository;
        let peeled = |name: &RefName| repository.refs.get(name).and_then(|id| repository.objects.peel(id));
        let fence = repository.fences.get(&query.service);
        Ok(SourceFacts {
            refs: query.refs.iter().map(|name| (name.clone(), peeled(name))).collect(),
            revisions: query.revisions.iter().map(|text| (text.clone(), repository.resolve(text))).collect(),
            diverged: BTreeMap::new(),
            tags: repository.tags(),
            checked_out: repository.checked_out.iter().cloned().collect(),
            stamp: fence.map_or(Stamp::ZERO, |fence| fence.current()),
        })
    }

    async fn read_file(&self, commit: &ObjectId, path: &str) -> Result<Option<String>> {
        const OPERATION: &str = "version_control.read_file";
        let world = self.reach(OPERATION)?;
        let objects = &world.repository.objects;
        if objects.commit(commit).is_none() {
            return Err(Error::new(ErrorKind::NotFound, OPERATION, "no such commit").with("commit", commit));
        }
        match find(&objects.files(commit), path) {
            Found::File(text) => Ok(Some(text.to_owned())),
            Found::Nothing => Ok(None),
            Found::Other => {
                Err(Error::new(ErrorKind::Invalid, OPERATION, "something else than a file is there")
                    .with("path", path))
            }
        }
    }

    async fn compose(&self, recipe: &Recipe) -> Result<Vec<Composed>> {
        compose::compose(&mut self.lock().repository.objects, recipe)
    }

    async fn apply(&self, call: &Call, service: &ServiceName, batch: &RefBatch) -> Reply {
        self.lock().send(Request { call: call.clone(), service: service.clone(), batch: batch.clone() })
    }

    async fn seal(&self, service: &ServiceName, stamp: Stamp) -> Seal {
        match self.reach("version_control.seal") {
            Ok(mut world) => world.repository.fences.entry(service.clone()).or_default().seal(stamp),
            Err(error) => Seal::Unreachable { cause: error.to_string() },
        }
    }

    async fn probe(&self, service: &ServiceName, key: &IdempotencyKey) -> Probe {
        let world = match self.reach("version_control.probe") {
            Ok(world) => world,
            Err(error) => {
                return Probe::Unreadable { cause: error.to_string() };
            }
        };
        let receipt = world.repository.fences.get(service).and_then(|fence| fence.receipt(key));
        receipt.map_or(Probe::NotApplied, Probe::Applied)
    }
}
