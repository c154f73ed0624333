//! The deployer's own state, and how it reads a target.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hotfix_core::model::{Target, Timestamp};
use hotfix_core::port::{Clock, VersionControl};
use serde_json::Value;
use tokio::time::Instant;

use crate::api::{Api, Failure};
use crate::config::{KubernetesConfig, TargetConfig, Traffic};
use crate::error::{KubernetesError, Unusable};
use crate::fence::Note;
use crate::hub::Hub;
use crate::lanes::Lane;
use crate::lease::{LeaseConfig, Leases};
use crate::object::{self, ObjectRef};
use crate::pod::Pod;
use crate::replica_set::ReplicaSet;
use crate::shape::{Names, Shape};
use crate::sight::{Object, Patience, Sight, Unreadable};
use crate::slot::{Side, Slots};
use crate::traffic::backend::Means;
use crate::traffic::dial::Dial;
use crate::traffic::{Objections, Route};

/// Deploys images to Deployments of one cluster.
///
/// Any number of deployers, in any number of processes, can share a cluster: each mutation is compared with the
/// fence by the API server. Within a process, share one deployer: all its runs use the same watches.
#[derive(Debug, Clone)]
pub struct KubernetesDeployer {
    pub(crate) api: Api,
    pub(crate) config: Arc<KubernetesConfig>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) slots: Slots,
    pub(crate) hub: Hub,
    /// Where targets are written that are written in git, by name.
    pub(crate) repositories: BTreeMap<String, Arc<dyn VersionControl>>,
    /// What was seen of targets before.
    memory: Arc<Mutex<BTreeMap<Target, Remembered>>>,
}

/// What was seen of a target the last time: guesses that make do with one round of reads, each compared with what that
/// brings.
#[derive(Debug, Clone)]
struct Remembered {
    /// The label selector of its pods. A Deployment never changes it.
    selector: String,
    /// Of each slot, a pod that was ready.
    ready: [Option<String>; 2],
}

/// Which pods are read.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    All,
    /// One of the slot that can take traffic; all when the one that could before cannot now.
    Ready(Side),
}

