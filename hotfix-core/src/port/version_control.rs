//! `VersionControl`: content first, references last.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Call, Probe, Reply, Seal};
use crate::error::Result;
use crate::model::{IdempotencyKey, ObjectId, RefBatch, RefName, ServiceName, Stamp, TagName, Timestamp};

/// Reads a repository, composes commits in its object database and moves references.
///
/// # Contract
/// Nothing here touches a work tree, an index or HEAD. [`VersionControl::compose`] only adds objects that no
/// reference names yet; the one way to change what others see is [`VersionControl::apply`], which moves a batch of
/// references together or not at all, on the remote first where there is one.
/// Everything is fenced per service (see [`Fenced::Source`](crate::model::Fenced::Source)).
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait VersionControl: Debug + Send + Sync {
    /// Returns what this backend can do.
    fn capabilities(&self) -> VersionControlCapabilities;

    /// Reads references, tags and the fence.
    ///
    /// *Errors*: `Unavailable` or `Timeout` when a fetch was asked for and failed; `Unauthenticated`, `Forbidden`.
    async fn observe(&self, query: &SourceQuery) -> Result<SourceFacts>;

    /// Reads a text file of a commit, as it is stored; `None`: the commit has nothing at the path.
    ///
    /// *Errors*: `NotFound` when the commit does not exist here, `Invalid` when something else than a file is at the
    /// path (a folder, a link, a submodule) or the file is not UTF-8. *Cancellation*: leaves nothing.
    async fn read_file(&self, commit: &ObjectId, path: &str) -> Result<Option<String>>;

    /// Composes commits and tags from a recipe. The same recipe gives the same ids, because author, committer and
    /// times come from it.
    ///
    /// *Errors*: `NotFound` when a commit of the recipe does not exist, `Invalid` when an instruction makes no
    /// sense (a merge commit to pick). A conflict is an answer, not an error.
    /// *Atomicity*: no reference moves. *Idempotency*: complete.
    async fn compose(&self, recipe: &Recipe) -> Result<Vec<Composed>>;

    /// Moves the references of the batch from their old to their new values, all or none, and the fence with them.
    ///
    /// *Errors*: in the reply. A reference that does not hold its old value is
    /// [`Conflict::Drifted`](super::Conflict::Drifted); a server's refusal is `Rejected` with the server's words.
    /// *Idempotency*: a key that was applied is not applied again; a repeat completes what a crash left undone
    /// locally.
    /// *Cancellation*: the outcome is unknown.
    async fn apply(&self, call: &Call, service: &ServiceName, batch: &RefBatch) -> Reply;

    /// Raises the fence of the service to `stamp` and changes nothing else.
    async fn seal(&self, service: &ServiceName, stamp: Stamp) -> Seal;

    /// Tells whether a key was applied, from the remote where there is one.
    async fn probe(&self, service: &ServiceName, key: &IdempotencyKey) -> Probe;
}

/// What a version control backend can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionControlCapabilities {
    /// Whether references move together or not at all, on the remote too.
    pub atomic: Atomicity,
    /// The remote that references are pushed to, by name; `None`: this repository is all there is.
    pub remote: Option<String>,
}

/// Whether a batch can be applied in part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Atomicity {
    /// All references or none.
    AllOrNothing,
    /// A crash or a refusal can leave some moved.
    PerReference,
}

/// Whether the remote is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FetchMode {
    /// Fetch first; facts are the remote's. Without a remote the same as `Local`.
    Remote,
    /// Only read what is here.
    Local,
}

/// What to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceQuery {
    /// Whose fence to read.
    pub service: ServiceName,
    /// The references to resolve.
    pub refs: Vec<RefName>,
    /// Revisions to resolve to a commit, in whatever notation the backend knows.
    pub revisions: Vec<String>,
    /// Where from.
    pub fetch: FetchMode,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFacts {
    /// What each asked reference holds, peeled to a commit; `None`: it does not exist.
    /// With a remote these are the remote's values.
    pub refs: BTreeMap<RefName, Option<ObjectId>>,
    /// What each asked revision resolves to; `None`: nothing.
    pub revisions: BTreeMap<String, Option<ObjectId>>,
    /// References of this repository that differ from the remote's, with what they hold here. Empty without a remote.
    pub diverged: BTreeMap<RefName, Option<ObjectId>>,
    /// Every tag, here and on the remote.
    pub tags: BTreeMap<TagName, TagFact>,
    /// Branches that cannot be moved because they are checked out in a work tree of this repository. Empty with a remote,
    /// whose branches move: a work tree here then is behind, as after anybody's push.
    pub checked_out: Vec<RefName>,
    /// The highest stamp accepted so far.
    pub stamp: Stamp,
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagFact {
    /// The commit it names, peeled.
    pub commit: ObjectId,
    /// The tree of that commit.
    pub tree: ObjectId,
}

/// Who writes a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
}

