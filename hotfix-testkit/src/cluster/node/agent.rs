//! Watches all pods, sends them to nodes, and lets each live there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::super::image::Registry;
use super::super::network::Network;
use super::life;
use super::register;
use super::schedule::{Place, Placement, place};

/// After how long a pod is sent to its node again that could not be sent.
const BIND_AGAIN: Duration = Duration::from_millis(200);

/// How nodes behave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeOptions {
    /// How many there are.
    pub count: u16,
    /// How long a container that ended waits for its second start again; it doubles. A kubelet takes ten seconds. The
    /// first start again is at once, as a kubelet's is.
    pub back_off: Duration,
    /// The longest such wait. A kubelet takes five minutes.
    pub longest_back_off: Duration,
    /// The longest time between two readiness probes, whatever a pod says: specifications have whole seconds, for which
    /// no test should wait.
    pub longest_probe_period: Duration,
    /// The program that runs in pods, which does what `hotfix-test-pod` does; otherwise that is looked for beside the
    /// running program, in the folder above it, and in PATH.
    pub program: Option<PathBuf>,
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self {
            count: 1,
            back_off: Duration::from_secs(1),
            longest_back_off: Duration::from_secs(30),
            longest_probe_period: Duration::from_millis(100),
            program: None,
        }
    }
}

/// The nodes of a cluster.
pub(in super::super) struct Agent {
    options: NodeOptions,
    client: Client,
    registry: Arc<Registry>,
    network: Arc<Network>,
    places: Vec<Place>,
    program: Option<PathBuf>,
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent").field("options", &self.options).finish_non_exhaustive()
    }
}

/// The pods that live, by uid.
type Lives = BTreeMap<String, watch::Sender<Option<Pod>>>;

impl Agent {
    pub(in super::super) fn new(
        client: Client,
        options: NodeOptions,
        registry: Arc<Registry>,
        program: Option<PathBuf>,
    ) -> Self {
        let places = (1..=options.count).map(register::place).collect();
        Self { options, client, registry, network: Arc::default(), places, program }
    }

    /// Lets the API server know the nodes.
    pub(in super::super) async fn register(&self) -> Result<(), kube::Error> {
        let nodes: Api<Node> = Api::all(self.client.clone());
        for place in &self.places {
            register::register(&nodes, place).await?;
        }
        Ok(())
    }

    /// Takes pods until it is dropped, and everything that runs with it.
    pub(in super::super) async fn work(self: Arc<Self>) {
        let pods: Api<Pod> = Api::all(self.client.clone());
        let mut events = pin!(watcher::watcher(pods, watcher::Config::default()).default_backoff());
        let mut lives = Lives::new();
        let mut running = JoinSet::new();
        let mut listed = BTreeSet::new();
        let mut turn = 0;
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Apply(pod)) => self.see(pod, &mut lives, &mut running, &mut turn),
                Ok(Event::InitApply(pod)) => {
                    listed.extend(pod.uid());
                    self.see(pod, &mut lives, &mut running, &mut turn);
                }
                Ok(Event::Init) => listed.clear(),
                Ok(Event::InitDone) => lives.retain(|uid, life| listed.contains(uid) || end(life)),
                Ok(Event::Delete(pod)) => {
                    if let Some(life) = pod.uid().and_then(|uid| lives.remove(&uid)) {
                        end(&life);
                    }
                }
                // The watch goes on by itself, after a while.
                Err(_) => {}
            }
            while running.try_join_next().is_some() {}
        }
    }

    fn see(self: &Arc<Self>, pod: Pod, lives: &mut Lives, running: &mut JoinSet<()>, turn: &mut usize) {
        let Some(uid) = pod.uid() else { return };
        if let Some(life) = lives.get(&uid) {
            life.send_replace(Some(pod));
            return;
        }
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
        if node.is_some_and(|node| self.places.iter().any(|place| place.name == node)) {
            let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
            let is_over = matches!(phase, Some("Succeeded" | "Failed"));
            if !is_over || pod.metadata.deletion_timestamp.is_some() {
                let (life, latest) = watch::channel(Some(pod));
                lives.insert(uid, life);
                running.spawn(life::live(Arc::clone(self), latest));
            }
            return;
        }
        match place(&pod, &self.places, *turn) {
            Placement::On(node) => {
                *turn += 1;
                running.spawn(Arc::clone(self).bind(pod, node));
            }
            Placement::Nowhere(message) => {
                let agent = Arc::clone(self);
                // The watch tells of it again if this fails.
                running.spawn(async move { drop(agent.refuse(&pod, &message).await) });
            }
            Placement::NotOurs => {}
        }
    }

    /// Sends a pod to a node, until that is done or the server has another opinion.
    async fn bind(self: Arc<Self>, pod: Pod, node: String) {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &pod.namespace().unwrap_or_default());
        let name = pod.name_any();
        let binding = json!({
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name, "uid": pod.uid()},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        });
        loop {
            let bound: Result<serde_json::Value, _> =
                pods.create_subresource("binding", &name, &PostParams::default(), &binding).await;
            match bound {
                Err(kube::Error::Api(status)) if status.code < 429 => return,
                Err(_) => sleep(BIND_AGAIN).await,
                Ok(_status) => return,
            }
        }
    }

    async fn refuse(&self, pod: &Pod, message: &str) -> Result<(), kube::Error> {
        let mut conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
        if conditions.any(|condition| condition.message.as_deref() == Some(message)) {
            return Ok(());
        }
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &pod.namespace().unwrap_or_default());
        let condition =
            json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message});
        let patch = Patch::Strategic(json!({"status": {"conditions": [condition]}}));
        pods.patch_status(&pod.name_any(), &PatchParams::default(), &patch).await.map(|_| ())
    }

    pub(super) const fn options(&self) -> &NodeOptions {
        &self.options
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(super) const fn network(&self) -> &Arc<Network> {
        &self.network
    }

    pub(super) fn program(&self) -> io::Result<&Path> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "no program hotfix-test-pod");
        self.program.as_deref().ok_or_else(missing)
    }
}

/// Tells a life that its pod is gone. It is forgotten then.
fn end(life: &watch::Sender<Option<Pod>>) -> bool {
    life.send_replace(None);
    false
}
