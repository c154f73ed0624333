//! git
mod error;
mod merge;
mod message;
mod object;
mod path;
mod program;
mod refs;
mod repo;
mod tree;
mod version;

pub use error::*;
pub use merge::{ConflictKind, Hunk, Moved, PathConflict};
pub use message::*;
pub use object::*;
pub use path::*;
pub use program::{GitProgram, StopToken};
pub use refs::*;
pub use repo::*;
pub use tree::{Entry, EntryMode};
pub use version::*;
