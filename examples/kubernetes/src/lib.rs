//! What the examples on Kubernetes share: a cluster of their own with a shop in it, its customers and its metrics.

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

pub use pair::bad_then_good;
pub use routes::Routes;
pub use show::say;
pub use site::{Fix, Site};

/// The exit code of an example that finds no cluster and no programs to start one with.
pub const NO_CLUSTER: u8 = 3;

/// Turns the end of an example into that of its process. Without a cluster it says how to get one.
pub fn end(result: Result<(), Failure>) -> ExitCode {
    let Err(failure) = result else { return ExitCode::SUCCESS };
    let missing = failure.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    if missing.is_some_and(|inner| inner.is::<hotfix_testkit::cluster::MissingTools>()) {
        show::complain(format_args!(
            "this example runs on a Kubernetes control plane of its own, whose programs are missing:\n{failure}\n\
             `cargo xtask test` builds them as well; without them an example ends with code {NO_CLUSTER}"
        ));
        return ExitCode::from(NO_CLUSTER);
    }
    show::complain(&failure);
    ExitCode::FAILURE
}
