//! From what is wanted and what the agent reports to what the port calls a workload.

use std::collections::BTreeMap;

use hotfix_core::model::{ReadyInstances, SlotName, SlotState, Weights, Workload, WorkloadSnapshot};

use crate::agent::{Report, SlotReport};
use crate::state::{Desired, Filling, TargetState};

/// The workload as it is: what the slots are to hold, and how much of it is there.
pub(crate) fn workload(state: &TargetState, report: &Report) -> Workload {
    let desired = &state.desired;
    let slot = |(name, filling): (&SlotName, &Option<Filling>)| {
        let filled = filling.as_ref().map(|filling| slot_state(filling, reported(report, name, filling)));
        (name.clone(), filled)
    };
    // Until the newest split is in effect, the one that is in effect is the truth.
    let in_effect = Weights::try_from(report.weights.clone()).ok();
    let weights = if report.routed >= desired.generation { desired.weights.clone() } else { in_effect };
    Workload {
        slots: desired.slots.iter().map(slot).collect(),
        live: desired.live.clone(),
        weights,
        rollout: desired.rollout,
        stamp: state.fence,
        home: None,
        notices: Vec::new(),
    }
}

/// What is needed to put the live release back.
pub(crate) fn snapshot(desired: &Desired) -> Option<WorkloadSnapshot> {
    let slot = desired.live.clone()?;
    let Filling { release, replicas, .. } = desired.filling(&slot)?.clone();
    Some(WorkloadSnapshot { slot, release, replicas, backend: serde_json::Value::Null })
}

/// How many instances of what each slot is to hold are ready.
pub(crate) fn ready(desired: &Desired, report: &Report) -> ReadyInstances {
    let filled = desired.slots.iter().filter_map(|(name, filling)| Some((name, filling.as_ref()?)));
    let ready =
        filled.filter_map(|(name, filling)| Some((name.clone(), reported(report, name, filling)?.ready)));
    ready.collect::<BTreeMap<_, _>>()
}

/// What is reported of a slot, unless that is still about what it held before.
fn reported<'a>(report: &'a Report, slot: &SlotName, filling: &Filling) -> Option<&'a SlotReport> {
    report.slots.get(slot).filter(|reported| reported.artifact == filling.release.artifact.id())
}

fn slot_state(filling: &Filling, report: Option<&SlotReport>) -> SlotState {
    SlotState {
        release: filling.release.clone(),
        replicas: filling.replicas,
        ready: report.map_or(0, |report| report.ready),
        faults: report.map(|report| report.faults.clone()).unwrap_or_default(),
    }
}
