//! The agent of hotfix-local in a process of its own, as `hotfix-agent` runs it, but ended with the comparison.

use std::path::Path;

use hotfix_benches::Failure;
use hotfix_local::{Agent, AgentConfig};
use tokio::signal::unix::{SignalKind, signal};

use crate::compare::part;

/// Serves the state directory until told to stop or until the process `parent` ends.
pub(in crate::compare) fn serve(state: &Path, parent: u32) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let agent = Agent::start(AgentConfig::new(state)).await?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            () = part::end_of(parent) => {}
            _ = terminate.recv() => {}
        }
        agent.stop().await;
        Ok(())
    })
}
