//! `Check`: looks at what a slot serves from outside, while it is judged.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{ArtifactId, Fault, Period, SlotName, Target};

/// How long a look may take. Who has not answered by then could not look.
pub const LONGEST_LOOK: Period = Period::from_mins(1);

/// A health check, a smoke test, or anything else that tells from outside whether a release works.
///
/// # Contract
/// It is evidence beside the metrics and the state of the instances: what it finds wrong condemns the slot at once, and
/// a gate that judges the slot does not pass before it has passed. It only looks. It is asked again and again while a
/// gate is open.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait Check: Debug + Send + Sync {
    /// Returns its name, as people know it: stable, and unique in an engine.
    fn name(&self) -> &str;

    /// Returns what of a workload it looks at.
    fn scope(&self, target: &Target) -> CheckScope;

    /// Looks, with as many tries as it takes to be sure, for [`LONGEST_LOOK`] at the most.
    ///
    /// *Errors*: any failure to look at all. That is neither a pass nor a fault: it is tried again, and the gate stays
    /// closed meanwhile.
    /// *Cancellation*: leaves nothing.
    async fn look(&self, subject: &CheckSubject) -> Result<CheckReport>;
}

/// What of a workload a check looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CheckScope {
    /// Nothing of this workload.
    Nothing,
    /// Each slot by itself, whatever its share of the traffic.
    Slot,
    /// What customers get. It tells of a slot only while that has all the traffic, and is not asked before.
    FrontDoor,
}

/// What a check is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckSubject {
    /// The workload.
    pub target: Target,
    /// The slot that is judged.
    pub slot: SlotName,
    /// What it holds.
    pub artifact: ArtifactId,
}

/// What a check saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// What is wrong; nothing: it passed.
    pub faults: Vec<Fault>,
    /// What was seen, in one line without secrets.
    pub seen: String,
}
