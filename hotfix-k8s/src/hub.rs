//! One watch per kind and namespace, however many follow: the last value of each workload with its pods, stripped to
//! what matters. A kind is watched from when somebody first follows one of it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod as PodKind;
use kube::Client;
use kube::api::Api;
use kube::core::ApiResource;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::config::TargetConfig;
use crate::facts::DeploymentFacts;
use crate::in_place::SetKind;
use crate::pod::Pod;
use crate::shape::Names;
use crate::slot::Side;

mod census;
mod deployment;
mod health;
mod keep;
mod set;
mod whole;

use deployment::DeploymentSlots;
use health::Health;
use keep::keep;
use set::{DaemonSetFacts, StatefulSetFacts};

/// All watches of a cluster.
#[derive(Clone)]
pub(crate) struct Hub {
    client: Client,
    feeds: Arc<Mutex<HashMap<String, Weak<Feed>>>>,
}

/// What is known of one slot.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Seen {
    pub(crate) deployment: Option<DeploymentFacts>,
    pub(crate) pods: BTreeMap<String, Arc<Pod>>,
}

/// What is known of one workload, with what it says of each slot that is followed there.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Cell {
    slots: Vec<Option<DeploymentFacts>>,
    pods: BTreeMap<String, Arc<Pod>>,
}

/// The watches of a namespace. They end when nobody follows any more.
pub(crate) struct Feed {
    namespace: String,
    state: Mutex<State>,
    health: watch::Sender<Health>,
    /// By kind, while it is watched.
    tasks: Mutex<BTreeMap<&'static str, JoinHandle<()>>>,
}

#[derive(Default)]
pub(super) struct State {
    /// By the name of a Deployment, or `StatefulSet/name`.
    cells: HashMap<String, watch::Sender<Cell>>,
    /// To which workload a pod was counted.
    owners: HashMap<String, String>,
}

/// Follows one slot.
#[derive(Clone)]
pub(crate) struct Follower {
    feed: Arc<Feed>,
    /// Which of what is known of the workload it is.
    slot: usize,
    seen: watch::Receiver<Cell>,
    health: watch::Receiver<Health>,
    /// The kinds that it needs, and how often the watch of each had ended when it began.
    needs: [(&'static str, u32); 2],
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("namespaces", &lock(&self.feeds).len()).finish_non_exhaustive()
    }
}

impl Hub {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, feeds: Arc::default() }
    }

    /// Follows a slot.
    pub(crate) fn follow(&self, config: &TargetConfig, side: Side) -> Follower {
        let feed = self.feed(&config.namespace);
        let names = Names::of(config);
        let (kind, slot, cell) = match SetKind::of(config.workload) {
            None if config.on_gitops.in_git().is_some() => {
                (DeploymentSlots::KIND, 1 + side as usize, names.main.name.clone())
            }
            None => (DeploymentSlots::KIND, 0, names.deployment(side).name.clone()),
            Some(kind) => (kind.name(), side as usize, set::key(kind, &names.main.name)),
        };
        let of_kind = match SetKind::of(config.workload) {
            None => feed.watch::<DeploymentSlots>(&self.client),
            Some(SetKind::StatefulSet) => feed.watch::<StatefulSetFacts>(&self.client),
            Some(SetKind::DaemonSet) => feed.watch::<DaemonSetFacts>(&self.client),
        };
        let needs = [(kind, of_kind), (Pod::KIND, feed.watch::<Pod>(&self.client))];
        Follower { slot, needs, health: feed.health.subscribe(), seen: feed.cell(&cell), feed }
    }

    fn feed(&self, namespace: &str) -> Arc<Feed> {
        let mut feeds = lock(&self.feeds);
        if let Some(feed) = feeds.get(namespace).and_then(Weak::upgrade) {
            return feed;
        }
        feeds.retain(|_, feed| feed.strong_count() > 0);
        let feed = Arc::new(Feed::of(namespace));
        feeds.insert(namespace.to_owned(), Arc::downgrade(&feed));
        feed
    }
}

impl Feed {
    fn of(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            state: Mutex::default(),
            health: watch::Sender::default(),
            tasks: Mutex::default(),
        }
    }

    /// Watches a kind, unless it is watched already. Returns how often its watch ended before.
    fn watch<K: Kept>(self: &Arc<Self>, client: &Client) -> u32 {
        let mut tasks = lock(&self.tasks);
        let (ends, rests) = {
            let health = self.health.borrow();
            (health.ends(K::KIND), health.rests(K::KIND))
        };
        tasks.entry(K::KIND).or_insert_with(|| {
            let api = Api::namespaced_with(client.clone(), &self.namespace, &K::resource());
            tokio::spawn(keep::<K>(api, Arc::downgrade(self), rests))
        });
        ends
    }

    fn cell(&self, name: &str) -> watch::Receiver<Cell> {
        lock(&self.state).cells.entry(name.to_owned()).or_default().subscribe()
    }

    /// Takes in that the watch of a kind ended. The others go on, and whoever follows one of the kind next has it begin
    /// anew.
    fn ended(&self, kind: &'static str, cause: String, lasted: Duration) {
        let mut tasks = lock(&self.tasks);
        tasks.remove(kind);
        self.health.send_modify(|health| health.ended(kind, cause, lasted));
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        lock(&self.tasks).values().for_each(JoinHandle::abort);
    }
}

