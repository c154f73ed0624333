//! A deployer whose process is killed at the worst moment: the shift is applied and nobody knows it yet.

use async_trait::async_trait;
use hotfix::Error;
use hotfix::local::LocalDeployer;
use hotfix::model::{IdempotencyKey, Precondition, Stamp, Target, Verb, Workload, WorkloadSnapshot};
use hotfix::port::{Call, Deployer, DeployerCapabilities, Probe, Reply, Seal, WorkloadWatch};
use rustix::process::{Signal, getpid, kill_process};

/// The share of traffic at whose shift in production the process dies.
const DEADLY_SHARE: u8 = 50;

/// Does what the local deployer does, until it dies with SIGKILL.
#[derive(Debug)]
pub(crate) struct Mortal(pub(crate) LocalDeployer);

#[async_trait]
impl Deployer for Mortal {
    fn capabilities(&self, target: &Target) -> DeployerCapabilities {
        self.0.capabilities(target)
    }

    async fn observe(&self, target: &Target) -> Result<Workload, Error> {
        self.0.observe(target).await
    }

    async fn watch(&self, target: &Target) -> Result<WorkloadWatch, Error> {
        self.0.watch(target).await
    }

    async fn snapshot(&self, target: &Target) -> Result<WorkloadSnapshot, Error> {
        self.0.snapshot(target).await
    }

    async fn apply(&self, call: &Call, target: &Target, verb: &Verb, precondition: &Precondition) -> Reply {
        let reply = self.0.apply(call, target, verb, precondition).await;
        if let Verb::Shift { weights } = verb
            && weights.iter().any(|(_, share)| share == DEADLY_SHARE)
        {
            // Not even a destructor runs after this.
            let _ = kill_process(getpid(), Signal::KILL);
        }
        reply
    }

    async fn seal(&self, target: &Target, stamp: Stamp) -> Seal {
        self.0.seal(target, stamp).await
    }

    async fn probe(&self, target: &Target, key: &IdempotencyKey) -> Probe {
        self.0.probe(target, key).await
    }
}
