//! One watch per kind and namespace, however many follow: the last value of each Deployment with its pods, stripped
//! to what matters.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use k8s_openapi::api::apps::v1::Deployment as DeploymentKind;
use k8s_openapi::api::core::v1::Pod as PodKind;
use kube::Client;
use kube::api::Api;
use kube::core::{ApiResource, DynamicObject};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::config::TargetConfig;
use crate::facts::DeploymentFacts;
use crate::pod::Pod;
use crate::shape::Names;
use crate::slot::Side;

/// How long a watch may fail before those who follow it are told.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the server keeps one watch open. One that went silent is noticed a little later.
const WATCH_SECONDS: u32 = 60;

/// All watches of a cluster.
#[derive(Clone)]
pub(crate) struct Hub {
    client: Client,
    feeds: Arc<Mutex<HashMap<String, Weak<Feed>>>>,
}

/// What is known of one Deployment.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Seen {
    pub(crate) deployment: Option<DeploymentFacts>,
    pub(crate) pods: BTreeMap<String, Arc<Pod>>,
}

/// The watches of a namespace. They end when nobody follows any more.
pub(crate) struct Feed {
    state: Mutex<State>,
    health: watch::Sender<Health>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct State {
    cells: HashMap<String, watch::Sender<Seen>>,
    /// To which Deployment a pod was counted.
    owners: HashMap<String, String>,
}

/// How far the watches of a namespace are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Health {
    /// Which of the kinds were listed.
    deployments: bool,
    pods: bool,
    /// Why there will be nothing more.
    broken: Option<String>,
}

/// Follows one Deployment.
#[derive(Clone)]
pub(crate) struct Follower {
    feed: Arc<Feed>,
    seen: watch::Receiver<Seen>,
    health: watch::Receiver<Health>,
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

    /// Follows the Deployment of a slot.
    pub(crate) fn follow(&self, config: &TargetConfig, side: Side) -> Follower {
        let feed = self.feed(&config.namespace);
        let names = Names::of(config);
        let seen = feed.cell(&names.deployment(side).name);
        Follower { health: feed.health.subscribe(), seen, feed }
    }

    fn feed(&self, namespace: &str) -> Arc<Feed> {
        let mut feeds = lock(&self.feeds);
        let running = feeds.get(namespace).and_then(Weak::upgrade);
        if let Some(feed) = running.filter(|feed| feed.health.borrow().broken.is_none()) {
            return feed;
        }
        feeds.retain(|_, feed| feed.strong_count() > 0);
        let feed = Feed::start(&self.client, namespace);
        feeds.insert(namespace.to_owned(), Arc::downgrade(&feed));
        feed
    }
}

impl Feed {
    fn start(client: &Client, namespace: &str) -> Arc<Self> {
        let feed = Arc::new(Self {
            state: Mutex::default(),
            health: watch::Sender::default(),
            tasks: Mutex::default(),
        });
        let api = |resource: &ApiResource| Api::namespaced_with(client.clone(), namespace, resource);
        let deployments = api(&ApiResource::erase::<DeploymentKind>(&()));
        let pods = api(&ApiResource::erase::<PodKind>(&()));
        let tasks = [
            tokio::spawn(keep::<DeploymentFacts>(deployments, Arc::downgrade(&feed))),
            tokio::spawn(keep::<Pod>(pods, Arc::downgrade(&feed))),
        ];
        lock(&feed.tasks).extend(tasks);
        feed
    }

    fn cell(&self, name: &str) -> watch::Receiver<Seen> {
        lock(&self.state).cells.entry(name.to_owned()).or_default().subscribe()
    }

    fn fail(&self, cause: String) {
        self.health.send_if_modified(|health| {
            let is_new = health.broken.is_none();
            health.broken.get_or_insert(cause);
            is_new
        });
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        lock(&self.tasks).iter().for_each(JoinHandle::abort);
    }
}

impl State {
    /// Changes what is known of a Deployment; those who follow it are told if `change` says that it did.
    fn change(&mut self, name: &str, change: impl FnOnce(&mut Seen) -> bool) {
        self.cells.entry(name.to_owned()).or_default().send_if_modified(change);
    }
}

/// A kind of which the last values are kept.
trait Kept: Clone + Send + 'static {
    fn read(object: &Value) -> Self;
    fn name(&self) -> &str;
    /// Rises with every change of an object of the kind in the namespace; 0 when it is not known.
    fn version(&self) -> u64;
    fn put(self, state: &mut State);
    fn take(state: &mut State, name: &str);
    fn names(state: &State) -> Vec<String>;
    fn listed(health: &mut Health);
}

