//! The error of every operation in this crate: what was asked, why it could not be done, and the mend.

use std::path::PathBuf;
use std::time::Duration;

use git2::Oid;
use hotfix_core::ErrorKind;

/// What can go wrong below the port. The backend turns it into the error of `hotfix-core`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no git repository at the path.
    #[error("no git repository at {path}; give the path of a repository, bare or with a work tree")]
    NoRepository {
        /// The path that was opened.
        path: PathBuf,
    },
    /// The repository belongs to another user and git's `safe.directory` does not list it.
    #[error(
        "{path} belongs to another user; run `git config --global --add safe.directory {path}` if you trust it"
    )]
    ForeignOwner {
        /// The path that was opened.
        path: PathBuf,
    },
    /// The repository uses a feature that this backend cannot work with.
    #[error("{path} {feature}")]
    Unsupported {
        /// The path that was opened.
        path: PathBuf,
        /// The feature, with its mend.
        feature: UnsupportedFeature,
    },
    /// A reference, revision or object does not exist.
    #[error("{name:?} names nothing in this repository")]
    NotFound {
        /// What was looked up.
        name: String,
    },
    /// The name is no valid reference name.
    #[error("{name:?} is no valid reference name; use a full name such as refs/heads/main")]
    BadRefName {
        /// The refused name.
        name: String,
    },
    /// The object is of another kind than the operation needs.
    #[error("{name} is a {found}, not a {wanted}")]
    WrongKind {
        /// What was looked up.
        name: String,
        /// The kind the operation needs.
        wanted: &'static str,
        /// The kind that was found.
        found: &'static str,
    },
    /// Something else than a file is at a path.
    #[error("{path:?} is no file in {commit}; name the path of a file")]
    NotAFile {
        /// The path.
        path: String,
        /// The commit.
        commit: Oid,
    },
    /// A file that is to be read as text is none.
    #[error("{path:?} is not UTF-8 in {commit}; name a text file")]
    NotText {
        /// The path.
        path: String,
        /// The commit.
        commit: Oid,
    },
    /// A merge commit was to be picked without saying which parent is its mainline.
    #[error("{commit} is a merge of {parents} commits; say which parent is the mainline (usually 1)")]
    MainlineNeeded {
        /// The merge commit.
        commit: Oid,
        /// How many parents it has.
        parents: usize,
    },
    /// A mainline was given that the commit does not have.
    #[error("{commit} has {parents} parents, so {mainline} is no mainline of it")]
    NoSuchMainline {
        /// The commit.
        commit: Oid,
        /// How many parents it has.
        parents: usize,
        /// The mainline asked for, counted from 1.
        mainline: usize,
    },
    /// The commit message is not UTF-8, so that it cannot be carried over unchanged.
    #[error("the message of {commit} is not UTF-8; reword the commit in UTF-8 first")]
    MessageEncoding {
        /// The commit.
        commit: Oid,
    },
    /// Two commits share no history.
    #[error("{ours} and {theirs} have no common ancestor{}", shallow_hint(.shallow))]
    NoCommonHistory {
        /// The commit merged into.
        ours: Oid,
        /// The commit merged.
        theirs: Oid,
        /// Whether the repository's history is cut off.
        shallow: History,
    },
    /// A branch would be moved under the feet of a checkout.
    #[error("{name} is checked out in {worktree}; switch that checkout to another branch first")]
    CheckedOut {
        /// The reference.
        name: String,
        /// Where it is checked out.
        worktree: PathBuf,
    },
    /// A lock file of git is held or was left behind by a killed process.
    #[error("{name} is locked; if no git process is running, remove {lock}")]
    Locked {
        /// The reference.
        name: String,
        /// The lock file.
        lock: PathBuf,
    },
    /// Another process of this crate moves references right now.
    #[error("another process is moving references and holds {path}; try again")]
    Busy {
        /// The file that tells whose turn it is.
        path: PathBuf,
    },
    /// A reference stands where git would need a folder, or the other way round.
    #[error("{name} cannot be created beside {taken_by}; delete or rename that")]
    NameTaken {
        /// The reference.
        name: String,
        /// The reference in its way.
        taken_by: String,
    },
    /// An instruction of a recipe builds on something that is no commit.
    #[error("instruction {instruction} cannot be built on: {reason}")]
    BadRecipe {
        /// The index of the instruction that was to be built on.
        instruction: usize,
        /// Why not.
        reason: &'static str,
    },
    /// The fence chain holds something this version cannot read.
    #[error("the fence commit {commit} cannot be read: {reason}")]
    UnreadableFence {
        /// The commit.
        commit: Oid,
        /// What is wrong with it.
        reason: String,
    },
    /// The remote is not configured in this repository.
    #[error("no remote {name:?}; add it with `git remote add {name} URL`")]
    NoRemote {
        /// The name of the remote.
        name: String,
    },
    /// The remote reads from one place and pushes to another.
    #[error(
        "remote {name:?} fetches and pushes at different places; facts read from the one do not hold for the other: configure a remote with one URL"
    )]
    SplitRemote {
        /// The name of the remote.
        name: String,
    },
    /// The system's git program could not be started.
    #[error("cannot start {program}: {source}")]
    NoProgram {
        /// The program.
        program: PathBuf,
        /// Why it did not start.
        source: std::io::Error,
    },
    /// The system's git program is missing or too old for what is asked.
    #[error("{purpose} needs git {needed} or newer, and there is none")]
    OldProgram {
        /// The version needed.
        needed: &'static str,
        /// What needs it.
        purpose: &'static str,
    },
    /// The system's git program ran and failed. Nothing was changed.
    #[error("git {command} failed: {text}")]
    Program {
        /// The git command.
        command: &'static str,
        /// Its message, without credentials.
        text: String,
    },
    /// The remote refused to let us in.
    #[error("the remote refused access: {text}")]
    AccessDenied {
        /// The message of git, without credentials.
        text: String,
    },
    /// The remote cannot be reached.
    #[error("the remote cannot be reached: {text}")]
    Unreachable {
        /// The message of git, without credentials.
        text: String,
    },
    /// The system's git program did not end in time and was killed.
    #[error("git {command} did not end within {limit:?} and was killed")]
    Timeout {
        /// The git command.
        command: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// The operation was given up from outside.
    #[error("git {command} was stopped")]
    Stopped {
        /// The git command.
        command: &'static str,
    },
    /// A file of the repository could not be read or written.
    #[error("cannot {operation} {path}: {source}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// libgit2 failed in a way that has no variant of its own.
    #[error("cannot {operation}: {source}")]
    Library {
        /// What was tried.
        operation: &'static str,
        /// The cause.
        source: git2::Error,
    },
}

