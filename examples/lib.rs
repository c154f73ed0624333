//! What several examples share.

pub mod repository;

/// Any failure of an example itself, for people.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
