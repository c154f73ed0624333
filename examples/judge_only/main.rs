//! The judges alone: counts or metrics in, decisions out. No backend, no runtime; it depends on `hotfix-core` only.
//!
//! `cargo run --example judge_only -- --help`; `canary.json` and `kayenta.json` beside this file are cases to begin with.
//!
//! Use this to check a judge against data of your own, or to judge from a program in another language.

mod error;
mod kayenta;
mod sequential;

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser};
use serde::de::DeserializeOwned;
use serde_json::Value;

use error::InputError;

/// Judges a canary from numbers: a case comes in as JSON, the answer goes out as JSON.
#[derive(Debug, Parser)]
#[command(name = "judge_only", after_help = FORMAT)]
struct Arguments {
    /// The case; the standard input if not given or `-`
    file: Option<PathBuf>,
}

const FORMAT: &str = include_str!("format.txt");

fn main() -> ExitCode {
    let file = Arguments::parse().file.filter(|file| file != Path::new("-"));
    if file.is_none() && std::io::stdin().is_terminal() {
        return help();
    }
    match read(file.as_deref()).map(|text| if text.trim().is_empty() { None } else { Some(answer(&text)) }) {
        Ok(None) => help(),
        Ok(Some(Ok(answer))) => print(&answer),
        Ok(Some(Err(error))) | Err(error) => {
            // Nobody is left to tell when the standard error is closed too.
            let _ = writeln!(std::io::stderr().lock(), "judge_only: {error}");
            ExitCode::from(2)
        }
    }
}

/// There is nothing to judge.
fn help() -> ExitCode {
    let _ = Arguments::command().print_help();
    ExitCode::from(2)
}

fn print(answer: &Value) -> ExitCode {
    match writeln!(std::io::stdout().lock(), "{answer:#}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn read(file: Option<&Path>) -> Result<String, InputError> {
    let mut text = String::new();
    match file {
        Some(file) => std::fs::read_to_string(file).map_err(|why| InputError::read(&file.display(), why)),
        None => std::io::stdin()
            .read_to_string(&mut text)
            .map(|_| text)
            .map_err(|why| InputError::read(&"the standard input", why)),
    }
}

fn answer(text: &str) -> Result<Value, InputError> {
    let mut case: Value = serde_json::from_str(text)?;
    let kind = case.as_object_mut().and_then(|case| case.remove("kind"));
    match kind.as_ref().and_then(Value::as_str) {
        Some("sequential") => sequential::answer(parse(case)?),
        Some("kayenta") => kayenta::answer(&parse(case)?),
        _ => Err(InputError::Kind { found: kind.unwrap_or_default() }),
    }
}

/// Reads a case; an error says where in it.
fn parse<T: DeserializeOwned>(case: Value) -> Result<T, InputError> {
    serde_path_to_error::deserialize(case).map_err(InputError::field)
}
