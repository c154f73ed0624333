//! The story of two fixes: one that makes it worse and takes itself back, and the right one.

use hotfix::execute::Outcome;
use hotfix::request::Strategy;
use hotfix_examples::Failure;

use crate::{Fix, Routes, Site, say};

/// Deploys a bad fix and then a good one, at which no customer may lose a request.
///
/// # Errors
/// What did not work, and an end that it should not have.
pub async fn bad_then_good(routes: Routes, strategy: Strategy) -> Result<(), Failure> {
    let mut site = Site::open(routes).await?;
    let fix = Fix { base: "v2.1.0", image: "2.1.1-bad", fails: 40, strategy };
    say("\na fix that makes it worse:");
    let bad = site.deploy(fix).await?;
    let before = site.customers();
    say("\nthe right fix:");
    let good = site.deploy(Fix { image: "2.1.1", fails: 0, ..fix }).await?;
    let customers = site.close().await;
    say(format_args!("\nall in all {} requests, {} of which failed", customers.sent, customers.failed));
    let lost = customers.failed - before.failed;
    match (&bad, &good) {
        (Outcome::RolledBack { .. }, Outcome::Succeeded { .. }) if lost == 0 => Ok(()),
        (Outcome::RolledBack { .. }, Outcome::Succeeded { .. }) => {
            Err(format!("{lost} requests failed since the right fix was begun: {:?}", customers.failures)
                .into())
        }
        _ => Err(format!("it should not have ended like that: {bad}; {good}").into()),
    }
}
