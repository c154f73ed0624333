//! Blue-green by the selector of a Service: the new side is ready before one patch moves all the traffic.
//!
//! `cargo run --example k8s_blue_green` starts a real API server, runs pods as processes, and sends them customers. A bad
//! fix is found out as soon as it has the traffic and takes itself back; a good one goes live and comes home to the
//! Deployment that the team knows.

use std::process::ExitCode;

use hotfix::execute::Outcome;
use hotfix::request::Strategy;
use hotfix_examples::Failure;
use hotfix_examples_kubernetes::{Fix, Routes, Site, end, say};

#[tokio::main]
async fn main() -> ExitCode {
    end(run().await)
}

async fn run() -> Result<(), Failure> {
    let mut site = Site::open(Routes::Service).await?;
    let fix = Fix { base: "v2.1.0", image: "2.1.1-bad", fails: 40, strategy: Strategy::BlueGreen };
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