/// A feature of a repository that is refused when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnsupportedFeature {
    /// References in the reftable format.
    #[error(
        "stores its references as reftable, which libgit2 cannot read; use a clone with `--ref-format=files`"
    )]
    Reftable,
    /// Object ids by SHA-256.
    #[error("uses SHA-256 object ids, which this build cannot read; use a SHA-1 repository")]
    Sha256,
    /// A clone that fetches objects when they are needed.
    #[error("is a partial clone, whose missing objects libgit2 cannot fetch; use a full clone")]
    PartialClone,
}

/// Whether a repository holds all of its history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum History {
    /// Every ancestor is there.
    Complete,
    /// The history is cut off (`git clone --depth`).
    Shallow,
}

fn shallow_hint(history: &History) -> &'static str {
    match history {
        History::Complete => "",
        History::Shallow => " in this shallow clone; run `git fetch --unshallow`",
    }
}

impl Error {
    /// Returns a function that wraps an error of libgit2 with what was tried.
    pub(crate) fn library(operation: &'static str) -> impl FnOnce(git2::Error) -> Self {
        move |source| Self::Library { operation, source }
    }

    /// Returns a function that wraps an error of libgit2, and names what was looked up when it does not exist.
    pub(crate) fn lookup(
        operation: &'static str,
        name: impl std::fmt::Display,
    ) -> impl FnOnce(git2::Error) -> Self {
        move |source| match source.code() {
            git2::ErrorCode::NotFound => Self::NotFound { name: name.to_string() },
            git2::ErrorCode::InvalidSpec => Self::BadRefName { name: name.to_string() },
            _ => Self::Library { operation, source },
        }
    }
}

impl Error {
    /// Turns the error into the port's, naming the operation that failed.
    pub(crate) fn into_port(self, operation: &'static str) -> hotfix_core::Error {
        hotfix_core::Error::new(self.kind(), operation, self.to_string()).with_source(self)
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoRepository { .. } | Self::NotFound { .. } => ErrorKind::NotFound,
            Self::ForeignOwner { .. } => ErrorKind::Forbidden,
            Self::Unsupported { .. } | Self::OldProgram { .. } | Self::SplitRemote { .. } => {
                ErrorKind::Unsupported
            }
            Self::AccessDenied { .. } => ErrorKind::Unauthenticated,
            Self::Unreachable { .. }
            | Self::Program { .. }
            | Self::Locked { .. }
            | Self::Busy { .. }
            | Self::Stopped { .. } => ErrorKind::Unavailable,
            Self::Timeout { .. } => ErrorKind::Timeout,
            Self::CheckedOut { .. } => ErrorKind::Conflict,
            Self::NameTaken { .. } => ErrorKind::AlreadyExists,
            Self::UnreadableFence { .. } => ErrorKind::TooNew,
            Self::Library { source, .. } if full(source) => ErrorKind::Full,
            Self::Library { .. } | Self::Io { .. } => ErrorKind::Unexpected,
            Self::BadRefName { .. }
            | Self::WrongKind { .. }
            | Self::NotAFile { .. }
            | Self::NotText { .. }
            | Self::MainlineNeeded { .. }
            | Self::NoSuchMainline { .. }
            | Self::MessageEncoding { .. }
            | Self::NoCommonHistory { .. }
            | Self::BadRecipe { .. }
            | Self::NoRemote { .. }
            | Self::NoProgram { .. } => ErrorKind::Invalid,
        }
    }
}

/// libgit2 has no code for a full disk, only the system's text.
fn full(source: &git2::Error) -> bool {
    source.message().contains("No space left on device")
}
