//! What was seen.

use std::fmt;

use hotfix_core::model::{Fault, Period, Timestamp};
use serde::{Deserialize, Serialize};

use super::Endpoint;

/// What a probe saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeEvidence {
    /// What the probe is called.
    pub name: String,
    /// What was seen of each endpoint; where each instance is looked at, of each that there was.
    pub endpoints: Vec<EndpointEvidence>,
}

/// What a probe saw of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointEvidence {
    /// Where it looked.
    pub endpoint: Endpoint,
    /// How often it looked.
    pub looks: u32,
    /// How many of these failed.
    pub failures: u32,
    /// How many failed in a row at the end.
    pub in_a_row: u32,
    /// Whether it failed too often in a row.
    pub health: Health,
    /// The slowest look that ended well.
    pub slowest: Option<Period>,
    /// The first failure in full.
    pub first_failure: Option<ProbeFailure>,
}

/// Whether an endpoint is healthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It was never looked at: nothing is known.
    Unknown,
    /// It failed less often in a row than the threshold.
    Healthy,
    /// It failed as often in a row as the threshold, at least once.
    Unhealthy,
}

/// A look that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeFailure {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took: Period,
    /// What was wrong.
    pub kind: ProbeFailureKind,
    /// What was seen, in one line without secrets.
    pub cause: String,
    /// The beginning of the body, without control characters and secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// What was wrong with a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProbeFailureKind {
    /// No connection, or it broke.
    Connection,
    /// No whole answer in time.
    Timeout,
    /// The certificate has expired.
    CertificateExpired,
    /// The certificate is not valid for another reason.
    CertificateInvalid,
    /// The status is not a good one.
    Status,
    /// The body does not hold what it must.
    Body,
    /// All was well, but too late.
    TooSlow,
    /// Redirects without end, or to nowhere.
    Redirect,
    /// The server says that it does not serve, or does not know the service.
    NotServing,
    /// A secret that the request needs cannot be read.
    Configuration,
}

impl ProbeEvidence {
    /// Returns unhealthy if any endpoint is, unknown if any was never looked at, else healthy. Without endpoints nothing
    /// is known.
    #[must_use]
    pub fn health(&self) -> Health {
        let any = |health| self.endpoints.iter().any(|endpoint| endpoint.health == health);
        if any(Health::Unhealthy) {
            Health::Unhealthy
        } else if any(Health::Unknown) || self.endpoints.is_empty() {
            Health::Unknown
        } else {
            Health::Healthy
        }
    }
}

impl ProbeEvidence {
    /// Returns the unhealthy endpoints as what is wrong with instances, for a decision that rests on metrics too: see
    /// [`Verification::observe`](hotfix_core::decide::Verification::observe).
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        let unhealthy = self.endpoints.iter().filter(|endpoint| endpoint.health == Health::Unhealthy);
        let fault = |seen: &EndpointEvidence| Fault::ReadinessLost {
            instance: seen.endpoint.instance.map_or_else(|| seen.endpoint.at.clone(), |at| at.to_string()),
            reason: format!(
                "{}: {}",
                self.name,
                seen.first_failure.as_ref().map_or("failed", |first| &first.cause)
            ),
        };
        unhealthy.map(fault).collect()
    }
}

impl ProbeEvidence {
    /// Adds what one look saw of each endpoint. Of one that is not there any more nothing follows: the row of its failures
    /// ends.
    pub(super) fn add(&mut self, seen: Vec<(Endpoint, Result<Period, ProbeFailure>)>, threshold: u32) {
        let is_there = |endpoint: &Endpoint| seen.iter().any(|(there, _)| there == endpoint);
        for gone in self.endpoints.iter_mut().filter(|known| !is_there(&known.endpoint)) {
            gone.in_a_row = 0;
        }
        for (endpoint, seen) in seen {
            let place = self.endpoints.iter().position(|known| known.endpoint == endpoint);
            let place = place.unwrap_or_else(|| {
                self.endpoints.push(EndpointEvidence::new(endpoint));
                self.endpoints.len() - 1
            });
            self.endpoints[place].add(seen, threshold);
        }
    }
}

