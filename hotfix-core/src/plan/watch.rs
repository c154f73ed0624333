//! What is live is watched, and nothing is changed.

use super::draft::{self, Frame, Steps};
use super::rollback::Undoing;
use super::safety::{Facts, Refusals};
use super::{Baseline, Planned, Refused};
use crate::model::{Fenced, Period, Phase, Target};

/// Makes the plan of a watch. A workload has one watch at a time.
pub(super) fn plan(facts: Facts<'_>, target: &Target, lasting: Period) -> Result<Planned, Refused> {
    let mut refusals = Refusals::default();
    facts.unclaimed(&[Fenced::Watch(target.clone())], &mut refusals);
    let site = facts.site(target.clone(), &mut refusals);
    let site = refusals.settle(site)?;
    let mut steps = Steps::new(facts);
    steps.phase(Phase::Production);
    steps.point_of_no_return();
    steps.watch(&site, lasting, &facts.policy.after_success.rules);
    let frame = Frame {
        release: None,
        baselines: vec![Baseline { target: site.target.clone(), snapshot: site.baseline.clone() }],
        undoing: Undoing::default(),
        findings: Vec::new(),
    };
    Ok(draft::finish(facts, steps, frame))
}
