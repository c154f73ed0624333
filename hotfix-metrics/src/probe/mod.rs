//! Health checks from outside: HTTP(S), TCP and gRPC, by the front door or of each instance.

mod check;
mod config;
mod evidence;
mod grpc;
mod http;
mod look;
mod place;
mod resolve;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use hotfix_core::port::Clock;
use hotfix_http::ConfigError;
use tokio::time::{Instant, MissedTickBehavior};

pub use check::{HealthCheck, HealthCheckConfig};
pub use config::{Ask, Endpoint, HttpAsk, Instances, ProbeConfig, Redirects};
pub use evidence::{EndpointEvidence, Health, ProbeEvidence, ProbeFailure, ProbeFailureKind};
use place::Place;
pub use resolve::{Resolver, SystemResolver};

/// Looks at the endpoints of a service.
///
/// It is evidence and no more: what follows from it is for whoever asked.
#[derive(Debug)]
pub struct Probe {
    name: String,
    places: Vec<Place>,
    resolver: Arc<dyn Resolver>,
    clock: Arc<dyn Clock>,
    interval: Duration,
    duration: Duration,
    threshold: u32,
}

impl Probe {
    /// Builds a probe. Nothing is sent yet, and secrets are read when they are.
    ///
    /// # Errors
    /// [`ConfigError`] naming the field that cannot work.
    pub fn new(config: &ProbeConfig, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let invalid = |field, allowed: &str| Err(ConfigError::Invalid { field, allowed: allowed.to_owned() });
        if config.endpoints.is_empty() {
            return Err(ConfigError::Missing { field: "probe.endpoints", mend: "name at least one" });
        }
        if config.failure_threshold == 0 {
            return invalid("probe.failure_threshold", "must be at least 1");
        }
        if config.interval.as_millis() == 0 || config.timeout.as_millis() == 0 {
            return invalid("probe.interval", "must be longer than 0s, and so must probe.timeout");
        }
        let is_first =
            |(place, endpoint): &(usize, &Endpoint)| !config.endpoints[..*place].contains(endpoint);
        let endpoints = config.endpoints.iter().enumerate().filter(is_first);
        let places = endpoints.map(|(_, endpoint)| Place::new(config, endpoint));
        Ok(Self {
            name: config.name.clone(),
            places: places.collect::<Result<_, ConfigError>>()?,
            resolver: Arc::new(SystemResolver),
            clock,
            interval: config.interval.to_duration(),
            duration: config.duration.to_duration(),
            threshold: config.failure_threshold,
        })
    }

    /// Has names resolved by something else than the system, where [`Instances::Each`] asks for that.
    #[must_use]
    pub fn resolved_by(self, resolver: Arc<dyn Resolver>) -> Self {
        Self { resolver, ..self }
    }

    /// Looks once at each endpoint, at all of them at the same time.
    ///
    /// *Cancellation*: leaves nothing.
    pub async fn look(&self) -> ProbeEvidence {
        let mut evidence = self.nothing();
        self.add_look(&mut evidence).await;
        evidence
    }

    /// Looks until it is known of each endpoint whether it is well: once at one that is, as often as the threshold at one
    /// that is not.
    ///
    /// *Cancellation*: leaves nothing, and loses what was seen.
    pub async fn settle(&self) -> ProbeEvidence {
        let mut evidence = self.nothing();
        let mut tick = tokio::time::interval(self.interval);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            self.add_look(&mut evidence).await;
            let unsure = |seen: &EndpointEvidence| seen.health == Health::Healthy && seen.in_a_row > 0;
            if evidence.health() == Health::Unhealthy || !evidence.endpoints.iter().any(unsure) {
                return evidence;
            }
        }
    }

    /// Looks again and again for the configured duration, or until an endpoint is unhealthy. A look that takes longer
    /// than the interval delays the next one.
    ///
    /// *Cancellation*: leaves nothing, and loses what was seen.
    pub async fn watch(&self) -> ProbeEvidence {
        let mut evidence = self.nothing();
        let end = Instant::now() + self.duration;
        let mut tick = tokio::time::interval(self.interval);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            self.add_look(&mut evidence).await;
            if evidence.health() == Health::Unhealthy || Instant::now() + self.interval > end {
                return evidence;
            }
        }
    }

    fn nothing(&self) -> ProbeEvidence {
        let named = self.places.iter().filter_map(Place::named);
        let endpoints = named.map(|endpoint| EndpointEvidence::new(endpoint.clone())).collect();
        ProbeEvidence { name: self.name.clone(), endpoints }
    }

    async fn add_look(&self, evidence: &mut ProbeEvidence) {
        let looks = self.places.iter().map(|place| place.look(&*self.resolver, &*self.clock));
        let seen: Vec<_> = join_all(looks).await.into_iter().flatten().collect();
        evidence.add(seen, self.threshold);
    }
}
