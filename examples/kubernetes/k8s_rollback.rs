//! Going back by hand: to the last release that is known to be good, not to "the revision before".
//!
//! `cargo run --example k8s_rollback` deploys a fix that turns out well, and goes back from it all the same. Going back
//! once more finds nothing: what was rolled back from is not gone back to.

use std::process::ExitCode;

use hotfix::execute::Outcome;
use hotfix::request::Strategy;
use hotfix_examples::Failure;
use hotfix_examples_kubernetes::{Fix, Routes, Site, play, say};

#[tokio::main]
async fn main() -> ExitCode {
    play(async |_| run().await).await
}

async fn run() -> Result<(), Failure> {
    let mut site = Site::open(Routes::Service).await?;
    say("\na fix:");
    let fix = Fix { base: "v2.1.0", image: "2.1.1", fails: 0, strategy: Strategy::Direct };
    let deployed = site.deploy(fix).await?;
    say("\nback from it:");
    let back = site.roll_back().await?;
    say("\nand once more:");
    match site.roll_back().await {
        Ok(outcome) => return Err(format!("there was nothing to go back to, but: {outcome}").into()),
        Err(refused) => say(refused),
    }
    let customers = site.close().await;
    say(format_args!("\nall in all {} requests, {} of which failed", customers.sent, customers.failed));
    match (&deployed, &back) {
        (Outcome::Succeeded { .. }, Outcome::Succeeded { .. }) if customers.failed == 0 => Ok(()),
        _ => Err(format!("it should not have ended like that: {deployed}; {back}").into()),
    }
}
