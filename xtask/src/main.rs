//! The project's own commands, the same words for every area:
//!
//! - `cargo xtask test` runs everything a contributor and CI run;
//! - `cargo xtask prove [AREA]…` runs the long proofs;
//! - `cargo xtask compare [AREA]…` measures side by side with a peer; of Kubernetes also one part, as in `k8s/undo`.

mod area;
mod cluster;
mod command;
mod setup;
mod test;

use std::process::ExitCode;

use area::{Area, Long, Named};

const USAGE: &str = "usage: cargo xtask test | prove [AREA]... | compare [AREA]...";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["test"] => test::run(),
        ["prove", areas @ ..] => run(Long::Prove, areas),
        ["compare", areas @ ..] => run(Long::Compare, areas),
        _ => Err(format!("{USAGE}\nareas: {}", Area::names())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            command::say(&format!("xtask: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(long: Long, areas: &[&str]) -> Result<(), String> {
    area::run(long, &Named::parse(long, areas)?)
}
