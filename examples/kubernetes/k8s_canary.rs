//! A canary by the weights of a route: a tenth of the customers first, each share judged before the next.
//!
//! `cargo run --example k8s_canary -- istio` splits by a VirtualService, `-- gateway` by an HTTPRoute. A bad fix is found
//! out by a tenth of the customers and takes itself back; a good one goes live and comes home to the Deployment that the
//! team knows. Of the route only the weights are written.

use std::process::ExitCode;

use hotfix::request::Strategy;
use hotfix_examples::Failure;
use hotfix_examples_kubernetes::{Routes, bad_then_good, play};

#[tokio::main]
async fn main() -> ExitCode {
    play(run).await
}

async fn run(routes: Option<&str>) -> Result<(), Failure> {
    let routes = match routes {
        None | Some("istio") => Routes::Istio,
        Some("gateway") => Routes::Gateway,
        Some(other) => {
            return Err(format!("{other:?} is no kind of route; there are istio and gateway").into());
        }
    };
    bad_then_good(routes, Strategy::Canary).await
}
