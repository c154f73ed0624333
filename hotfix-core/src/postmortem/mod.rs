//! Stage 8: what happened, as a document that is made of the journal alone and comes out the same every time.

mod escape;
mod render;

pub use render::{Entry, postmortem};
