//! What a verb waits for, each wait with a bound: pods that can take traffic or are gone, and a route that is in force.

use hotfix_core::model::Target;
use hotfix_core::port::{Ambiguity, Reply};
use serde_json::Value;
use tokio::time::{Duration, Instant, sleep};

use crate::deployer::{KubernetesDeployer, request};
use crate::error::Unusable;
use crate::hub::Follower;
use crate::object;
use crate::pod::Pod;
use crate::rollout;
use crate::served::serving;
use crate::sight::{self, Sight};
use crate::slot::Side;
use crate::traffic::Uptake;

/// How often what is waited for is looked at in the long run.
const PAUSE: Duration = Duration::from_millis(250);
/// The first pause, because what is waited for mostly takes less; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// A version that everything is as new as.
const ANY: &str = "0";
/// How long the endpoints of a slot may outlast the route that was moved away from it, before it is emptied all the
/// same: nobody may keep a rollback from its end.
const LEAVE: Duration = Duration::from_secs(5);
/// How long a proxy may take to hear of endpoints that the API server has.
const HEAR: Duration = Duration::from_secs(1);

/// The pauses between looks. They grow, so that many who wait leave room for those who have something to do.
#[derive(Debug)]
pub(crate) struct Pauses(Duration);

impl Pauses {
    pub(crate) const fn begin() -> Self {
        Self(FIRST_PAUSE)
    }

    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = PAUSE.min(pause * 2);
        pause
    }
}

impl KubernetesDeployer {
    /// Waits until a slot has a pod of its template that can take traffic, at most for three quarters of the time: then
    /// it gets the traffic all the same.
    pub(crate) async fn until_ready(&self, target: &Target, side: Side, deadline: Instant) {
        let is_ready = |sight: &Sight| {
            let is_of_template =
                sight.deployment(side).is_some_and(|slot| rollout::has_ready_pod(&slot.value));
            is_of_template && sight.ready(side) > 0
        };
        self.until_enough(target, side, deadline, is_ready).await;
    }

    /// The same for all pods that it is to have.
    pub(crate) async fn until_full(&self, target: &Target, side: Side, deadline: Instant) {
        let all = |sight: &Sight| {
            let wanted = sight.deployment(side).map_or(0, |object| sight::replicas(&object.value));
            sight.ready(side) >= wanted
        };
        self.until_enough(target, side, deadline, all).await;
    }

    async fn until_enough(
        &self,
        target: &Target,
        side: Side,
        deadline: Instant,
        is_enough: impl Fn(&Sight) -> bool,
    ) {
        let now = Instant::now();
        let until = now + deadline.saturating_duration_since(now) * 3 / 4;
        let Ok(config) = self.target(target) else { return };
        let is_ready =
            async |deployer: &Self| deployer.sight(target, until).await.is_ok_and(|sight| is_enough(&sight));
        // Mostly it is, and then no watch is worth its while.
        if !is_ready(self).await {
            let (waiting, mut changes) = (self.waiting(), self.hub.follow(config, side));
            while Instant::now() < until && !is_ready(&waiting).await {
                // The watch only hastens the next look; without it there is one after a while.
                changes.changed(PAUSE).await;
            }
        }
        // Nobody may keep a rollback from its end.
        let _late = self.until_served(target, side, until).await;
    }

    /// Waits until the route, which was written so, is in force and no endpoint of the Service is a pod of the slot.
    /// Endpoints are waited for a while, and a route that is in force as long as there is time: until then, customers
    /// are served by that slot alone.
    pub(crate) async fn until_left(
        &self,
        target: &Target,
        sight: &Sight,
        written: &Value,
        side: Side,
        deadline: Instant,
    ) -> Result<(), Reply> {
        let now = Instant::now();
        let until = (now + LEAVE).min(now + deadline.saturating_duration_since(now) / 2);
        let mut route = written.clone();
        let (waiting, mut pauses) = (self.waiting(), Pauses::begin());
        while Instant::now() < until {
            // What may not be read is no reason to wait for ever, nor not to wait.
            if sight.uptake(&route) != Uptake::InForce {
                if let Ok(Some(found)) = waiting.fetch(&sight.route.reference, until).await {
                    route = found.value;
                }
            } else if waiting.is_left(target, sight, written, side, until).await.is_ok_and(|left| left) {
                return Ok(());
            }
            sleep(pauses.next()).await;
        }
        self.in_force(sight, route, deadline).await.map(|_| ())
    }

    /// Follows both slots.
    pub(crate) fn followers(&self, target: &Target) -> Option<[Follower; 2]> {
        let config = self.target(target).ok()?;
        Some(Side::BOTH.map(|side| self.hub.follow(config, side)))
    }

    /// Waits until no pod of the slot is left that nobody has begun to end.
    pub(crate) async fn until_empty(&self, target: &Target, side: Side, deadline: Instant) {
        self.until_gone(target, deadline, |sight| !sight.lingers(side)).await;
    }

    /// The same for the pods of what the slot held before.
    pub(crate) async fn until_unmixed(&self, target: &Target, side: Side, deadline: Instant) {
        self.until_gone(target, deadline, |sight| !sight.is_mixed(side)).await;
    }

