//! Plain data shared by every stage. Values are valid by construction; parsing errors name the value and what is
//! allowed.

mod effect;
mod fault;
mod git;
mod ids;
mod incident;
mod invalid;
mod message;
mod period;
mod release;
mod severity;
mod stamp;
mod target;
mod weights;
mod workload;

pub use effect::{Effect, Precondition, RefBatch, RefUpdate, Verb, VerbName};
pub use fault::Fault;
pub use git::{BranchName, ObjectId, RefName, TagName};
pub use ids::{
    ArtifactId, EnvironmentName, IdempotencyKey, IncidentId, IssueKey, RunId, ServiceName, SlotName,
    WorkerName,
};
pub use incident::{Incident, IncidentStatus, TimelineEvent, TimelineKind};
pub use invalid::InvalidValue;
pub use message::{Fact, Message, Part, Phase, Tone};
pub use period::Period;
pub use release::{Artifact, ImageReference, Release};
pub use semver::Version;
pub use severity::Severity;
pub use stamp::Stamp;
pub use target::{Fenced, Target};
pub use weights::Weights;
pub use workload::{Rollout, SlotState, Workload, WorkloadSnapshot};

/// A moment, in UTC.
pub type Timestamp = chrono::DateTime<chrono::Utc>;
