//! What a verb waits for, each wait with a bound: pods that can take traffic or are gone, and a route that is in force.

use hotfix_core::model::Target;
use hotfix_core::port::{Ambiguity, Reply};
use serde_json::Value;
use tokio::time::{Duration, Instant, sleep};

use crate::config::TargetConfig;
use crate::deployer::{KubernetesDeployer, request};
use crate::error::Unusable;
use crate::hub::Follower;
use crate::object;
use crate::shape::Names;
use crate::sight::Sight;
use crate::slot::Side;
use crate::traffic::Uptake;

/// How often what has no watch is read again.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a slot may go on getting traffic after the route was moved away from it, before it is emptied all the
/// same: nobody may keep a rollback from its end.
const LEAVE: Duration = Duration::from_secs(5);

impl KubernetesDeployer {
    /// Waits until a slot has a pod that can take traffic, at most for three quarters of the time: then it gets the
    /// traffic all the same.
    pub(crate) async fn until_ready(&self, target: &Target, side: Side, deadline: Instant) {
        let now = Instant::now();
        let until = now + deadline.saturating_duration_since(now) * 3 / 4;
        let Ok(config) = self.target(target) else { return };
        let is_ready = async || self.sight(target, until).await.is_ok_and(|sight| sight.ready(side) > 0);
        // Mostly it is, and then no watch is worth its while.
        if is_ready().await {
            return;
        }
        let mut changes = self.hub.follow(config, side);
        while Instant::now() < until && !is_ready().await {
            // The watch only hastens the next look; without it there is one after a while.
            changes.changed(PAUSE * 5).await;
        }
    }

    /// Waits until the route is in force and no endpoint of the Service is a pod of the slot.
    pub(crate) async fn until_left(&self, target: &Target, side: Side, deadline: Instant) {
        let now = Instant::now();
        let until = (now + LEAVE).min(now + deadline.saturating_duration_since(now) / 2);
        while Instant::now() < until {
            match self.is_left(target, side, until).await {
                Ok(true) => return,
                // Endpoints that may not be read are no reason to wait for ever, nor not to wait.
                Ok(false) | Err(_) => sleep(PAUSE).await,
            }
        }
    }

    /// Follows both slots.
    pub(crate) fn followers(&self, target: &Target) -> Option<[Follower; 2]> {
        let config = self.target(target).ok()?;
        Some(Side::BOTH.map(|side| self.hub.follow(config, side)))
    }

    /// Waits until no pod of the slot is left that nobody has begun to end.
    pub(crate) async fn until_empty(&self, target: &Target, side: Side, deadline: Instant) {
        let now = Instant::now();
        let until = (now + LEAVE).min(now + deadline.saturating_duration_since(now) / 2);
        while Instant::now() < until {
            match self.sight(target, until).await {
                Ok(sight) if !sight.lingers(side) => return,
                _ => sleep(PAUSE).await,
            }
        }
    }

    /// Waits until an endpoint of any Service is a pod of the slot: a pod is ready before those who send traffic know.
    pub(crate) async fn until_served(&self, target: &Target, side: Side, deadline: Instant) {
        let until = (Instant::now() + LEAVE).min(deadline);
        let Ok(config) = self.target(target) else { return };
        while Instant::now() < until {
            let slices = self.slices(config, "kubernetes.io/service-name", until);
            let (sight, slices) = tokio::join!(self.sight(target, until), slices);
            match (sight, slices) {
                (Ok(sight), Ok(slices)) if has_endpoint(&slices, &sight, side) => return,
                _ => sleep(PAUSE).await,
            }
        }
    }

    async fn slices(
        &self,
        config: &TargetConfig,
        labels: &str,
        deadline: Instant,
    ) -> Result<Vec<Value>, Unusable> {
        let collection = object::collection("discovery.k8s.io/v1", "endpointslices", &config.namespace);
        let slices = self.api.list(&collection, labels, deadline).await;
        slices.map_err(|failure| request(collection, failure))
    }

    async fn is_left(&self, target: &Target, side: Side, deadline: Instant) -> Result<bool, Unusable> {
        let config = self.target(target)?;
        let names = Names::of(config);
        if !config.traffic.is_told_by_endpoints() {
            let sight = self.sight(target, deadline).await?;
            return Ok(sight.traffic.uptake(&sight.route.value) == Uptake::InForce);
        }
        let labels = format!("kubernetes.io/service-name={}", names.service.name);
        let slices = self.slices(config, &labels, deadline);
        let (sight, slices) = tokio::join!(self.sight(target, deadline), slices);
        let (sight, slices) = (sight?, slices?);
        Ok(sight.traffic.uptake(&sight.route.value) == Uptake::InForce
            && !has_endpoint(&slices, &sight, side))
    }

    /// Waits until a route is in force, where its status says.
    pub(crate) async fn in_force(
        &self,
        sight: &Sight,
        route: &Value,
        deadline: Instant,
    ) -> Result<(), Reply> {
        let mut read;
        let mut route = route;
        loop {
            match sight.traffic.uptake(route) {
                Uptake::InForce => return Ok(()),
                Uptake::Refused { reason } => {
                    let answer = format!("{} was written and is refused: {reason}", sight.route.reference);
                    return Err(Reply::Ambiguous(Ambiguity::Unclear { answer }));
                }
                Uptake::Pending if Instant::now() + PAUSE >= deadline => {
                    return Err(Reply::Ambiguous(Ambiguity::Timeout));
                }
                Uptake::Pending => sleep(PAUSE).await,
            }
            let found = self.fetch(&sight.route.reference, deadline).await;
            read = match found {
                Ok(Some(found)) => found.value,
                Ok(None) => Value::Null,
                Err(unusable) => {
                    return Err(Reply::Ambiguous(Ambiguity::Interrupted { cause: unusable.to_string() }));
                }
            };
            route = &read;
        }
    }
}

/// Waits until a pod of either slot has changed. The watches only hasten the next look; without them there is one after
/// a while.
pub(crate) async fn until_changed([main, hotfix]: &mut [Follower; 2]) {
    tokio::select! {
        () = main.changed(PAUSE * 5) => {}
        () = hotfix.changed(PAUSE * 5) => {}
    }
}

/// Whether an endpoint is a pod of the slot that still gets traffic.
fn has_endpoint(slices: &[Value], sight: &Sight, side: Side) -> bool {
    let endpoints = slices.iter().filter_map(|slice| slice["endpoints"].as_array()).flatten();
    let serving = endpoints.filter(|endpoint| endpoint["conditions"]["ready"] != false);
    let mut pods = serving.filter_map(|endpoint| endpoint["targetRef"]["name"].as_str());
    pods.any(|pod| sight.has_pod(side, pod))
}