    async fn until_gone(&self, target: &Target, deadline: Instant, are_gone: impl Fn(&Sight) -> bool) {
        let now = Instant::now();
        let until = (now + LEAVE).min(now + deadline.saturating_duration_since(now) / 2);
        let (waiting, mut pauses) = (self.waiting(), Pauses::begin());
        while Instant::now() < until {
            match waiting.sight(target, until).await {
                Ok(sight) if are_gone(&sight) => return,
                _ => sleep(pauses.next()).await,
            }
        }
    }

    /// Waits as long as a proxy may take to hear of a slot, at most for a quarter of the time.
    pub(crate) async fn until_heard_of(&self, deadline: Instant) {
        sleep(HEAR.min(deadline.saturating_duration_since(Instant::now()) / 4)).await;
    }

    /// Whether the Service, where its endpoints tell, sends nothing to the slot any more. The server's cache is good
    /// enough for that once it has the switch.
    async fn is_left(
        &self,
        target: &Target,
        sight: &Sight,
        written: &Value,
        side: Side,
        deadline: Instant,
    ) -> Result<bool, Unusable> {
        let config = self.target(target)?;
        if !config.traffic.is_told_by_endpoints() {
            return Ok(true);
        }
        let (namespace, version) = (&config.namespace, &written["metadata"]["resourceVersion"]);
        let named = format!("kubernetes.io/service-name={}", sight.route.reference.name);
        let slices = object::collection("discovery.k8s.io/v1", "endpointslices", namespace);
        let (pods, labels) = (object::collection("v1", "pods", namespace), sight.shape.pods());
        let (listed, known) = tokio::join!(
            self.api.list_since(&slices, &named, version.as_str().unwrap_or(ANY), deadline),
            self.api.list_since(&pods, &labels, ANY, deadline),
        );
        let listed = listed.map_err(|failure| request(slices, failure))?;
        let known = known.map_err(|failure| request(pods, failure))?;
        let serving = serving(&listed);
        let mut known: Vec<Pod> = known.iter().map(Pod::read).collect();
        if serving.iter().any(|name| known.iter().all(|pod| pod.name != *name)) {
            // It may be of the slot, and too young for the cache.
            known = self.pods(namespace, &labels, deadline).await?;
        }
        let left = sight.deployment(side).map(|object| object.reference.name.as_str());
        let of_slot = known.iter().filter(|pod| pod.deployment.as_deref() == left);
        Ok(!of_slot.into_iter().any(|pod| serving.contains(pod.name.as_str())))
    }

    /// Waits until a route is in force, where its status says, and returns it with that status.
    pub(crate) async fn in_force(
        &self,
        sight: &Sight,
        mut route: Value,
        deadline: Instant,
    ) -> Result<Value, Reply> {
        let (waiting, mut pauses) = (self.waiting(), Pauses::begin());
        loop {
            let pause = pauses.next();
            match sight.uptake(&route) {
                Uptake::InForce => return Ok(route),
                Uptake::Refused { reason } => {
                    let answer = format!("{} was written and is refused: {reason}", sight.route.reference);
                    return Err(Reply::Ambiguous(Ambiguity::Unclear { answer }));
                }
                Uptake::Pending if Instant::now() + pause >= deadline => {
                    return Err(Reply::Ambiguous(Ambiguity::Timeout));
                }
                Uptake::Pending => sleep(pause).await,
            }
            let found = waiting.fetch(&sight.route.reference, deadline).await;
            route = match found {
                Ok(Some(found)) => found.value,
                Ok(None) => Value::Null,
                Err(_) if Instant::now() >= deadline => return Err(Reply::Ambiguous(Ambiguity::Timeout)),
                Err(unusable) => {
                    return Err(Reply::Ambiguous(Ambiguity::Interrupted { cause: unusable.to_string() }));
                }
            };
        }
    }
}

/// Waits until a pod of either slot has changed. The watches only hasten the next look; without them there is one after
/// a while.
pub(crate) async fn until_changed([main, hotfix]: &mut [Follower; 2]) {
    tokio::select! {
        () = main.changed(PAUSE) => {}
        () = hotfix.changed(PAUSE) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::task::JoinSet;

    use super::*;
    use crate::config::RequestLimits;
    use crate::lanes::{Lane, Lanes};

    /// Sends what a look or a switch takes, by one request after the other.
    async fn send(lanes: &Lanes, lane: Lane) {
        for _ in 0..7 {
            lanes.pass(lane).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn undos_that_wait_do_not_slow_the_one_that_switches() {
        let lanes = Arc::new(Lanes::new(RequestLimits::default()));
        let mut waiting = JoinSet::new();
        for _ in 0..20 {
            let lanes = Arc::clone(&lanes);
            waiting.spawn(async move {
                let mut pauses = Pauses::begin();
                loop {
                    send(&lanes, Lane::Undo.waiting()).await;
                    sleep(pauses.next()).await;
                }
            });
        }
        for _ in 0..5 {
            sleep(Duration::from_secs(10)).await;
            let start = Instant::now();
            send(&lanes, Lane::Undo).await;
            assert_eq!(start.elapsed(), Duration::ZERO);
        }
    }

    #[test]
    fn the_first_looks_are_quick() {
        let mut pauses = Pauses::begin();
        let pauses: Vec<u128> = (0..8).map(|_| pauses.next().as_millis()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 250, 250]);
    }
}
