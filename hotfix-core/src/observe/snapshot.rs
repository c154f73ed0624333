//! The snapshot: immutable facts with their age; a gap is a value, never an error and never a default.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::model::{Calibration, Target, Timestamp, Workload, WorkloadSnapshot};
use crate::port::{
    Claim, Composed, DeployerCapabilities, KnownGood, Recipe, RunSummary, SourceFacts,
    VersionControlCapabilities,
};

/// Something that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fact")]
pub enum Fact<T> {
    /// It was read.
    Known {
        /// What it is.
        value: T,
        /// When it was read.
        at: Timestamp,
    },
    /// It could not be read.
    Gap {
        /// Why not.
        reason: String,
        /// When that was tried.
        at: Timestamp,
    },
}

impl<T> Fact<T> {
    fn new(answer: Result<T, Error>, at: Timestamp) -> Self {
        match answer {
            Ok(value) => Self::Known { value, at },
            Err(error) => Self::Gap { reason: error.to_string(), at },
        }
    }

    /// Returns what was read.
    #[must_use]
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known { value, .. } => Some(value),
            Self::Gap { .. } => None,
        }
    }
}

/// What was composed, and of which recipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Composition {
    /// The recipe.
    pub recipe: Recipe,
    /// Its results, one per instruction.
    pub results: Fact<Vec<Composed>>,
}

/// What is known of one workload. `None`: not asked for yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadFacts {
    /// What the deployer can do on it.
    pub capabilities: Option<DeployerCapabilities>,
    /// What it is.
    pub workload: Option<Fact<Workload>>,
    /// What puts it back.
    pub snapshot: Option<Fact<WorkloadSnapshot>>,
    /// The releases that were proven healthy on it, the last proof first.
    pub known_good: Option<Fact<Vec<KnownGood>>>,
}

/// Everything a plan is made of, apart from request and policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When observing began: the time of the plan and of the commits that are composed for it.
    pub taken_at: Timestamp,
    /// What the repository can do.
    pub version_control: VersionControlCapabilities,
    /// What the repository holds.
    pub source: Option<Fact<SourceFacts>>,
    /// How often the repository was read. Names depend on tags, so it may take more than once.
    #[serde(default)]
    pub source_reads: u8,
    /// What was composed.
    pub composition: Option<Composition>,
    /// The workloads.
    pub workloads: BTreeMap<Target, WorkloadFacts>,
    /// What the judge is calibrated with: what is live in production as it was before.
    #[serde(default)]
    pub calibration: Option<Fact<Calibration>>,
    /// Who holds what at the moment.
    pub claims: Option<Fact<Vec<Claim>>>,
}

impl Snapshot {
    /// Begins a snapshot that knows nothing but what the repository can do.
    #[must_use]
    pub const fn new(taken_at: Timestamp, version_control: VersionControlCapabilities) -> Self {
        Self {
            taken_at,
            version_control,
            source: None,
            source_reads: 0,
            composition: None,
            workloads: BTreeMap::new(),
            calibration: None,
            claims: None,
        }
    }

    /// Records the answer to [`Reading::Source`](super::Reading::Source). A later answer replaces an earlier one.
    pub fn record_source(&mut self, answer: Result<SourceFacts, Error>, at: Timestamp) {
        self.source = Some(Fact::new(answer, at));
        self.source_reads = self.source_reads.saturating_add(1);
    }

    /// Records the answer to [`Reading::Compose`](super::Reading::Compose).
    pub fn record_composition(
        &mut self,
        recipe: Recipe,
        answer: Result<Vec<Composed>, Error>,
        at: Timestamp,
    ) {
        self.composition = Some(Composition { recipe, results: Fact::new(answer, at) });
    }

    /// Records the answer to [`Reading::Workload`](super::Reading::Workload), and what the deployer can do there.
    pub fn record_workload(
        &mut self,
        target: &Target,
        capabilities: DeployerCapabilities,
        answer: Result<Workload, Error>,
        at: Timestamp,
    ) {
        let facts = self.facts(target);
        facts.capabilities = Some(capabilities);
        facts.workload = Some(Fact::new(answer, at));
    }

    /// Records the answer to [`Reading::Snapshot`](super::Reading::Snapshot).
    pub fn record_snapshot(
        &mut self,
        target: &Target,
        answer: Result<WorkloadSnapshot, Error>,
        at: Timestamp,
    ) {
        self.facts(target).snapshot = Some(Fact::new(answer, at));
    }

    /// Records the answer to [`Reading::KnownGood`](super::Reading::KnownGood).
    pub fn record_known_good(
        &mut self,
        target: &Target,
        answer: Result<Vec<KnownGood>, Error>,
        at: Timestamp,
    ) {
        self.facts(target).known_good = Some(Fact::new(answer, at));
    }

    /// Records the answer to [`Reading::Calibration`](super::Reading::Calibration).
    pub fn record_calibration(&mut self, answer: Result<Calibration, Error>, at: Timestamp) {
        self.calibration = Some(Fact::new(answer, at));
    }

    /// Records the answer to [`Reading::Runs`](super::Reading::Runs).
    pub fn record_runs(&mut self, answer: Result<Vec<RunSummary>, Error>, at: Timestamp) {
        let claims = |run: RunSummary| {
            let RunSummary { run, holder, claims, opened_at, expires_at, .. } = run;
            let claim = move |target| Claim {
                target,
                run: run.clone(),
                holder: holder.clone(),
                since: opened_at,
                expires_at,
            };
            claims.into_iter().map(claim)
        };
        let answer = answer.map(|runs| runs.into_iter().flat_map(claims).collect());
        self.claims = Some(Fact::new(answer, at));
    }

    fn facts(&mut self, target: &Target) -> &mut WorkloadFacts {
        self.workloads.entry(target.clone()).or_default()
    }
}
