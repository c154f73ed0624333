//! Blue-green by the selector of a Service: the new side is ready before one patch moves all the traffic.
//!
//! `cargo run --example k8s_blue_green` starts a real API server, runs pods as processes, and sends them customers. A bad
//! fix is found out as soon as it has the traffic and takes itself back; a good one goes live and comes home to the
//! Deployment that the team knows.

use std::process::ExitCode;

use hotfix::request::Strategy;
use hotfix_examples_kubernetes::{Routes, bad_then_good, play};

#[tokio::main]
async fn main() -> ExitCode {
    play(async |_| bad_then_good(Routes::Service, Strategy::BlueGreen).await).await
}