impl EndpointEvidence {
    pub(super) const fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            looks: 0,
            failures: 0,
            in_a_row: 0,
            health: Health::Unknown,
            slowest: None,
            first_failure: None,
        }
    }

    fn add(&mut self, seen: Result<Period, ProbeFailure>, threshold: u32) {
        self.looks = self.looks.saturating_add(1);
        match seen {
            Ok(took) => {
                self.in_a_row = 0;
                self.slowest = self.slowest.max(Some(took));
            }
            Err(failure) => {
                self.failures = self.failures.saturating_add(1);
                self.in_a_row = self.in_a_row.saturating_add(1);
                self.first_failure.get_or_insert(failure);
            }
        }
        if self.in_a_row >= threshold {
            self.health = Health::Unhealthy;
        } else if self.health == Health::Unknown {
            self.health = Health::Healthy;
        }
    }
}

impl fmt::Display for ProbeEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |health| self.endpoints.iter().filter(|endpoint| endpoint.health == health).count();
        let all = self.endpoints.len();
        write!(f, "{}: {} of {all} endpoints healthy", self.name, count(Health::Healthy))?;
        let failed = self.endpoints.iter().find(|endpoint| endpoint.health == Health::Unhealthy);
        if let Some(EndpointEvidence { endpoint, looks, failures, first_failure: Some(failure), .. }) = failed
        {
            write!(f, "; {endpoint}: {failures} of {looks} looks failed, first {}", failure.cause)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> ProbeFailure {
        ProbeFailure {
            at: Timestamp::UNIX_EPOCH,
            took: Period::from_millis(3),
            kind: ProbeFailureKind::Status,
            cause: "status 503 instead of 200 to 299".to_owned(),
            body: None,
        }
    }

    #[test]
    fn only_failures_in_a_row_make_it_unhealthy_and_then_for_good() {
        let mut seen = EndpointEvidence::new(Endpoint::new("http://shop/healthz"));
        let (good, bad) = (|| Ok(Period::from_millis(5)), || Err(failure()));
        assert_eq!(seen.health, Health::Unknown);
        for look in [bad(), good(), bad()] {
            seen.add(look, 2);
            assert_eq!(seen.health, Health::Healthy);
        }
        seen.add(bad(), 2);
        seen.add(good(), 2);
        assert_eq!((seen.health, seen.looks, seen.failures, seen.in_a_row), (Health::Unhealthy, 5, 3, 0));
        let evidence = ProbeEvidence { name: "health".into(), endpoints: vec![seen] };
        assert_eq!(
            evidence.to_string(),
            "health: 0 of 1 endpoints healthy; http://shop/healthz: 3 of 5 looks failed, first status 503 instead of \
             200 to 299"
        );
        let text = serde_json::to_string(&evidence).unwrap();
        assert_eq!(serde_json::from_str::<ProbeEvidence>(&text).unwrap(), evidence);
    }

    #[test]
    fn unhealthy_instances_and_metrics_meet_in_one_decision() {
        use hotfix_core::decide::{Gate, Verification};
        use hotfix_core::model::{Counts, Dispersion, Ruling, Sample, VerificationRules};

        let instance = Some("10.1.2.3:8080".parse().unwrap());
        let mut seen = EndpointEvidence::new(Endpoint { instance, ..Endpoint::new("http://shop/healthz") });
        seen.add(Err(failure()), 1);
        let evidence = ProbeEvidence { name: "smoke".into(), endpoints: vec![seen] };
        let mut rollout =
            Verification::new(&VerificationRules::default(), Gate::at(10).unwrap(), 0, Dispersion::NONE)
                .unwrap();
        let (canary, baseline) = (Counts::new(100, 0).unwrap(), Counts::new(900, 0).unwrap());
        let sample = Sample::counted(Timestamp::UNIX_EPOCH, canary, baseline);
        let (_, ruling) = rollout.observe(&sample, &evidence.faults());
        assert!(matches!(ruling, Ruling::RollBack { .. }), "{ruling}");
        assert_eq!(
            ruling.to_string(),
            "roll back: canary instance 10.1.2.3:8080 is no longer ready: smoke: status 503 instead of 200 to 299"
        );
    }

    #[test]
    fn nothing_seen_is_nothing_known() {
        let mut evidence = ProbeEvidence { name: "health".into(), endpoints: Vec::new() };
        assert_eq!(evidence.health(), Health::Unknown);
        evidence.endpoints.push(EndpointEvidence::new(Endpoint::new("a:1")));
        assert_eq!(evidence.health(), Health::Unknown);
    }
}
