//! What the examples on Kubernetes share: a cluster of their own with a shop in it, its customers and its metrics.

mod objects;
mod pair;
mod pipeline;
mod routes;
mod show;
mod site;

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
    show::complain(&failure);
    let missing = failure.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    if missing.is_some_and(|inner| inner.is::<hotfix_testkit::cluster::MissingTools>()) {
        show::complain(
            "this example starts a Kubernetes control plane: `cargo xtask test` builds one, once, with go; or name a \
             folder with etcd, kube-apiserver and kube-controller-manager in KUBEBUILDER_ASSETS",
        );
        return ExitCode::from(NO_CLUSTER);
    }
    ExitCode::FAILURE
}
