//! The deployer's own state, and how it reads a target.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hotfix_core::model::{Target, Timestamp};
use hotfix_core::port::Clock;
use serde_json::Value;
use tokio::time::Instant;

use crate::api::{Api, Failure};
use crate::config::{KubernetesConfig, TargetConfig};
use crate::error::{KubernetesError, Unusable};
use crate::fence::Note;
use crate::hub::Hub;
use crate::lanes::Lane;
use crate::object::{self, ObjectRef};
use crate::pod::Pod;
use crate::shape::{Names, Shape};
use crate::sight::{Object, Sight};
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
    /// The label selector of a target's pods, as far as it is known. A Deployment never changes it, and it is
    /// compared with what was read.
    selectors: Arc<Mutex<BTreeMap<Target, String>>>,
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
        let api = Api::connect(cluster).map_err(|error| KubernetesError::Client(Box::new(error)))?;
        Ok(Self {
            hub: Hub::new(api.client()),
            api,
            config: Arc::new(config),
            clock,
            slots: Slots::new(),
            selectors: Arc::default(),
        })
    }

    /// Returns the same deployer with requests that are for something else.
    pub(crate) fn in_lane(&self, lane: Lane) -> Self {
        Self { api: self.api.in_lane(lane), ..self.clone() }
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
        let config = self.target(target)?;
        let names = Names::of(config);
        let guess = self.selectors().get(target).cloned();
        let early = async {
            match &guess {
                Some(selector) => Some(self.pods(&config.namespace, selector, deadline).await),
                None => None,
            }
        };
        let apart = names.route != names.service;
        let route = async { if apart { self.fetch(&names.route, deadline).await } else { Ok(None) } };
        let (main, hotfix, service, route, early) = tokio::join!(
            self.fetch(&names.main, deadline),
            self.fetch(&names.hotfix, deadline),
            self.fetch(&names.service, deadline),
            route,
            early,
        );
        let (main, service) = (present(&names.main, main?)?, present(&names.service, service?)?);
        let shape = Shape::read(config, &main.value, &service.value)?;
        let selector = format!("{} in ({},{})", shape.label, shape.main, shape.hotfix);
        let pods = match early {
            Some(pods) if guess.as_ref() == Some(&selector) => pods?,
            _ => self.pods(&config.namespace, &selector, deadline).await?,
        };
        self.selectors().insert(target.clone(), selector);
        let traffic = config.traffic.route(&names, &shape, &self.slots);
        let selector = service.value["spec"]["selector"].clone();
        let route = if apart { present(&names.route, route?)? } else { service };
        let route = Object { reference: traffic.object(), ..route };
        let slots = self.slots.clone();
        Ok(Sight { slots, shape, main, hotfix: hotfix?, route, selector, traffic, pods })
    }

    pub(crate) async fn pods(
        &self,
        namespace: &str,
        labels: &str,
        deadline: Instant,
    ) -> Result<Vec<Pod>, Unusable> {
        let pods = self.api.list(&object::collection("v1", "pods", namespace), labels, deadline).await;
        match pods {
            Ok(pods) => Ok(pods.iter().map(Pod::read).collect()),
            Err(failure) => Err(request(format!("pods {namespace} ({labels})"), failure)),
        }
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

    pub(crate) fn selectors(&self) -> std::sync::MutexGuard<'_, BTreeMap<Target, String>> {
        self.selectors.lock().unwrap_or_else(PoisonError::into_inner)
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
