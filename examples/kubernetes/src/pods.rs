//! The pods of a rollout, told one by one as they become healthy.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use hotfix::model::{SlotName, Target};
use hotfix::port::{Deployer as _, WorkloadChange};
use hotfix_examples::Failure;
use hotfix_k8s::KubernetesDeployer;
use tokio::task::JoinHandle;

use crate::objects::deployment_of;
use crate::show::say;

/// Tells of the pods of a workload until it is dropped.
#[derive(Debug)]
pub(crate) struct Pods(JoinHandle<()>);

impl Pods {
    /// Begins to tell of each pod of so many that gets healthy, and of what goes wrong. What is there already is not
    /// told.
    pub(crate) async fn told(
        deployer: &KubernetesDeployer,
        target: &Target,
        of: u16,
    ) -> Result<Self, Failure> {
        let before = deployer.observe(target).await?;
        let ready = |slot: &SlotName| before.slot(slot).map_or(0, |state| state.ready);
        let mut known: BTreeMap<SlotName, u16> =
            before.slots.keys().map(|slot| (slot.clone(), ready(slot))).collect();
        let mut changes = deployer.watch(target).await?;
        Ok(Self(tokio::spawn(async move {
            while let Some(Ok(change)) = changes.next().await {
                tell(&mut known, of, change);
            }
        })))
    }
}

impl Drop for Pods {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn tell(known: &mut BTreeMap<SlotName, u16>, of: u16, change: WorkloadChange) {
    match change {
        WorkloadChange::Instances { slot, ready, .. } => {
            let before = known.insert(slot.clone(), ready).unwrap_or(0);
            for pod in before + 1..=ready {
                say(format_args!("           pod {pod}/{of} healthy (deployment {})", deployment_of(&slot)));
            }
        }
        WorkloadChange::Faulty { fault, .. } => say(format_args!("           pod {fault}")),
        _ => {}
    }
}
