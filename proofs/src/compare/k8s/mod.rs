//! A real API server with nodes: how soon it is there; undo beside `kubectl`; abort, the way from a crash and that from
//! a bad error rate to the undo beside Argo Rollouts; and what watching and waiting cost.

mod abort;
mod argo;
mod crash;
mod deploy;
mod ended;
mod errors;
pub(super) mod fleet;
mod kubectl;
mod opened;
mod seen;
mod site;
mod standing;
mod start;
mod undo;
pub(super) mod watches;

use hotfix_benches::Failure;
use hotfix_testkit::cluster::{ArgoRollouts, TestCluster};

use super::case::Case;
use crate::say;
use kubectl::Kubectl;

/// What can be measured by itself.
const PARTS: [&str; 7] = ["start", "undo", "abort", "crash", "errors", "watches", "fleet"];

/// Measures one part, or all.
pub(super) fn measure(part: Option<&str>, print: impl Fn(Case)) -> Result<(), Failure> {
    if let Some(unknown) = part.filter(|part| !PARTS.contains(part)) {
        return Err(Failure::new(format!("unknown part {unknown:?}; there are {}", PARTS.join(", "))));
    }
    let wants = |parts: &[&str]| part.is_none_or(|part| parts.contains(&part));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if wants(&["start"]) {
        runtime.block_on(start::measure())?.into_iter().for_each(&print);
    }
    if part == Some("start") {
        return Ok(());
    }
    let cluster = runtime.block_on(TestCluster::start())?;
    if wants(&["undo"]) {
        let kubectl = Kubectl::find(&cluster)?;
        say(&format!("compare k8s peer: kubectl {}", kubectl.version()?));
        runtime.block_on(undo::measure(&cluster, &kubectl))?.into_iter().for_each(&print);
    }
    if wants(&["abort", "crash", "errors"]) {
        runtime.block_on(cluster.install_istio())?;
        let _argo = runtime.block_on(cluster.argo_rollouts())?;
        say(&format!("compare k8s peer: argo-rollouts {}", ArgoRollouts::version()));
        if wants(&["abort"]) {
            runtime.block_on(abort::measure(&cluster))?.into_iter().for_each(&print);
        }
        if wants(&["crash"]) {
            runtime.block_on(crash::measure(&cluster))?.into_iter().for_each(&print);
        }
        if wants(&["errors"]) {
            runtime.block_on(errors::measure(&cluster))?.into_iter().for_each(&print);
        }
    }
    if wants(&["watches"]) {
        runtime.block_on(watches::measure(&cluster))?.into_iter().for_each(&print);
    }
    if wants(&["fleet"]) {
        runtime.block_on(fleet::measure(&cluster))?.into_iter().for_each(&print);
    }
    Ok(())
}
