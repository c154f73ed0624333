//! `agent`: holds the proxies and looks after the processes, apart from whoever drives a rollout.

use hotfix::local::{Agent, AgentConfig};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::say;

/// Runs until it is told to stop. The processes run on, and the next agent finds them.
pub(crate) async fn run(config: &Config) -> Result<Exit, Failure> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let agent = Agent::start(AgentConfig::new(&config.state)).await?;
    say::line(format_args!("serving {}, admin on http://{}", config.state.display(), agent.address()));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    agent.stop().await;
    Ok(Exit::Done)
}
