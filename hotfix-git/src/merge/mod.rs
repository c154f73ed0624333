//! Combining a change with a tree, without a checkout and in time proportional to the change.
//!
//! Three engines, each for what the one before does not decide: path by path ([`paths`]); a look for where a file was
//! moved ([`moved`]); git's own merge of the whole trees ([`by_git`]).

mod attributes;
mod by_git;
mod conflict;
mod content;
mod glob;
mod moved;
mod paths;

use git2::Oid;

use self::by_git::Answer;
pub use self::conflict::{ConflictKind, Hunk, PathConflict};
pub(crate) use self::content::is_binary;
use self::moved::{Newcomers, Whereabouts};
use self::paths::{Doubt, Resolution};
use crate::error::Error;
use crate::path::TreePath;
use crate::repo::Repo;
use crate::tree::{Change, Entry, Lookup, TreeEdits, differences};

/// A file that the receiving side holds at another path, where the change was applied instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The path in the change. `None` when only git knows which file went there.
    pub from: Option<TreePath>,
    /// The path on the receiving side.
    pub to: TreePath,
}

/// The change from one tree to another, read once and combined with any number of trees.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) base: Option<Oid>,
    pub(crate) theirs: Oid,
    pub(crate) changes: Vec<Change>,
}

impl Incoming {
    /// Reads the change between two trees. No base is the empty tree.
    pub(crate) fn read(repo: &Repo, base: Option<Oid>, theirs: Oid) -> Result<Self, Error> {
        Ok(Self { base, theirs, changes: differences(repo, base, Some(theirs))? })
    }
}

/// How a change and a tree combine.
#[derive(Debug)]
pub(crate) enum Combined {
    Clean { tree: Oid, moved: Vec<Moved> },
    Conflict(Vec<PathConflict>),
}

/// The tree that receives a change.
struct Receiver<'r> {
    repo: &'r Repo,
    tree: Oid,
}

/// Combines the change with the tree `ours`.
pub(crate) fn combine(repo: &Repo, incoming: &Incoming, ours: Oid) -> Result<Combined, Error> {
    let mut attempt = Attempt {
        receiver: Receiver { repo, tree: ours },
        incoming,
        newcomers: None,
        found: Found::default(),
    };
    for change in &incoming.changes {
        attempt.decide(change)?;
    }
    let Found { edits, moved, conflicts, doubts } = attempt.found;
    let receiver = attempt.receiver;
    if !conflicts.is_empty() {
        return Ok(Combined::Conflict(with_doubts(&receiver, conflicts, &doubts)?));
    }
    if doubts.is_empty() {
        let tree = if edits.is_empty() { ours } else { edits.apply(repo, ours)? };
        return Ok(Combined::Clean { tree, moved });
    }
    match by_git::merge_trees(repo, incoming, ours)? {
        Answer::Clean(tree) => Ok(Combined::Clean { tree, moved: strangers(repo, incoming, ours, tree)? }),
        Answer::Conflict(conflicts) => Ok(Combined::Conflict(conflicts)),
        Answer::NoGit => Ok(Combined::Conflict(with_doubts(&receiver, Vec::new(), &doubts)?)),
    }
}

/// Combines two commits that have more than one merge base, which only git does well.
pub(crate) fn combine_crossed(repo: &Repo, ours: Oid, theirs: Oid) -> Result<Combined, Error> {
    match by_git::merge_commits(repo, ours, theirs)? {
        Answer::Clean(tree) => Ok(Combined::Clean { tree, moved: Vec::new() }),
        Answer::Conflict(conflicts) => Ok(Combined::Conflict(conflicts)),
        Answer::NoGit => {
            Err(Error::OldProgram { needed: "2.38", purpose: "merging two commits with several merge bases" })
        }
    }
}

/// What the engines found out so far.
#[derive(Default)]
struct Found<'i> {
    edits: TreeEdits,
    moved: Vec<Moved>,
    conflicts: Vec<PathConflict>,
    doubts: Vec<(Doubt, &'i Change)>,
}

