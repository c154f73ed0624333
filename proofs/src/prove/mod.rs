//! The program `prove`: one area after the other, and the parts that it plays itself as processes of their own.

mod audit;
mod cell;
mod cluster;
mod driver;
mod engine;
mod judge;
mod kill;
mod matrix;
mod network;
mod program;
mod random;
mod repository;
mod service;
mod spots;
mod successor;
mod traffic;
mod trap;
mod world;

use std::path::Path;
use std::process::ExitCode;

use crate::say;

pub use cluster::kill_matrix_on_kubernetes;
pub use engine::kill_matrix;
pub use judge::{Check, Claim, Study};
pub use matrix::{Extent, Figures};

/// The part of the service that is deployed.
const SERVE: &str = "@serve";
/// The part of the agent that keeps it running.
const AGENT: &str = "@agent";
/// The part of a process that drives a run.
const DRIVE: &str = "@drive";

/// Runs the program with its arguments.
#[must_use]
pub fn main(arguments: &[String]) -> ExitCode {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        [SERVE, port] => service::main(port),
        [AGENT, state] => service::agent(Path::new(state)),
        [DRIVE, ref rest @ ..] => driver::main(rest),
        ["engine"] => return engine::main(Extent::Whole),
        ["engine", "random"] => return engine::main(Extent::Random),
        ["k8s"] => return cluster::main(Extent::Whole),
        ["k8s", "sample"] => return cluster::main(Extent::Sample),
        ["k8s", way] => return cluster::main_of(way),
        ["judge"] => return judge::main(),
        _ => Err("usage: prove engine [random] | k8s [sample|WAY] | judge".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            warn(&error);
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::print_stderr, reason = "this is a program for people")]
fn warn(line: &str) {
    eprintln!("{line}");
}

/// Builds a runtime for a part that is a process of its own.
fn runtime() -> Result<tokio::runtime::Runtime, String> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().map_err(|error| format!("no runtime: {error}"))
}
