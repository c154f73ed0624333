//! The deployer's own state, and how it reads objects.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hotfix_core::model::{Target, Timestamp};
use hotfix_core::port::{Clock, VersionControl};
use serde_json::Value;
use tokio::time::Instant;

use crate::api::{Api, Failure};
use crate::config::{KubernetesConfig, TargetConfig};
use crate::error::{KubernetesError, Unusable};
use crate::fence::Note;
use crate::hub::Hub;
use crate::lanes::Lane;
use crate::lease::{LeaseConfig, Leases};
use crate::memory::Memory;
use crate::object::{self, ObjectRef};
use crate::pod::Pod;
use crate::sight::Object;
use crate::slot::Slots;

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
    pub(crate) memory: Memory,
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
            memory: Memory::default(),
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

    /// Reads a pod; nothing when there is none of that name.
    pub(crate) async fn pod(
        &self,
        namespace: &str,
        name: &str,
        deadline: Instant,
    ) -> Result<Vec<Pod>, Unusable> {
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

    pub(crate) async fn listed(
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
}

pub(crate) fn request(object: String, failure: Failure) -> Unusable {
    Unusable::Request { object, failure }
}

pub(crate) fn object(reference: &ObjectRef, value: Value) -> Result<Object, Unusable> {
    let fence = Note::read(&value)
        .map_err(|reason| Unusable::Corrupt { object: reference.clone().into(), reason })?;
    Ok(Object { reference: reference.clone(), value, fence })
}
