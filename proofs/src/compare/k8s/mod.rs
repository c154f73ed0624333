//! A real API server with nodes: undo beside `kubectl`, abort and the way from a crash to the undo beside Argo Rollouts,
//! and what watching costs.

mod abort;
mod argo;
mod crash;
mod deploy;
mod kubectl;
mod seen;
mod site;
mod undo;
pub(super) mod watches;

use hotfix_benches::Failure;
use hotfix_testkit::cluster::{ArgoRollouts, TestCluster};

use super::case::Case;
use crate::say;
use kubectl::Kubectl;

pub(super) fn measure(print: impl Fn(Case)) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let cluster = runtime.block_on(TestCluster::start())?;
    let kubectl = Kubectl::find(&cluster)?;
    say(&format!("compare k8s peer: kubectl {}", kubectl.version()?));
    runtime.block_on(undo::measure(&cluster, &kubectl))?.into_iter().for_each(&print);
    runtime.block_on(cluster.install_istio())?;
    let _argo = runtime.block_on(cluster.argo_rollouts())?;
    say(&format!("compare k8s peer: argo-rollouts {}", ArgoRollouts::version()));
    runtime.block_on(abort::measure(&cluster))?.into_iter().for_each(&print);
    runtime.block_on(crash::measure(&cluster))?.into_iter().for_each(&print);
    runtime.block_on(watches::measure(&cluster))?.into_iter().for_each(&print);
    Ok(())
}
