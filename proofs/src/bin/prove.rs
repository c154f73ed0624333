//! `prove AREA`: the long proofs of an area. `cargo xtask prove` sets up what they need and calls this.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    hotfix_proofs::prove::main(&arguments)
}
