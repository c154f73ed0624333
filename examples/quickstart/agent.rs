//! The agent: holds the proxies and looks after the processes, apart from whoever drives a rollout.

use std::path::PathBuf;

use hotfix::local::{Agent, AgentConfig};
use tokio::signal::unix::{SignalKind, signal};

use crate::Failure;

/// Runs until it is told to stop.
pub(crate) async fn run(state: PathBuf) -> Result<(), Failure> {
    let mut stop = signal(SignalKind::terminate())?;
    let agent = Agent::start(AgentConfig::new(state)).await?;
    stop.recv().await;
    agent.stop().await;
    Ok(())
}
