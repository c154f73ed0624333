//! The Leases of one namespace: their names, and each request about them sent once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hotfix_core::model::{Fenced, Timestamp};
use hotfix_core::port::Clock;
use hotfix_core::{Error, ErrorKind, Result, RetryClass};
use json_patch::PatchOperation;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use super::claimant::{Claimant, NotOurs, Standing, Tenure, Watcher};
use super::holding::TRIES;
use crate::api::{Api, Failure};
use crate::config::{RequestLimits, is_name};
use crate::error::KubernetesError;
use crate::lanes::Lane;
use crate::object::ObjectRef;
use crate::reply;
use crate::rights::Feature;

/// A name has 253 characters at most, an environment and a service 63 each.
pub(crate) const LONGEST_PREFIX: usize = 253 - 2 * 64;

/// Where the Leases are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeaseConfig {
    /// The namespace of all of them; `None`: that of the configuration of the cluster, in a pod its own.
    pub namespace: Option<String>,
    /// What the name of each begins with. Whoever drives the same targets uses the same.
    pub prefix: String,
}

impl Default for LeaseConfig {
    fn default() -> Self {
        Self { namespace: None, prefix: "hotfix".to_owned() }
    }
}

/// The Leases of one namespace, by which processes that share nothing but the cluster agree who does what.
///
/// Cheap to clone; clones share what they saw, which is how they know that a Lease has expired.
#[derive(Debug, Clone)]
pub struct Leases {
    api: Api,
    namespace: Arc<str>,
    prefix: Arc<str>,
    pub(super) clock: Arc<dyn Clock>,
    watchers: Arc<Mutex<BTreeMap<String, Watcher>>>,
}

/// A Lease as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) value: Value,
    pub(super) standing: Standing,
}

/// The answer to a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Written {
    Done(Value),
    /// A test failed, or the Lease was there already: somebody else was faster. Or the server says no; reading tells.
    Refused(String),
    /// There is no such Lease.
    Gone,
}