impl KubernetesDeployer {
    /// Builds a deployer for the targets of a cluster. Nothing is sent yet.
    ///
    /// Take `cluster` from [`kube::Config::infer`] (in a pod, or the current context of the kubeconfig) or one of its
    /// other constructors. Its own retries are switched off.
    ///
    /// # Errors
    /// [`KubernetesError::Config`] with the first value that cannot be used, [`KubernetesError::Client`].
    pub fn connect(
        config: KubernetesConfig,
        cluster: kube::Config,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, KubernetesError> {
        config.check()?;
        let api = Api::connect(cluster, config.requests)
            .map_err(|error| KubernetesError::Client(Box::new(error)))?;
        Ok(Self::by(api, config, clock))
    }

    /// The same by a connection that is there, to targets that were checked.
    pub(crate) fn by(api: Api, config: KubernetesConfig, clock: Arc<dyn Clock>) -> Self {
        Self {
            hub: Hub::new(api.client()),
            api,
            config: Arc::new(config),
            clock,
            slots: Slots::new(),
            repositories: BTreeMap::new(),
            memory: Arc::default(),
        }
    }

    /// Returns the same deployer with requests that are for something else.
    pub(crate) fn in_lane(&self, lane: Lane) -> Self {
        Self { api: self.api.in_lane(lane), ..self.clone() }
    }

    /// Returns the same deployer for looking whether what a verb waits for has come.
    pub(crate) fn waiting(&self) -> Self {
        Self { api: self.api.waiting(), ..self.clone() }
    }

    /// Returns the Leases of the same cluster, whose requests take their turn with those of this deployer.
    ///
    /// # Errors
    /// [`KubernetesError::LeasePrefix`].
    pub fn leases(&self, config: LeaseConfig) -> Result<Leases, KubernetesError> {
        Leases::by(self.api.clone(), config, Arc::clone(&self.clock))
    }

    pub(crate) fn target(&self, target: &Target) -> Result<&TargetConfig, Unusable> {
        self.config.targets.get(target).ok_or_else(|| Unusable::NotConfigured(target.clone()))
    }

    /// Returns the moment of a deadline on this process' clock; `None` when it has passed.
    pub(crate) fn instant(&self, deadline: Timestamp) -> Option<Instant> {
        let left = deadline.signed_duration_since(self.clock.now()).to_std().ok()?;
        (left > Duration::ZERO).then(|| Instant::now() + left)
    }

    /// Reads everything that belongs to a target, from the store behind the API server.
    pub(crate) async fn sight(&self, target: &Target, deadline: Instant) -> Result<Sight, Unusable> {
        self.sight_with(target, Wanted::All, deadline).await
    }

    /// Reads the same with one pod of the slot if that can take traffic, and with all pods otherwise.
    ///
    /// A pod by name comes from the store at once. For a list the server first makes sure that its cache is as new as
    /// the store, which takes it up to a tenth of a second: more than the rest of an undo.
    pub(crate) async fn sight_of_ready(
        &self,
        target: &Target,
        side: Side,
        deadline: Instant,
    ) -> Result<Sight, Unusable> {
        self.sight_with(target, Wanted::Ready(side), deadline).await
    }

    async fn sight_with(
        &self,
        target: &Target,
        wanted: Wanted,
        deadline: Instant,
    ) -> Result<Sight, Unusable> {
        let config = self.target(target)?;
        // How far shares by pods are, no single pod tells.
        let wanted = if matches!(config.traffic, Traffic::Replicas(_)) { Wanted::All } else { wanted };
        let names = Names::of(config);
        let known = self.memory().get(target).cloned();
        let early = async {
            let known = known.as_ref()?;
            match wanted {
                Wanted::All => Some(self.members(config, &known.selector, deadline).await),
                Wanted::Ready(side) => {
                    let name = known.ready[side as usize].as_deref()?;
                    let pod = self.pod(&config.namespace, name, deadline).await;
                    Some(pod.map(|pods| (pods, Vec::new())))
                }
            }
        };
        let apart = names.route != names.service;
        let route = async { if apart { self.fetch(&names.route, deadline).await } else { Ok(None) } };
        let (main, hotfix, service, route, autoscaler, early) = tokio::join!(
            self.fetch(&names.main, deadline),
            self.fetch(&names.hotfix, deadline),
            self.fetch(&names.service, deadline),
            route,
            self.fetch_any(names.autoscaler.as_ref(), deadline),
            early,
        );
        let (main, service) = (present(&names.main, main?)?, present(&names.service, service?)?);
        let shape = Shape::read(config, &main.value, &service.value)?;
        let pod_labels = shape.pods();
        let early = early.filter(|_| known.is_some_and(|known| known.selector == pod_labels));
        let (slots, hotfix, autoscaler) = (self.slots.clone(), hotfix?, autoscaler?);
        let ((pods, sets), mut is_guess) = match (wanted, early) {
            (Wanted::All, Some(members)) => (members?, false),
            (Wanted::Ready(_), Some(Ok(members))) => (members, true),
            _ => (self.members(config, &pod_labels, deadline).await?, false),
        };
        let (traffic, dial): (Box<dyn Route>, _) = match config.traffic.means(&names, &shape, &slots) {
            Means::Route(route) => (route, None),
            Means::Pods(allowed) => {
                let copy = hotfix.as_ref().map(|copy| &copy.value);
                let dial = Dial::read(allowed, &slots, &service, (&main.value, copy), &sets, &pods);
                let dial = dial.map_err(|error| Unreadable::Route(error.into()))?;
                (Box::new(dial.clone()), Some(dial))
            }
        };
        let selector = service.value["spec"]["selector"].clone();
        let route = if apart { present(&names.route, route?)? } else { service };
        let route = Object { reference: traffic.object(), ..route };
        let (patience, before) = (Patience::Left, Objections::default());
        let mut sight = Sight {
            slots,
            shape,
            main,
            hotfix,
            route,
            autoscaler,
            selector,
            traffic,
            dial,
            pods,
            patience,
            before,
        };
        if let (Wanted::Ready(side), true) = (wanted, is_guess)
            && sight.ready(side) == 0
        {
            (sight.pods, is_guess) = (self.members(config, &pod_labels, deadline).await?.0, false);
        }
        if !is_guess {
            let ready = Side::BOTH.map(|side| sight.ready_pod(side).map(str::to_owned));
            self.memory().insert(target.clone(), Remembered { selector: pod_labels, ready });
        }
        Ok(sight)
    }

    /// Reads the pods of both slots, and their ReplicaSets where the traffic is told by them.
    async fn members(
        &self,
        config: &TargetConfig,
        labels: &str,
        deadline: Instant,
    ) -> Result<(Vec<Pod>, Vec<ReplicaSet>), Unusable> {
        let sets = async {
            match config.traffic {
                Traffic::Replicas(_) => {
                    self.listed("apps/v1", "replicasets", &config.namespace, labels, deadline).await
                }
                _ => Ok(Vec::new()),
            }
        };
        let (pods, sets) = tokio::join!(self.pods(&config.namespace, labels, deadline), sets);
        Ok((pods?, sets?.iter().filter_map(ReplicaSet::read).collect()))
    }

    /// Reads a pod; nothing when there is none of that name.
    async fn pod(&self, namespace: &str, name: &str, deadline: Instant) -> Result<Vec<Pod>, Unusable> {
        let reference = ObjectRef::pod(namespace, name);
        match self.api.get(&reference, deadline).await {
            Ok(pod) => Ok(pod.iter().map(Pod::read).collect()),
            Err(failure) => Err(request(reference.to_string(), failure)),
        }
    }

    /// Reads all pods with the labels.
    pub(crate) async fn pods(
        &self,
        namespace: &str,
        labels: &str,
        deadline: Instant,
    ) -> Result<Vec<Pod>, Unusable> {
        let pods = self.listed("v1", "pods", namespace, labels, deadline).await?;
        Ok(pods.iter().map(Pod::read).collect())
    }

    async fn listed(
        &self,
        version: &str,
        plural: &str,
        namespace: &str,
        labels: &str,
        deadline: Instant,
    ) -> Result<Vec<Value>, Unusable> {
        let all = self.api.list(&object::collection(version, plural, namespace), labels, deadline).await;
        all.map_err(|failure| request(format!("{plural} {namespace} ({labels})"), failure))
    }

    /// Reads an object with its fence.
    pub(crate) async fn fetch(
        &self,
        reference: &ObjectRef,
        deadline: Instant,
    ) -> Result<Option<Object>, Unusable> {
        match self.api.get(reference, deadline).await {
            Ok(value) => value.map(|value| object(reference, value)).transpose(),
            Err(failure) => Err(request(reference.to_string(), failure)),
        }
    }

    /// Reads an object that a target need not have.
    pub(crate) async fn fetch_any(
        &self,
        reference: Option<&ObjectRef>,
        deadline: Instant,
    ) -> Result<Option<Object>, Unusable> {
        match reference {
            Some(reference) => self.fetch(reference, deadline).await,
            None => Ok(None),
        }
    }

    /// Reads the autoscalers of a namespace.
    pub(crate) async fn autoscalers(
        &self,
        namespace: &str,
        deadline: Instant,
    ) -> Result<Vec<Value>, Unusable> {
        let collection = object::collection("autoscaling/v2", "horizontalpodautoscalers", namespace);
        let all = self.api.list(&collection, "", deadline).await;
        all.map_err(|failure| request(format!("horizontalpodautoscalers {namespace}"), failure))
    }

    fn memory(&self) -> MutexGuard<'_, BTreeMap<Target, Remembered>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn request(object: String, failure: Failure) -> Unusable {
    Unusable::Request { object, failure }
}

fn present(reference: &ObjectRef, object: Option<Object>) -> Result<Object, Unusable> {
    object.ok_or_else(|| Unusable::Missing(reference.clone().into()))
}

fn object(reference: &ObjectRef, value: Value) -> Result<Object, Unusable> {
    let fence = Note::read(&value)
        .map_err(|reason| Unusable::Corrupt { object: reference.clone().into(), reason })?;
    Ok(Object { reference: reference.clone(), value, fence })
}