impl Kept for DeploymentFacts {
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
        let name = self.name.clone();
        state.change(&name, |seen| {
            let is_new = seen.deployment.as_ref() != Some(&self);
            seen.deployment = Some(self);
            is_new
        });
    }

    fn take(state: &mut State, name: &str) {
        state.change(name, |seen| seen.deployment.take().is_some());
    }

    fn names(state: &State) -> Vec<String> {
        let known = state.cells.iter().filter(|(_, cell)| cell.borrow().deployment.is_some());
        known.map(|(name, _)| name.clone()).collect()
    }

    fn listed(health: &mut Health) {
        health.deployments = true;
    }
}

impl Kept for Pod {
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
        let Some(owner) = self.deployment.clone() else { return };
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

    fn listed(health: &mut Health) {
        health.pods = true;
    }
}

/// Keeps the last values of one kind until nobody follows any more. The watcher lists again after a 410, a
/// disconnect or a watch that went silent.
async fn keep<K: Kept>(api: Api<DynamicObject>, feed: Weak<Feed>) {
    let config = watcher::Config::default().timeout(WATCH_SECONDS);
    let mut events = std::pin::pin!(watcher(api, config).default_backoff());
    let mut listing: Vec<K> = Vec::new();
    // A watch tells of changes in their order. What is not newer than the newest was told before.
    let mut newest = 0;
    let mut failing: Option<Instant> = None;
    while let Some(event) = events.next().await {
        let Some(feed) = feed.upgrade() else { return };
        let event = match event {
            Ok(event) => {
                failing = None;
                event
            }
            Err(error) => {
                let since = *failing.get_or_insert_with(Instant::now);
                if is_final(&error) || since.elapsed() > PATIENCE {
                    feed.fail(crate::api::with_causes(&error));
                    return;
                }
                tracing::debug!(%error, "a watch is tried again");
                continue;
            }
        };
        let mut state = lock(&feed.state);
        match event {
            Event::Init => {
                listing.clear();
                newest = 0;
            }
            Event::InitApply(object) => listing.push(read(object)),
            Event::InitDone => {
                newest = listing.iter().map(Kept::version).max().unwrap_or(0);
                let kept: HashSet<&str> = listing.iter().map(Kept::name).collect();
                let gone = K::names(&state).into_iter().filter(|name| !kept.contains(name.as_str()));
                gone.for_each(|name| K::take(&mut state, &name));
                listing.drain(..).for_each(|kept| kept.put(&mut state));
                feed.health.send_modify(K::listed);
            }
            Event::Apply(object) => {
                let read = read::<K>(object);
                if is_newer(read.version(), &mut newest) {
                    read.put(&mut state);
                }
            }
            Event::Delete(object) => {
                let read = read::<K>(object);
                if is_newer(read.version(), &mut newest) {
                    K::take(&mut state, read.name());
                }
            }
        }
    }
}

/// Whether an event is news, which makes it the newest.
fn is_newer(version: u64, newest: &mut u64) -> bool {
    let is_newer = version == 0 || version > *newest;
    *newest = version.max(*newest);
    is_newer
}

fn read<K: Kept>(object: DynamicObject) -> K {
    let mut value = object.data;
    value["metadata"] = serde_json::to_value(object.metadata).unwrap_or_default();
    K::read(&value)
}

/// Whether trying again cannot help.
fn is_final(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => {
            matches!(status.code, 401 | 403 | 404)
        }
        _ => false,
    }
}

impl Follower {
    /// Returns the last value, and counts it as told.
    pub(crate) fn seen(&mut self) -> Seen {
        self.seen.borrow_and_update().clone()
    }

    /// Returns why there will be nothing more.
    pub(crate) fn broken(&self) -> Option<String> {
        self.health.borrow().broken.clone()
    }

    /// Waits until the namespace was listed, or the watches broke.
    pub(crate) async fn listed(&mut self) {
        let is_done = |health: &Health| health.broken.is_some() || (health.deployments && health.pods);
        // The sender lives in the feed, which this follower keeps.
        let _ = self.health.wait_for(is_done).await;
    }

    /// Waits for a change of the Deployment or its pods, or for the end of the watches.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.seen.changed() => {}
            _ = self.health.wait_for(|health| health.broken.is_some()) => {}
        }
    }

    /// Waits for a change, but not longer than `limit`.
    pub(crate) async fn changed(&mut self, limit: Duration) {
        let _ = timeout(limit, self.seen.changed()).await;
    }
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").field("tasks", &lock(&self.feed.tasks).len()).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
