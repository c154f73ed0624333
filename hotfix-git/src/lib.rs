#![doc = include_str!("../README.md")]

mod apply;
mod backend;
mod compose;
mod config;
mod convert;
mod error;
mod fence;
mod file;
mod join;
mod limit;
mod local;
mod merge;
mod message;
mod object;
mod observe;
mod path;
mod pending;
mod pick;
mod program;
mod push;
mod redact;
mod refs;
mod remote;
mod repo;
mod size;
mod tree;
mod truth;
mod turn;
mod version;

pub use git2::Oid;

pub use backend::GitVersionControl;
pub use config::GitConfig;
pub use error::{Error, History, UnsupportedFeature};
pub use join::{FastForward, Join};
pub use merge::{ConflictKind, Hunk, Moved, PathConflict};
pub use message::with_origin;
pub use object::Person;
pub use path::TreePath;
pub use pick::{Fix, Mainline, Pick};
pub use program::GitProgram;
pub use refs::RefValue;
pub use repo::Repo;
pub use size::{Lines, PathSize};
pub use tree::{Entry, EntryMode};
pub use version::VersionTag;
