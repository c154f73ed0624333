//! The pure part of hotfix: data, ports, planner, state machine and judge. No runtime and no I/O.

mod error;
pub mod model;
pub mod port;

pub use error::{Error, ErrorKind, Result, RetryClass};
