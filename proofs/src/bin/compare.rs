//! Measures an area of the project side by side with a peer; see `compare --help`.

use std::process::ExitCode;

use hotfix_proofs::compare::{self, part};
use hotfix_proofs::say;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["-h" | "--help"] => {
            say(compare::HELP);
            Ok(())
        }
        ["part", name, rest @ ..] => part::run(name, rest),
        areas => compare::run(areas),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(&format!("compare: {failure}"));
            ExitCode::FAILURE
        }
    }
}
