//! A command line for hotfixes on one host, on any repository with a `hotfix.toml`.
//!
//! `cargo run --example hotfix -- --help`; the README beside this file walks through it.

mod agent;
mod arguments;
mod backends;
mod change;
mod config;
mod exit;
mod follow;
mod install;
mod request;
mod say;
mod status;

use clap::Parser as _;

use arguments::{Arguments, Command};
use backends::Session;
use config::Config;
use exit::{Exit, Failure};

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let exit = match run(Arguments::parse()).await {
        Ok(exit) => exit,
        Err(failure) => {
            say::complain(&failure.message);
            failure.exit
        }
    };
    exit.into()
}

async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let config = Config::load(&arguments.config)?;
    let session = Session { config, by: arguments.by };
    match arguments.command {
        Command::Change(what) => change::run(&session, &what).await,
        Command::Plan { what, format } => change::show(&session, &what, format).await,
        Command::Status { all } => status::run(&session, all).await,
        Command::Watch { run, from } => follow::watch(&session, &run, from).await,
        Command::Cancel { run, reason } => follow::cancel(&session, &run, &reason).await,
        Command::Approve { run } => follow::approve(&session, &run).await,
        Command::Hasten { run, reason } => follow::hasten(&session, &run, &reason).await,
        Command::Resume { run } => follow::resume(&session, run.as_ref()).await,
        Command::Install { tag } => install::run(&session, &tag).await,
        Command::Agent => agent::run(&session.config).await,
    }
}
