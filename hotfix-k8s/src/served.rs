//! Whether the Service by which a route reaches a slot is there, and knows pods of it.

use std::collections::BTreeSet;

use hotfix_core::model::Target;
use hotfix_core::port::Rejection;
use serde_json::Value;
use tokio::time::{Duration, Instant, sleep};

use crate::api::Failure;
use crate::config::TargetConfig;
use crate::deployer::{KubernetesDeployer, request};
use crate::error::Unusable;
use crate::object::{self, ObjectRef};
use crate::reply;
use crate::shape::Names;
use crate::slot::Side;
use crate::waiting::Pauses;

/// How long endpoints may take to follow pods that are ready.
const SERVE: Duration = Duration::from_secs(5);

/// What the endpoints of a Service say of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Served {
    /// A pod of it is among them.
    Yes,
    /// None is.
    NotYet,
    /// Nobody keeps endpoints of this Service or of the one of the other slot, or they may not be read.
    Untold,
}

impl TargetConfig {
    /// Returns the Service by which the route reaches the copy, where that is another than the one of the target.
    pub(crate) fn service_of_copy(&self) -> Option<ObjectRef> {
        let service = Names::of(self).service;
        let name = self.traffic.service_of(Side::Hotfix, &service.name)?;
        (name != service.name).then(|| ObjectRef::service(&self.namespace, &name))
    }
}

impl KubernetesDeployer {
    /// Waits until the endpoints of the Service by which the route reaches the slot have a pod of what it holds: controllers
    /// bring them up to date a while after the pod is ready, and until then the traffic would go nowhere.
    pub(crate) async fn until_served(
        &self,
        target: &Target,
        side: Side,
        deadline: Instant,
    ) -> Result<(), Rejection> {
        let now = Instant::now();
        let until = (now + SERVE).min(now + deadline.saturating_duration_since(now) / 2);
        let Ok(config) = self.target(target) else { return Ok(()) };
        let service = &Names::of(config).service.name;
        let Some(service) = config.traffic.service_of(side, service) else { return Ok(()) };
        let (waiting, mut pauses) = (self.waiting(), Pauses::begin());
        loop {
            let pause = pauses.next();
            match waiting.is_served(target, side, &service, until).await {
                Ok(Served::Yes | Served::Untold) => return Ok(()),
                Err(missing @ Unusable::Missing(_)) => return Err(missing.rejection()),
                Ok(Served::NotYet) | Err(_) if Instant::now() + pause >= until => {
                    let reason = format!("no endpoint of Service {service} is a ready pod of the slot");
                    return Err(reply::busy(reason, None));
                }
                Ok(Served::NotYet) | Err(_) => sleep(pause).await,
            }
        }
    }

    async fn is_served(
        &self,
        target: &Target,
        side: Side,
        service: &str,
        deadline: Instant,
    ) -> Result<Served, Unusable> {
        let config = self.target(target)?;
        let (sight, slices) =
            tokio::join!(self.sight(target, deadline), self.slices(&config.namespace, service, deadline));
        let slices = match slices {
            // Whoever may not read them goes by the pods alone.
            Err(failure) if is_forbidden(&failure) => return Ok(Served::Untold),
            slices => slices?,
        };
        if slices.is_empty() {
            return self.without_endpoints(config, side, service, deadline).await;
        }
        let sight = sight?;
        let serves = serving(&slices).iter().any(|pod| sight.has_current_pod(side, pod));
        Ok(if serves { Served::Yes } else { Served::NotYet })
    }

    /// A Service without endpoints may be a name that nobody has, may be too young, or no controller keeps any here.
    async fn without_endpoints(
        &self,
        config: &TargetConfig,
        side: Side,
        service: &str,
        deadline: Instant,
    ) -> Result<Served, Unusable> {
        let reference = ObjectRef::service(&config.namespace, service);
        let there = Names::of(config).service.name;
        let other = config.traffic.service_of(side.other(), &there).unwrap_or(there);
        let (found, of_other) = tokio::join!(
            self.api.get(&reference, deadline),
            self.slices(&config.namespace, &other, deadline)
        );
        match found {
            Ok(Some(_)) => {}
            Ok(None) => return Err(Unusable::Missing(reference.into())),
            // A Role from before this was asked.
            Err(Failure::Status(refusal)) if refusal.code == 403 => return Ok(Served::Untold),
            Err(failure) => return Err(request(reference.to_string(), failure)),
        }
        Ok(if of_other?.is_empty() { Served::Untold } else { Served::NotYet })
    }

    /// Returns the Service by which the route reaches the copy, if it is surely not there.
    pub(crate) async fn missing_service(
        &self,
        target: &Target,
        deadline: Instant,
    ) -> Result<Option<ObjectRef>, Unusable> {
        let Some(service) = self.target(target)?.service_of_copy() else { return Ok(None) };
        match self.api.get(&service, deadline).await {
            Ok(found) => Ok(found.is_none().then_some(service)),
            // A Role from before this was asked; then the first share tells.
            Err(Failure::Status(refusal)) if refusal.code == 403 => Ok(None),
            Err(failure) => Err(request(service.to_string(), failure)),
        }
    }

    async fn slices(
        &self,
        namespace: &str,
        service: &str,
        deadline: Instant,
    ) -> Result<Vec<Value>, Unusable> {
        let labels = format!("kubernetes.io/service-name={service}");
        let collection = object::collection("discovery.k8s.io/v1", "endpointslices", namespace);
        let slices = self.api.list(&collection, &labels, deadline).await;
        slices.map_err(|failure| request(collection, failure))
    }
}

fn is_forbidden(unusable: &Unusable) -> bool {
    let Unusable::Request { failure: Failure::Status(refusal), .. } = unusable else { return false };
    refusal.code == 403
}

/// The pods that get traffic by these endpoints.
pub(crate) fn serving(slices: &[Value]) -> BTreeSet<&str> {
    let endpoints = slices.iter().filter_map(|slice| slice["endpoints"].as_array()).flatten();
    let serving = endpoints.filter(|endpoint| endpoint["conditions"]["ready"] != false);
    serving.filter_map(|endpoint| endpoint["targetRef"]["name"].as_str()).collect()
}