impl Leases {
    /// Connects to the Leases of a cluster. Nothing is sent yet. The connection has limits of its own; beside a deployer,
    /// take [`KubernetesDeployer::leases`](crate::KubernetesDeployer::leases), which shares those of the deployer.
    ///
    /// # Errors
    /// [`KubernetesError::LeasePrefix`], [`KubernetesError::Client`].
    pub fn connect(
        config: LeaseConfig,
        cluster: kube::Config,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, KubernetesError> {
        let api = Api::connect(cluster, RequestLimits::default());
        Self::by(api.map_err(|error| KubernetesError::Client(Box::new(error)))?, config, clock)
    }

    /// The same by a connection that is there.
    pub(crate) fn by(api: Api, config: LeaseConfig, clock: Arc<dyn Clock>) -> Result<Self, KubernetesError> {
        if config.prefix.len() > LONGEST_PREFIX || !is_name(&config.prefix) {
            return Err(KubernetesError::LeasePrefix(config.prefix));
        }
        let namespace = config.namespace.unwrap_or_else(|| api.namespace().to_owned());
        // What is asked here decides who may change anything, as a seal does.
        let api = api.in_lane(Lane::Seal);
        let (namespace, prefix) = (namespace.into(), config.prefix.into());
        Ok(Self { api, namespace, prefix, clock, watchers: Arc::default() })
    }

    /// Returns the name of the Lease by which a target is claimed, such as `hotfix.production.shop`. A watch has none:
    /// nothing is ever sent to it. No workload has the name of the references of a service, because no workload is in an
    /// environment `source`: [`KubernetesConfig::check`](crate::KubernetesConfig::check) refuses it.
    #[must_use]
    pub fn name_of(&self, target: &Fenced) -> Option<String> {
        let prefix = &self.prefix;
        match target {
            Fenced::Source(service) => Some(format!("{prefix}.source.{service}")),
            Fenced::Workload(target) => Some(format!("{prefix}.{}.{}", target.environment, target.service)),
            Fenced::Watch(_) => None,
        }
    }

    /// Returns the name of the Lease of those who want to lead.
    #[must_use]
    pub fn name_of_leader(&self) -> String {
        format!("{}.leader", self.prefix)
    }

    /// Returns what takes the rights to claim these targets and to lead; [`crate::rights::role`] makes a Role of it.
    #[must_use]
    pub fn feature<'a>(&self, targets: impl IntoIterator<Item = &'a Fenced>) -> Feature {
        let targets = targets.into_iter().filter_map(|target| self.name_of(target));
        Feature::Leases(targets.chain([self.name_of_leader()]).collect::<BTreeSet<_>>())
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Reads a Lease and says how it stands, as far as this process can know.
    pub(super) async fn see(
        &self,
        operation: &'static str,
        name: &str,
        limit: Duration,
    ) -> Result<Option<Seen>> {
        let Some(value) = self.read(operation, name, limit).await? else { return Ok(None) };
        let mut watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        let standing = watchers.entry(name.to_owned()).or_default().see(&value, Instant::now());
        let standing = standing.map_err(|reason| self.not_ours(operation, name, &reason))?;
        Ok(Some(Seen { value, standing }))
    }

    pub(super) async fn read(
        &self,
        operation: &'static str,
        name: &str,
        limit: Duration,
    ) -> Result<Option<Value>> {
        let lease = self.reference(name);
        let value = self.api.get(&lease, Instant::now() + limit).await;
        value.map_err(|failure| reply::read_error(&failure, operation, &lease.to_string()))
    }

    pub(super) async fn patch(
        &self,
        operation: &'static str,
        name: &str,
        patch: &[PatchOperation],
        limit: Duration,
    ) -> Result<Written> {
        let lease = self.reference(name);
        match self.api.patch(&lease, patch, Instant::now() + limit).await {
            Err(Failure::Status(refusal)) if refusal.is_not_found() => Ok(Written::Gone),
            answer => self.written(operation, &lease, answer),
        }
    }

    pub(super) async fn create(
        &self,
        operation: &'static str,
        name: &str,
        value: &Value,
        limit: Duration,
    ) -> Result<Written> {
        let lease = self.reference(name);
        let answer = self.api.create(&lease, value, Instant::now() + limit).await;
        self.written(operation, &lease, answer)
    }

    /// Gives a Lease back. One that cannot be given back now expires.
    pub(super) async fn give_back(
        &self,
        operation: &'static str,
        claimant: &Claimant,
        name: &str,
        tenure: &Tenure,
        limit: Duration,
    ) {
        if let Err(error) = self.try_give_back(operation, claimant, name, tenure.clone(), limit).await {
            tracing::warn!(lease = %name, %error, "a lease is not given back; it expires");
        }
    }

    async fn try_give_back(
        &self,
        operation: &'static str,
        claimant: &Claimant,
        name: &str,
        mut tenure: Tenure,
        limit: Duration,
    ) -> Result<()> {
        for _ in 0..TRIES {
            let patch = claimant.release(&tenure);
            let written = self.patch(operation, name, &patch, limit).await?;
            let Written::Refused(_) = written else { return Ok(()) };
            // Somebody has it by now, or the answer to a renewal was lost.
            let Some(lease) = self.read(operation, name, limit).await? else { return Ok(()) };
            let Some(found) = claimant.still_holds(&lease, &tenure) else { return Ok(()) };
            tenure = found;
        }
        Ok(())
    }

    fn written(
        &self,
        operation: &'static str,
        lease: &ObjectRef,
        answer: Result<Value, Failure>,
    ) -> Result<Written> {
        match answer {
            Ok(value) => Ok(Written::Done(value)),
            Err(Failure::Status(refusal)) if matches!(refusal.code, 409 | 422) => {
                Ok(Written::Refused(reply::said(&refusal)))
            }
            Err(failure) => Err(reply::read_error(&failure, operation, &lease.to_string())),
        }
    }

    /// The error of a Lease that is not claimed, renewed or given back here.
    pub(super) fn not_ours(&self, operation: &'static str, name: &str, reason: &NotOurs) -> Error {
        let lease = self.reference(name);
        Error::new(ErrorKind::Corrupt, operation, reason.to_string()).with("object", lease)
    }

    /// The error of a write that was refused at every try.
    pub(super) fn refused(&self, operation: &'static str, name: &str, said: String) -> Error {
        let error = Error::new(ErrorKind::Conflict, operation, said).with("object", self.reference(name));
        error.with_retry(RetryClass::Later)
    }

    fn reference(&self, name: &str) -> ObjectRef {
        let (namespace, name) = (self.namespace.to_string(), name.to_owned());
        ObjectRef { api_version: "coordination.k8s.io/v1", kind: "Lease", namespace, name }
    }
}

#[cfg(test)]
mod tests {
    use hotfix_core::memory::ManualClock;

    use super::*;

    fn connect(prefix: &str) -> Result<Leases, KubernetesError> {
        let config = LeaseConfig { prefix: prefix.to_owned(), ..LeaseConfig::default() };
        let nowhere = http::Uri::from_static("http://127.0.0.1:1");
        Leases::connect(config, kube::Config::new(nowhere), Arc::new(ManualClock::default()))
    }

    #[tokio::test]
    async fn every_target_but_a_watch_has_a_lease_of_its_own() {
        let leases = connect("team-a.hotfix").unwrap();
        let targets: [Fenced; 3] =
            ["production/shop", "source/shop", "watch:production/shop"].map(|text| text.parse().unwrap());
        let names = targets.each_ref().map(|target| leases.name_of(target));
        let [workload, source] = ["team-a.hotfix.production.shop", "team-a.hotfix.source.shop"];
        assert_eq!(names, [Some(workload.to_owned()), Some(source.to_owned()), None]);
        let expected = [workload, source, "team-a.hotfix.leader"].map(str::to_owned);
        assert_eq!(leases.feature(&targets), Feature::Leases(expected.into()));
        assert_eq!(leases.namespace(), "default", "that of the configuration of the cluster");
    }

    #[tokio::test]
    async fn a_prefix_that_begins_no_name_is_refused() {
        for prefix in ["", "Hotfix", "hotfix-", &"x".repeat(LONGEST_PREFIX + 1)] {
            let error = connect(prefix).unwrap_err();
            assert!(matches!(&error, KubernetesError::LeasePrefix(found) if found == prefix), "{error}");
        }
        let error = connect("Hotfix").unwrap_err().to_string();
        let expected = "no lease can have a name that begins with \"Hotfix\"; use lower-case letters, digits, inner \
                        dashes and dots, 125 at most";
        assert_eq!(error, expected);
    }
}
