//! The main job, for real, on this host: a bad fix takes itself back, a good one goes live, a killed one is resumed.
//!
//! `cargo run --example quickstart [-- --json]`
//!
//! The same program plays every part that is a process of its own: the shop that is deployed (`serve`), the agent that
//! holds the proxy (`agent`), and the process that drives the third fix and is killed for it (`drive`, `resume`).

mod agent;
mod cleanup;
mod display;
mod driver;
mod home;
mod mortal;
mod parts;
mod repository;
mod service;
mod traffic;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use hotfix_examples::Failure;

#[derive(Debug, Parser)]
#[command(about = "A bad fix takes itself back, a good one goes live, a killed one is resumed.")]
struct Arguments {
    /// Print one JSON object per part and a last one that sums up.
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Be the shop: serve HTTP as the files of the current folder say.
    #[command(hide = true)]
    Serve,
    /// Be the agent of a state directory.
    #[command(hide = true)]
    Agent { state: PathBuf },
    /// Plan and start a fix, and drive it.
    #[command(hide = true)]
    Drive { home: PathBuf, fix: String },
    /// Take up what was left, and drive it.
    #[command(hide = true)]
    Resume { home: PathBuf },
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.role {
        None => parts::run(display::Display::new(arguments.json)).await,
        Some(Role::Serve) => service::serve().await,
        Some(Role::Agent { state }) => agent::run(state).await,
        Some(Role::Drive { home, fix }) => driver::drive(home, &fix).await,
        Some(Role::Resume { home }) => driver::resume(home).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            display::complain(&*error);
            ExitCode::FAILURE
        }
    }
}
