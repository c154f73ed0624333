//! The pure part of hotfix: data, ports, planner, state machine and judge. No runtime and no I/O.

pub mod communicate;
pub mod decide;
mod error;
pub mod execute;
pub mod follow;
pub mod judge;
pub mod memory;
#[cfg(feature = "mock")]
pub mod mock;
pub mod model;
pub mod observe;
pub mod plan;
pub mod policy;
pub mod port;
pub mod postmortem;
pub mod request;

pub use error::{Error, ErrorKind, Result, RetryClass};
