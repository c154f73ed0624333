//! What the examples on Kubernetes share: a cluster of their own with a shop in it, its customers and its metrics.

mod missing;
mod objects;
mod pair;
mod pipeline;
mod routes;
mod show;
mod site;
mod story;
mod writes;

use std::process::ExitCode;

use hotfix_examples::Failure;
use missing::Missing;

pub use pair::bad_then_good;
pub use routes::Routes;
pub use show::say;
pub use site::{Fix, Site};

/// The exit code of an example that does not find the programs that it takes.
pub const MISSING: u8 = 3;

/// The exit code of a pod that was told nonsense.
const NO_POD: u8 = 128;

/// Plays an example, which gets the first argument, and ends as it did. Where a program is missing it says how to get it.
///
/// The pods of its cluster run the same program, so that nothing has to be built beside it: a node starts it with a JSON
/// object that says what to be.
pub async fn play(example: impl AsyncFnOnce(Option<&str>) -> Result<(), Failure>) -> ExitCode {
    let argument = std::env::args().nth(1);
    match argument.as_deref().filter(|argument| argument.starts_with('{')) {
        Some(what) => be_pod(what).await,
        None => end(example(argument.as_deref()).await),
    }
}

async fn be_pod(what: &str) -> ExitCode {
    match hotfix_testkit::cluster::run_pod(what).await {
        Ok(code) => code,
        Err(error) => {
            show::complain(format_args!("this is no pod: {error}"));
            ExitCode::from(NO_POD)
        }
    }
}

fn end(result: Result<(), Failure>) -> ExitCode {
    let Err(failure) = result else { return ExitCode::SUCCESS };
    show::complain(&failure);
    if failure.is::<Missing>() { ExitCode::from(MISSING) } else { ExitCode::FAILURE }
}
