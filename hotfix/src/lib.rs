#![doc = include_str!("../../README.md")]

pub use hotfix_core::{
    Error, ErrorKind, RetryClass, communicate, decide, execute, judge, model, observe, plan, policy, port,
};
pub use hotfix_core::{memory, postmortem, request};
pub use hotfix_engine::{
    Engine, EngineBuilder, EngineError, FollowUps, ProgressStream, RunHandle, SystemClock, SystemIds,
};

#[cfg(feature = "git")]
pub use hotfix_git as git;
#[cfg(feature = "kubernetes")]
pub use hotfix_k8s as kubernetes;
#[cfg(feature = "local")]
pub use hotfix_local as local;
#[cfg(feature = "prometheus")]
pub use hotfix_metrics as metrics;
#[cfg(any(feature = "console", feature = "slack"))]
pub use hotfix_notify as notify;
#[cfg(feature = "sqlite")]
pub use hotfix_store as store;
