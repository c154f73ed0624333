//! git
mod error;
mod join;
mod merge;
mod message;
mod object;
mod path;
mod pick;
mod program;
mod refs;
mod repo;
mod size;
mod tree;
mod version;

pub use error::*;
pub use git2::Oid;
pub use join::*;
pub use merge::{ConflictKind, Hunk, Moved, PathConflict};
pub use message::*;
pub use object::*;
pub use path::*;
pub use pick::*;
pub use program::{GitProgram, StopToken};
pub use refs::*;
pub use repo::*;
pub use size::*;
pub use tree::{Entry, EntryMode};
pub use version::*;
