//! A conflict as data: per path what kind it is, what each side holds, and which lines meet.

use std::fmt;
use std::ops::Range;

use crate::path::TreePath;
use crate::tree::Entry;

/// A path on which two changes cannot be combined. Nothing was written for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathConflict {
    /// The path on the side that receives the change, or in the change itself when it has none there.
    pub path: TreePath,
    /// Why the path cannot be combined.
    pub kind: ConflictKind,
    /// What the common base holds.
    pub base: Option<Entry>,
    /// What the receiving side holds.
    pub ours: Option<Entry>,
    /// What the change makes of it.
    pub theirs: Option<Entry>,
    /// Where the changed lines meet, when both sides are text.
    pub hunks: Vec<Hunk>,
}

/// Why a path cannot be combined.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConflictKind {
    /// Both sides changed the same lines.
    Content,
    /// Both sides changed a file that is not text.
    Binary,
    /// `.gitattributes` names a merge driver that this crate does not run.
    CustomDriver {
        /// The name of the driver.
        driver: String,
    },
    /// One side changed what the other deleted.
    ModifyDelete,
    /// Both sides added the path with different content.
    BothAdded,
    /// The two sides hold different kinds of entries: a file and a link, or different permissions.
    Kinds,
    /// One side has a file where the other has a folder.
    FileFolder,
    /// The file was moved or copied to more than one place, so that the change fits each of them.
    AmbiguousMove {
        /// The places.
        candidates: Vec<TreePath>,
    },
    /// A file was moved on one side and moved elsewhere or deleted on the other.
    Move,
    /// The folder that holds the path was moved away on the other side.
    FolderMoved,
    /// Both sides moved a submodule to different commits.
    Submodule,
    /// The path needs git's own merge, and no git program that can do it was found.
    NeedsGit,
    /// Git reports a conflict of a kind this version has no name for.
    Other,
}

/// Lines on which both sides changed something. Ranges count lines from 0; an empty range is an insertion point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// The lines of the common base.
    pub base: Range<u32>,
    /// The lines of the receiving side.
    pub ours: Range<u32>,
    /// The lines of the change.
    pub theirs: Range<u32>,
}

impl fmt::Display for PathConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.kind)
    }
}

impl fmt::Display for ConflictKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Content => "both sides changed the same lines",
            Self::Binary => "both sides changed a file that is not text",
            Self::CustomDriver { driver } => {
                return write!(f, "needs the merge driver {driver:?}, which is not run");
            }
            Self::ModifyDelete => "one side changed what the other deleted",
            Self::BothAdded => "both sides added it with different content",
            Self::Kinds => "the sides hold different kinds of entries",
            Self::FileFolder => "a file on one side, a folder on the other",
            Self::AmbiguousMove { candidates } => return write_candidates(f, candidates),
            Self::Move => "moved on one side, and moved elsewhere or deleted on the other",
            Self::FolderMoved => "its folder was moved away on the other side",
            Self::Submodule => "both sides moved the submodule",
            Self::NeedsGit => "needs git's own merge; install git 2.38 or newer",
            Self::Other => "git reports a conflict",
        };
        f.write_str(text)
    }
}

fn write_candidates(f: &mut fmt::Formatter<'_>, candidates: &[TreePath]) -> fmt::Result {
    f.write_str("the file is now in more than one place:")?;
    for candidate in candidates {
        write!(f, " {candidate}")?;
    }
    Ok(())
}
