//! Rolling, with a verdict between batches: never more than one batch of pods that nobody judged.
//!
//! `cargo run --example k8s_rolling` replaces three pods one by one. Each new pod gets its share of the customers, and the
//! next one is only added when that share was judged.

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
    let mut site = Site::open(Routes::Istio).await?;
    say("\na fix, pod by pod:");
    let fix = Fix { base: "v2.1.0", image: "2.1.1", fails: 0, strategy: Strategy::Rolling };
    let outcome = site.deploy(fix).await?;
    let customers = site.close().await;
    say(format_args!("\nall in all {} requests, {} of which failed", customers.sent, customers.failed));
    match &outcome {
        Outcome::Succeeded { .. } if customers.failed == 0 => Ok(()),
        _ => Err(format!("it should not have ended like that: {outcome}").into()),
    }
}