impl State {
    /// Returns the workloads of which something is known, among those whose names are meant.
    pub(super) fn known(&self, is_meant: impl Fn(&str) -> bool) -> Vec<String> {
        let is_known = |cell: &watch::Sender<Cell>| cell.borrow().slots.iter().any(Option::is_some);
        let known = self.cells.iter().filter(|(name, cell)| is_meant(name) && is_known(cell));
        known.map(|(name, _)| name.clone()).collect()
    }

    /// Changes what is known of a workload; those who follow it are told if `change` says that it did.
    pub(super) fn change(&mut self, name: &str, change: impl FnOnce(&mut Cell) -> bool) {
        self.cells.entry(name.to_owned()).or_default().send_if_modified(change);
    }
}

impl Cell {
    /// Keeps what an object says of its slots.
    pub(super) fn put(&mut self, slots: Vec<Option<DeploymentFacts>>) -> bool {
        let is_new = self.slots != slots;
        self.slots = slots;
        is_new
    }
}

/// A kind of which the last values are kept.
pub(super) trait Kept: Clone + Send + 'static {
    const KIND: &'static str;
    fn resource() -> ApiResource;
    fn read(object: &Value) -> Self;
    fn name(&self) -> &str;
    /// Rises with every change of an object of the kind in the namespace; 0 when it is not known.
    fn version(&self) -> u64;
    fn put(self, state: &mut State);
    fn take(state: &mut State, name: &str);
    fn names(state: &State) -> Vec<String>;
}

impl Kept for Pod {
    const KIND: &'static str = "Pod";

    fn resource() -> ApiResource {
        ApiResource::erase::<PodKind>(&())
    }

    fn read(object: &Value) -> Self {
        Self::read(object)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn put(self, state: &mut State) {
        let Some(owner) = self.deployment.clone().or_else(|| self.set.clone()) else { return };
        state.owners.insert(self.name.clone(), owner.clone());
        state.change(&owner, |seen| {
            let before = seen.pods.get(&self.name).is_some_and(|before| **before == self);
            seen.pods.insert(self.name.clone(), Arc::new(self));
            !before
        });
    }

    fn take(state: &mut State, name: &str) {
        if let Some(owner) = state.owners.remove(name) {
            state.change(&owner, |seen| seen.pods.remove(name).is_some());
        }
    }

    fn names(state: &State) -> Vec<String> {
        state.owners.keys().cloned().collect()
    }
}

impl Follower {
    /// Returns the last value, and counts it as told.
    pub(crate) fn seen(&mut self) -> Seen {
        let cell = self.seen.borrow_and_update();
        Seen { deployment: cell.slots.get(self.slot).cloned().flatten(), pods: cell.pods.clone() }
    }

    /// Returns why there will be nothing more.
    pub(crate) fn broken(&self) -> Option<String> {
        cause(&self.health.borrow(), self.needs).map(str::to_owned)
    }

    /// Waits until the namespace was listed, or the watches broke.
    pub(crate) async fn listed(&mut self) {
        let needs = self.needs;
        let is_listed = |health: &Health| needs.iter().all(|(kind, _)| health.is_listed(kind));
        // The sender lives in the feed, which this follower keeps.
        let _ = self.health.wait_for(|health| cause(health, needs).is_some() || is_listed(health)).await;
    }

    /// Waits for a change of the workload or its pods, or for the end of the watches.
    pub(crate) async fn next(&mut self) {
        let needs = self.needs;
        tokio::select! {
            _ = self.seen.changed() => {}
            _ = self.health.wait_for(|health| cause(health, needs).is_some()) => {}
        }
    }

    /// Waits for a change, but not longer than `limit`.
    pub(crate) async fn changed(&mut self, limit: Duration) {
        let _ = timeout(limit, self.seen.changed()).await;
    }
}

/// Why the watch of a kind that is needed ended, if one did.
fn cause<'a>(health: &'a Health, needs: [(&'static str, u32); 2]) -> Option<&'a str> {
    needs.into_iter().find_map(|(kind, ends)| health.ended_since(kind, ends))
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").field("tasks", &lock(&self.feed.tasks).len()).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "hub_tests.rs"]
mod tests;
