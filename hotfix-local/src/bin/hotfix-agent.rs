//! Runs the agent of a state directory until it is told to stop.

use std::net::SocketAddr;
use std::process::ExitCode;

use hotfix_local::{Agent, AgentConfig};
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage: hotfix-agent STATE_DIRECTORY [--admin ADDRESS:PORT]";

#[tokio::main]
#[expect(clippy::print_stderr, clippy::print_stdout, reason = "a program speaks to its operator")]
async fn main() -> ExitCode {
    let config = match config(std::env::args().skip(1)) {
        Ok(config) => config,
        Err(reason) => {
            eprintln!("hotfix-agent: {reason}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let state = config.state.display().to_string();
    match run(config, |address| println!("serving {state}, admin on http://{address}")).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hotfix-agent: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: AgentConfig, started: impl Fn(SocketAddr)) -> Result<(), Box<dyn std::error::Error>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let agent = Agent::start(config).await?;
    started(agent.address());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    agent.stop().await;
    Ok(())
}

fn config(arguments: impl Iterator<Item = String>) -> Result<AgentConfig, String> {
    let (mut state, mut admin) = (None, None);
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        if argument == "--admin" {
            let value = arguments.next().ok_or("--admin needs an address")?;
            let address = value.parse::<SocketAddr>();
            admin =
                Some(address.map_err(|_| format!("--admin {value} is no address such as 127.0.0.1:9180"))?);
        } else if argument.starts_with('-') || state.is_some() {
            return Err(format!("cannot use {argument}"));
        } else {
            state = Some(argument);
        }
    }
    let mut config = AgentConfig::new(state.ok_or("the state directory is missing")?);
    config.admin = admin.unwrap_or(config.admin);
    Ok(config)
}