/// Instructions for [`VersionControl::compose`], each of which may build on an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// Committer of every commit and tagger of every tag. Picked commits keep their author.
    pub identity: Identity,
    /// Committer and tagger time.
    pub at: Timestamp,
    /// What to do, in order.
    pub instructions: Vec<Instruction>,
}

/// A commit: one that exists, or the one an earlier instruction made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    /// This commit.
    Commit(ObjectId),
    /// The commit of the instruction with this index. If that one made nothing new, the commit it started from.
    Made(usize),
}

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Instruction {
    /// Cherry-picks commits, in order.
    Pick {
        /// What to start from.
        onto: Point,
        /// The commits.
        commits: Vec<ObjectId>,
    },
    /// Merges with two parents, never fast-forward. Unchanged if `from` is already contained in `into`.
    Merge {
        /// The first parent.
        into: Point,
        /// The second parent.
        from: Point,
        /// The commit message.
        message: String,
    },
    /// Replaces the contents of one file. Its mode and everything else stay. Unchanged if it has these contents. A file
    /// that is not there, and something else than a file, is a conflict.
    Write {
        /// What to start from, and the only parent.
        onto: Point,
        /// The path of the file.
        path: String,
        /// What it holds afterwards.
        contents: String,
        /// The commit message.
        message: String,
    },
    /// Makes an annotated tag object.
    Tag {
        /// Its name.
        name: TagName,
        /// What it names.
        on: Point,
        /// The tag message.
        message: String,
    },
    /// Measures the difference between two commits.
    Diff {
        /// Before.
        from: Point,
        /// After.
        to: Point,
    },
}

/// What an instruction gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "gave")]
pub enum Composed {
    /// A new commit.
    Commit {
        /// Its id.
        id: ObjectId,
        /// Its tree.
        tree: ObjectId,
    },
    /// A new tag object.
    Tag {
        /// Its id.
        id: ObjectId,
    },
    /// Nothing had to be made: the changes are there already.
    Unchanged {
        /// The commit that has them.
        id: ObjectId,
        /// Its tree.
        tree: ObjectId,
    },
    /// It cannot be done without a human. Nothing was made and nothing was marked.
    Conflict {
        /// Where.
        paths: Vec<ConflictPath>,
    },
    /// An instruction it builds on made nothing.
    Skipped,
    /// A measure.
    Diff(DiffSize),
}

/// One path that needs a human.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictPath {
    /// The path.
    pub path: String,
    /// What is wrong.
    pub kind: ConflictKind,
    /// The blobs of base, ours and theirs.
    pub blobs: [Option<ObjectId>; 3],
}

/// What kind of conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ConflictKind {
    /// Both sides changed the same lines.
    Content,
    /// One side changed what the other deleted.
    ModifyDelete,
    /// Both sides added different things.
    BothAdded,
    /// A file on one side, a folder, link or submodule on the other.
    Type,
    /// Both sides changed the mode differently.
    Mode,
    /// The file was renamed to more than one place.
    AmbiguousRename,
    /// A file is added to a folder that was moved away.
    FileLocation,
    /// A binary file was changed on both sides.
    Binary,
    /// A merge driver is configured that this backend does not run.
    MergeDriver,
}

impl fmt::Display for ConflictKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Content => "both sides changed the same lines",
            Self::ModifyDelete => "changed on one side, deleted on the other",
            Self::BothAdded => "added differently on both sides",
            Self::Type => "a file on one side, something else on the other",
            Self::Mode => "mode changed differently",
            Self::AmbiguousRename => "renamed to more than one place",
            Self::FileLocation => "added to a folder that was moved",
            Self::Binary => "binary, changed on both sides",
            Self::MergeDriver => "needs a merge driver that is not run here",
        })
    }
}

/// How large a change is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffSize {
    /// The changed paths, in order.
    pub paths: Vec<ChangedPath>,
}

impl DiffSize {
    /// Returns the lines added and removed in all paths. Binary files count no lines.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.paths.iter().map(|path| u64::from(path.added) + u64::from(path.removed)).sum()
    }
}

/// One changed path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedPath {
    /// The path.
    pub path: String,
    /// Lines added.
    pub added: u32,
    /// Lines removed.
    pub removed: u32,
}
