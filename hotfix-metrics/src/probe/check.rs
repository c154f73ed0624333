//! Probes as checks of a rollout.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use hotfix_core::model::{EnvironmentName, Period, SlotName, Target};
use hotfix_core::port::{Check, CheckReport, CheckScope, CheckSubject, Clock, LONGEST_LOOK};
use hotfix_core::{Error, ErrorKind, Result};
use hotfix_http::ConfigError;
use serde::Deserialize;

use super::{Endpoint, Health, Probe, ProbeConfig, Resolver, SystemResolver};

/// What to look at while a release is judged.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HealthCheckConfig {
    /// What to look at and what is good. In each `at` the words `{environment}`, `{service}` and `{slot}` stand for those
    /// of the workload that is looked at. The duration is that of the gate.
    pub probe: ProbeConfig,
    /// Where; everywhere if none is named.
    pub environments: Vec<EnvironmentName>,
}

/// Looks at endpoints while a release is judged: of each slot when an endpoint names `{slot}`, else at the front door,
/// which tells of a release only when that has all the traffic.
#[derive(Debug)]
pub struct HealthCheck {
    config: HealthCheckConfig,
    clock: Arc<dyn Clock>,
    resolver: Arc<dyn Resolver>,
    scope: CheckScope,
    /// Kept, because connections are.
    probes: Mutex<BTreeMap<(Target, SlotName), Arc<Probe>>>,
}

const SLOT: &str = "{slot}";

impl HealthCheck {
    /// Builds a check. Nothing is sent yet.
    ///
    /// # Errors
    /// As [`Probe::new`]; [`ConfigError::Invalid`] also when only some of the endpoints name the slot, and when it would
    /// take longer than [`LONGEST_LOOK`] to know that an endpoint is not well.
    pub fn new(config: HealthCheckConfig, clock: Arc<dyn Clock>) -> std::result::Result<Self, ConfigError> {
        let of_slot = config.probe.endpoints.iter().filter(|endpoint| endpoint.at.contains(SLOT)).count();
        let scope = match of_slot {
            0 => CheckScope::FrontDoor,
            all if all == config.probe.endpoints.len() => CheckScope::Slot,
            _ => {
                let allowed = format!("must all name {SLOT}, or none of them; make two checks of it");
                return Err(ConfigError::Invalid { field: "probe.endpoints", allowed });
            }
        };
        Probe::new(&filled(&config.probe, "environment", "service", "slot"), Arc::clone(&clock))?;
        let probe = &config.probe;
        let pause = probe.interval.max(probe.timeout).as_millis();
        let longest = Period::from_millis(pause.saturating_mul(probe.failure_threshold.into()));
        if longest > LONGEST_LOOK {
            let allowed = format!("must be reached within {LONGEST_LOOK}; it takes {longest} here");
            return Err(ConfigError::Invalid { field: "probe.failure_threshold", allowed });
        }
        Ok(Self { config, clock, resolver: Arc::new(SystemResolver), scope, probes: Mutex::default() })
    }

    /// Has names resolved by something else than the system, as in [`Probe::resolved_by`].
    #[must_use]
    pub fn resolved_by(self, resolver: Arc<dyn Resolver>) -> Self {
        Self { resolver, ..self }
    }

    fn probe(&self, subject: &CheckSubject) -> std::result::Result<Arc<Probe>, ConfigError> {
        let mut probes = self.probes.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (subject.target.clone(), subject.slot.clone());
        if let Some(probe) = probes.get(&key) {
            return Ok(Arc::clone(probe));
        }
        let Target { environment, service } = &subject.target;
        let config =
            filled(&self.config.probe, environment.as_str(), service.as_str(), subject.slot.as_str());
        let probe = Probe::new(&config, Arc::clone(&self.clock))?;
        let probe = Arc::new(probe.resolved_by(Arc::clone(&self.resolver)));
        probes.insert(key, Arc::clone(&probe));
        Ok(probe)
    }
}

/// The names of workloads and slots hold nothing that means anything in a URL.
fn filled(probe: &ProbeConfig, environment: &str, service: &str, slot: &str) -> ProbeConfig {
    let mut filled = probe.clone();
    for Endpoint { at, .. } in &mut filled.endpoints {
        let words = [("{environment}", environment), ("{service}", service), (SLOT, slot)];
        *at = words.iter().fold(std::mem::take(at), |at, (word, value)| at.replace(word, value));
    }
    filled
}

#[async_trait]
impl Check for HealthCheck {
    fn name(&self) -> &str {
        &self.config.probe.name
    }

    fn scope(&self, target: &Target) -> CheckScope {
        let environments = &self.config.environments;
        let concerned = environments.is_empty() || environments.contains(&target.environment);
        if concerned { self.scope } else { CheckScope::Nothing }
    }

    async fn look(&self, subject: &CheckSubject) -> Result<CheckReport> {
        let probe = self.probe(subject);
        let probe = probe.map_err(|error| Error::new(ErrorKind::Invalid, "check.look", error.to_string()))?;
        let evidence = probe.settle().await;
        match evidence.health() {
            Health::Unknown => Err(Error::new(ErrorKind::Unavailable, "check.look", evidence.to_string())),
            Health::Healthy | Health::Unhealthy => {
                Ok(CheckReport { faults: evidence.faults(), seen: evidence.to_string() })
            }
        }
    }
}
