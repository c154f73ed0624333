//! Why the repository does not allow what is asked for.

use serde::{Deserialize, Serialize};

use crate::model::{BranchName, ObjectId, RefName, TagName};
use crate::request::Revision;

/// Something in the repository that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "fault")]
#[non_exhaustive]
pub enum SourceFault {
    /// There is no release to start from.
    #[error(
        "no tag {prefix}<version> names a release; tag the commit that production runs, or set source.tag_prefix"
    )]
    NoRelease {
        /// The prefix that was looked for.
        prefix: String,
    },
    /// The tag to start from does not exist.
    #[error("tag {tag} does not exist, here or on the remote; name an existing release")]
    UnknownTag {
        /// The tag.
        tag: TagName,
    },
    /// The tag to start from is no release.
    #[error("tag {tag} is not a release; name a tag {prefix}<version> without a pre-release part")]
    NotARelease {
        /// The tag.
        tag: TagName,
        /// What a release begins with.
        prefix: String,
    },
    /// A branch that the policy names does not exist.
    #[error("branch {branch} does not exist; set source.{setting} to the branch that plays this part")]
    UnknownPolicyBranch {
        /// The branch.
        branch: BranchName,
        /// The setting that names it.
        setting: String,
    },
    /// A commit of the fix cannot be found.
    #[error("{revision} names no commit here or on the remote; push it, or name it in full")]
    UnknownRevision {
        /// What was asked for.
        revision: Revision,
    },
    /// A commit is named twice.
    #[error("{revision} names commit {}, which the fix names before; name each commit once", commit.short())]
    RepeatedCommit {
        /// What was asked for.
        revision: Revision,
        /// The commit.
        commit: ObjectId,
    },
    /// The fix names no commits.
    #[error("the fix names no commits; name at least one, or a branch")]
    NoCommits,
    /// The branch of the fix does not exist.
    #[error("branch {branch} does not exist, here or on the remote; it may be merged and deleted already")]
    UnknownBranch {
        /// The branch.
        branch: BranchName,
    },
    /// The branch of the fix plays another part.
    #[error(
        "branch {branch} is not a hotfix branch: it is source.{setting} of the policy; name the branch of the fix"
    )]
    NotAHotfixBranch {
        /// The branch.
        branch: BranchName,
        /// The setting that names it.
        setting: String,
    },
    /// This repository and the remote disagree.
    #[error(
        "{} is at {} here and at {} on the remote; bring both together first",
        reference.short(), here.short(), there.as_ref().map_or("nothing", ObjectId::short)
    )]
    Diverged {
        /// The reference.
        reference: RefName,
        /// What it holds here.
        here: ObjectId,
        /// What it holds on the remote.
        there: Option<ObjectId>,
    },
    /// A branch cannot be moved under somebody's feet.
    #[error("branch {} is checked out in a work tree of this repository; switch that work tree to another branch", reference.short())]
    CheckedOut {
        /// The branch.
        reference: RefName,
    },
    /// The policy's patterns give no valid name for this request.
    #[error("{reason}; change the pattern in source.{setting}")]
    Unnameable {
        /// What is wrong with the name.
        reason: String,
        /// The setting with the pattern.
        setting: String,
    },
}
