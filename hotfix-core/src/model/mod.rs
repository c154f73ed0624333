//! Plain data shared by every stage. Values are valid by construction; parsing errors name the value and what is
//! allowed.

mod calibration;
mod dispersion;
mod effect;
mod evidence;
mod fault;
mod git;
mod ids;
mod in_place;
mod incident;
mod invalid;
mod judge_settings;
mod latency;
mod layout;
mod message;
mod pace;
mod percent;
mod period;
mod profile;
mod reason;
mod release;
mod sample;
mod severity;
mod stamp;
mod target;
mod threshold;
mod threshold_text;
mod verdict;
mod verification_rules;
mod watch_rules;
mod weights;
mod workload;

pub use calibration::{Calibration, TailBound};
pub use dispersion::Dispersion;
pub use effect::{Effect, Precondition, RefBatch, RefUpdate, Verb, VerbName};
pub use evidence::{Evidence, Slow, Statistics, Totals};
pub use fault::Fault;
pub use git::{BranchName, ObjectId, RefName, TagName};
pub use ids::{
    ArtifactId, EnvironmentName, IdempotencyKey, IncidentId, IssueKey, RunId, ServiceName, SlotName,
    WorkerName,
};
pub use incident::{Incident, IncidentStatus, TimelineEvent, TimelineKind};
pub use invalid::InvalidValue;
pub use judge_settings::{JudgeSettings, StatisticWeights};
pub use latency::{LatencyBound, Tail};
pub use layout::{Drift, Held, Layout, ReadyInstances, VerbRefusal};
pub use message::{Fact, Message, Part, Phase, Tone};
pub use pace::{OnBlind, Pace};
pub use percent::Percent;
pub use period::Period;
pub use profile::Profile;
pub use reason::{Comparison, Reason, Weighed};
pub use release::{Artifact, ImageReference, Release};
pub use sample::{Counts, Missing, Reading, Sample};
pub use semver::Version;
pub use severity::Severity;
pub use stamp::Stamp;
pub use target::{Fenced, Target};
pub use threshold::{Measure, Span, Threshold};
pub use verdict::{EvidenceDigest, Proof, Ruling, Verdict, VerdictOutcome};
pub use verification_rules::VerificationRules;
pub use watch_rules::{Burn, WatchRules};
pub use weights::Weights;
pub use workload::{Rollout, SlotState, Workload, WorkloadSnapshot};

/// A moment, in UTC.
pub type Timestamp = chrono::DateTime<chrono::Utc>;