struct Attempt<'i, 'r> {
    receiver: Receiver<'r>,
    incoming: &'i Incoming,
    newcomers: Option<Newcomers>,
    found: Found<'i>,
}

impl<'i> Attempt<'i, '_> {
    fn decide(&mut self, change: &'i Change) -> Result<(), Error> {
        let resolution = match paths::resolve(self.incoming, &self.receiver, change)? {
            Resolution::PassOn(Doubt::Gone) => self.follow(change)?,
            other => other,
        };
        match resolution {
            Resolution::Unchanged => {}
            Resolution::Set(path, entry) => self.found.edits.set(&path, entry),
            Resolution::Conflict(conflict) => self.found.conflicts.push(conflict),
            Resolution::PassOn(doubt) => self.found.doubts.push((doubt, change)),
        }
        Ok(())
    }

    /// Looks for the place to which the receiving side moved the file.
    fn follow(&mut self, change: &Change) -> Result<Resolution, Error> {
        let gone = Ok(Resolution::PassOn(Doubt::Gone));
        let (Some(base), Some(theirs)) = (change.old, change.new) else {
            return gone;
        };
        if !base.mode.is_file() || !theirs.mode.is_file() {
            return gone;
        }
        let newcomers = match self.newcomers.take() {
            Some(newcomers) => newcomers,
            None => Newcomers::of(&self.receiver, self.incoming.base)?,
        };
        let whereabouts = newcomers.find(&self.receiver, &change.path, base);
        self.newcomers = Some(newcomers);
        match whereabouts? {
            Whereabouts::At(place, _) if self.touches(&place) => gone,
            Whereabouts::At(place, ours) => self.apply_at(change, place, [base, ours, theirs]),
            Whereabouts::Several(candidates) => Ok(Resolution::Conflict(PathConflict {
                path: change.path.clone(),
                kind: ConflictKind::AmbiguousMove { candidates },
                base: Some(base),
                ours: None,
                theirs: Some(theirs),
                hunks: Vec::new(),
            })),
            Whereabouts::Unclear => gone,
        }
    }

    fn apply_at(&mut self, change: &Change, place: TreePath, sides: [Entry; 3]) -> Result<Resolution, Error> {
        let resolution = if sides[0] == sides[1] {
            Resolution::Set(place.clone(), Some(sides[2]))
        } else {
            paths::three_way(&self.receiver, &place, sides)?
        };
        self.found.moved.push(Moved { from: Some(change.path.clone()), to: place });
        Ok(resolution)
    }

    /// Returns whether the change itself has something at, above or below the path, or another file went there.
    fn touches(&self, place: &TreePath) -> bool {
        self.found.moved.iter().any(|moved| moved.to == *place)
            || self.incoming.changes.iter().any(|change| {
                change.path == *place || change.path.lies_in(place) || place.lies_in(&change.path)
            })
    }
}

fn with_doubts(
    receiver: &Receiver<'_>,
    mut conflicts: Vec<PathConflict>,
    doubts: &[(Doubt, &Change)],
) -> Result<Vec<PathConflict>, Error> {
    for (doubt, change) in doubts {
        let ours = match receiver.repo.look_up(receiver.tree, &change.path)? {
            Lookup::Found(entry) => Some(entry),
            Lookup::Missing | Lookup::Blocked => None,
        };
        conflicts.push(doubt.conflict(change, ours));
    }
    conflicts.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(conflicts)
}

/// Lists the paths that git changed though the change does not name them.
fn strangers(repo: &Repo, incoming: &Incoming, ours: Oid, merged: Oid) -> Result<Vec<Moved>, Error> {
    let named = |path: &TreePath| incoming.changes.iter().any(|change| change.path == *path);
    let changes = differences(repo, Some(ours), Some(merged))?;
    Ok(changes
        .into_iter()
        .filter(|change| !named(&change.path))
        .map(|change| Moved { from: None, to: change.path })
        .collect())
}
