//! Keeps GitOps controllers from taking a change back: their sync is off during a run and comes back when it would take
//! nothing back.
//!
//! What the sync was before is kept in an annotation on the Application, Kustomization or HelmRelease, so that any
//! process can give it back after a crash. The annotation also is the fence there: a seal raises it, and a patch holds
//! for exactly the version of the object that was read.

mod fenced;
mod give_back;
mod hold;
mod let_go;
mod named;
mod note;
#[cfg(test)]
mod note_tests;
mod resume;
mod survey;
mod switch;

pub use named::SyncOwner;

pub(crate) use give_back::When;
pub(crate) use hold::Whereabouts;
pub(crate) use let_go::is_taken_back;
pub(crate) use named::Unnamed;
pub(crate) use switch::{Sync, read as read_sync};
