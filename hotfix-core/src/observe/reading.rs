//! What is still to be read, and of whom.

use super::{Fact, Snapshot, recipe, source};
use crate::model::Target;
use crate::policy::Policy;
use crate::port::{HistoryQuery, Recipe, SourceQuery};
use crate::request::{Goal, Request, Staging};

/// One question to a port. The answer, or the error, goes into the [`Snapshot`] by the method named here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// `VersionControl::observe`; [`Snapshot::record_source`].
    Source(SourceQuery),
    /// `VersionControl::compose`; [`Snapshot::record_composition`].
    Compose(Recipe),
    /// `Deployer::observe` and `Deployer::capabilities`; [`Snapshot::record_workload`].
    Workload(Target),
    /// `Deployer::snapshot`; [`Snapshot::record_snapshot`].
    Snapshot(Target),
    /// `IncidentStore::known_good`; [`Snapshot::record_known_good`].
    KnownGood {
        /// The workload.
        target: Target,
        /// How many at the most.
        limit: usize,
    },
    /// `MetricsSource::history`, and `judge::calibrate` with it; [`Snapshot::record_calibration`].
    Calibration(HistoryQuery),
    /// `IncidentStore::runs` with `RunFilter::Open`; [`Snapshot::record_runs`].
    Runs,
}

/// How many proven releases are looked through for something to go back to.
const KNOWN_GOOD_LIMIT: usize = 50;

/// How many looks back the judge is calibrated with.
const CALIBRATION_POINTS: usize = 60;

/// Tags that move between two reads can change the names that are asked for; after this many reads the plan is
/// refused instead.
const SOURCE_READS_MAX: u8 = 4;

/// Returns what is missing in the snapshot; nothing: it is complete. Readings of one answer do not depend on each
/// other. What was asked for and could not be read is not asked for again.
#[must_use]
pub fn readings(request: &Request, policy: &Policy, snapshot: &Snapshot) -> Vec<Reading> {
    let mut missing: Vec<Reading> = source_reading(request, policy, snapshot).into_iter().collect();
    for target in targets(request, policy) {
        let facts = snapshot.workloads.get(&target);
        if facts.is_none_or(|facts| facts.workload.is_none()) {
            missing.push(Reading::Workload(target.clone()));
        }
        if facts.is_none_or(|facts| facts.snapshot.is_none()) {
            missing.push(Reading::Snapshot(target.clone()));
        }
        if facts.is_none_or(|facts| facts.known_good.is_none()) {
            missing.push(Reading::KnownGood { target, limit: KNOWN_GOOD_LIMIT });
        }
    }
    missing.extend(calibration_reading(request, policy, snapshot));
    if snapshot.claims.is_none() {
        missing.push(Reading::Runs);
    }
    missing
}

/// The last quarter of an hour or so, at the pace at which the rollout will be looked at.
fn calibration_reading(request: &Request, policy: &Policy, snapshot: &Snapshot) -> Option<Reading> {
    if snapshot.calibration.is_some() || !matches!(request.goal, Goal::Deploy { .. }) {
        return None;
    }
    let target = production(request, policy);
    let slot = snapshot.workloads.get(&target)?.workload.as_ref()?.known()?.live.clone()?;
    let (interval, points) = (policy.execution.look, CALIBRATION_POINTS);
    Some(Reading::Calibration(HistoryQuery { target, slot, interval, points }))
}

fn source_reading(request: &Request, policy: &Policy, snapshot: &Snapshot) -> Option<Reading> {
    let facts = match &snapshot.source {
        None => return source::query(request, policy, None).map(Reading::Source),
        Some(Fact::Gap { .. }) => return None,
        Some(Fact::Known { value, .. }) => value,
    };
    let query = source::query(request, policy, Some(facts))?;
    if query.refs.iter().any(|name| !facts.refs.contains_key(name)) {
        return (snapshot.source_reads < SOURCE_READS_MAX).then_some(Reading::Source(query));
    }
    let goal = source::resolve(request, policy, facts).ok()?;
    let (recipe, _) = recipe::recipe(request, policy, &goal, snapshot.taken_at)?;
    let composed = snapshot.composition.as_ref().is_some_and(|composition| composition.recipe == recipe);
    (!composed).then_some(Reading::Compose(recipe))
}

/// Returns the workloads that the request changes, in the order they are changed.
fn targets(request: &Request, policy: &Policy) -> Vec<Target> {
    match &request.goal {
        Goal::Create { .. } => Vec::new(),
        Goal::Rollback { target, .. } | Goal::Watch { target, .. } => vec![target.clone()],
        Goal::Deploy { .. } => {
            staging(request, policy).into_iter().chain([production(request, policy)]).collect()
        }
    }
}

/// Returns the staging workload of a deploy; `None` when there is none or it is to be skipped.
pub(crate) fn staging(request: &Request, policy: &Policy) -> Option<Target> {
    match request.goal {
        Goal::Deploy { staging: Staging::First, .. } => {
            let environment = policy.environments.staging.clone()?;
            Some(Target::new(environment, request.service.clone()))
        }
        _ => None,
    }
}

/// Returns the production workload of the service.
pub(crate) fn production(request: &Request, policy: &Policy) -> Target {
    Target::new(policy.environments.production.clone(), request.service.clone())
}
