//! The life of one pod on its node, told to the API server.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Pod};
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::super::clock;
use super::super::network::{PodAddress, ports};
use super::agent::Agent;
use super::container::{Home, Unborn};
use super::record::{Board, Record};
use super::status::{Conditions, status};

/// The label that says which slot a pod belongs to.
const SLOT: &str = "hotfix.dev/slot";

/// What a pod gets to end that says nothing else.
const USUAL_GRACE: i64 = 30;

/// After how long the API server is told again what it could not be told.
const TELL_AGAIN: Duration = Duration::from_millis(200);

/// Runs a pod until it is gone. `latest` is what the API server has of it; nothing when it has it no more.
pub(super) async fn live(agent: Arc<Agent>, mut latest: watch::Receiver<Option<Pod>>) {
    let Some(pod) = latest.borrow().clone() else { return };
    let life = Life::begin(&agent, &pod);
    // Dropped when the API server forgot the pod: then everything ends at once.
    life.go_on(&mut latest).await;
}

struct Life {
    pods: Api<Pod>,
    name: String,
    uid: String,
    home: Arc<Home>,
    containers: JoinSet<()>,
    stop: watch::Sender<Option<Duration>>,
}

impl Life {
    fn begin(agent: &Arc<Agent>, pod: &Pod) -> Self {
        let specs: &[Container] = pod.spec.as_ref().map_or(&[], |spec| &spec.containers);
        let all_ports: Vec<u16> = specs.iter().flat_map(ports).collect();
        let namespace = pod.namespace().unwrap_or_default();
        let policy = pod.spec.as_ref().and_then(|spec| spec.restart_policy.clone());
        let home = Arc::new(Home {
            agent: Arc::clone(agent),
            namespace: namespace.clone(),
            pod: pod.name_any(),
            slot: pod.labels().get(SLOT).cloned().unwrap_or_default(),
            restart_policy: policy.unwrap_or_else(|| "Always".to_owned()),
            address: PodAddress::take(agent.network(), &all_ports),
            board: Board::new(specs.iter().map(Record::new).collect()),
        });
        let (stop, stopping) = watch::channel(None);
        let mut containers = JoinSet::new();
        // A pod that is already told to go does not begin.
        if pod.metadata.deletion_timestamp.is_none() {
            for (index, spec) in specs.iter().cloned().enumerate() {
                let unborn = Unborn { home: Arc::clone(&home), index, spec, stop: stopping.clone() };
                containers.spawn(unborn.live());
            }
        }
        let pods = Api::namespaced(agent.client().clone(), &namespace);
        let uid = pod.uid().unwrap_or_default();
        Self { pods, name: pod.name_any(), uid, home, containers, stop }
    }

    async fn go_on(mut self, latest: &mut watch::Receiver<Option<Pod>>) {
        let started = clock::now();
        let mut conditions = Conditions::default();
        let mut written = Value::Null;
        loop {
            let Some(pod) = latest.borrow_and_update().clone() else { return };
            if pod.metadata.deletion_timestamp.is_some() {
                self.stop(&pod);
            }
            let records = self.home.board.records();
            let shown = self.home.address.shown();
            let status = status(&pod, shown, &started, &records, &mut conditions, &clock::now());
            if status != written && !self.tell(&status).await {
                // A pod that is gone is seen to be gone by the watch; everything else passes.
                sleep(TELL_AGAIN).await;
                continue;
            }
            written = status;
            let is_over = self.containers.is_empty();
            if is_over && pod.metadata.deletion_timestamp.is_some() {
                return self.bury(latest).await;
            }
            tokio::select! {
                () = self.home.board.changed() => {}
                Some(_ended) = self.containers.join_next() => {}
                changed = latest.changed() => if changed.is_err() { return },
            }
        }
    }

    fn stop(&self, pod: &Pod) {
        let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(USUAL_GRACE);
        let grace = Duration::from_secs(u64::try_from(grace).unwrap_or_default());
        self.stop.send_if_modified(|stop| stop.replace(grace) != Some(grace));
    }

    async fn tell(&self, status: &Value) -> bool {
        let patch = json!({"metadata": {"uid": self.uid}, "status": status});
        self.pods.patch_status(&self.name, &PatchParams::default(), &Patch::Strategic(patch)).await.is_ok()
    }

    /// Lets the API server forget the pod, until the watch says that it did.
    async fn bury(&self, latest: &mut watch::Receiver<Option<Pod>>) {
        let preconditions = Preconditions { uid: Some(self.uid.clone()), ..Preconditions::default() };
        let now =
            DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default().grace_period(0) };
        while latest.borrow_and_update().is_some() {
            let _told = self.pods.delete(&self.name, &now).await;
            let _passed = tokio::time::timeout(TELL_AGAIN, latest.changed()).await;
        }
    }
}
