//! A canary by the weights of a route: a tenth of the customers first, each share judged before the next.
//!
//! `cargo run --example k8s_canary -- istio` splits by a VirtualService, `-- gateway` by an HTTPRoute. A bad fix is found
//! out by a tenth of the customers and takes itself back; a good one goes live and comes home to the Deployment that the
//! team knows. Of the route only the weights are written.

use std::process::ExitCode;

use hotfix::execute::Outcome;
use hotfix::request::Strategy;
use hotfix_examples::Failure;
use hotfix_examples_kubernetes::{Fix, Routes, Site, end, say};

#[tokio::main]
async fn main() -> ExitCode {
    end(run(std::env::args().nth(1).as_deref()).await)
}

async fn run(routes: Option<&str>) -> Result<(), Failure> {
    let routes = match routes {
        None | Some("istio") => Routes::Istio,
        Some("gateway") => Routes::Gateway,
        Some(other) => {
            return Err(format!("{other:?} is no kind of route; there are istio and gateway").into());
        }
    };
    let mut site = Site::open(routes).await?;
    let fix = Fix { base: "v2.1.0", image: "2.1.1-bad", fails: 40, strategy: Strategy::Canary };
    say("\na fix that makes it worse:");
    let bad = site.deploy(fix).await?;
    say("\nthe right fix:");
    let good = site.deploy(Fix { image: "2.1.1", fails: 0, ..fix }).await?;
    let customers = site.close().await;
    say(format_args!("\nall in all {} requests, {} of which failed", customers.sent, customers.failed));
    match (&bad, &good) {
        (Outcome::RolledBack { .. }, Outcome::Succeeded { .. }) => Ok(()),
        _ => Err(format!("it should not have ended like that: {bad}; {good}").into()),
    }
}
