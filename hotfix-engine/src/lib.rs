//! The async driver of hotfix.
//!
//! [`Engine`] observes through the ports, plans with the pure planner, and drives a run by the pure machine of
//! `hotfix_core::execute`: it commits before it acts, performs, feeds the answers back, and goes on after a crash.
//! Dropping a future, a handle or the process is one and the same thing: nothing is lost, nothing is done twice.

mod backends;
mod builder;
mod courier;
mod driven;
mod driver;
mod engine;
mod error;
mod follow;
mod gate;
mod handle;
mod journal;
mod lease;
mod news;
mod observe;
mod outbox;
mod perform;
mod progress;
mod signals;
mod steady;
mod system;
mod writer;

pub use builder::{EngineBuilder, FollowUps};
pub use engine::Engine;
pub use error::EngineError;
pub use handle::RunHandle;
pub use progress::ProgressStream;
pub use system::{SystemClock, SystemIds};
