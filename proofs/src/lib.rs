//! The long proofs of the project and its comparisons with peers, as programs.

pub mod compare;
pub mod prove;
mod shop;
mod simulation;

/// Prints a line of a result.
#[expect(clippy::print_stdout, reason = "this is what the programs are for")]
pub fn say(line: &str) {
    println!("{line}");
}
