//! The verbs as a pure function from one layout to the next, with every rule that a real platform keeps.

use std::num::NonZeroU16;

use super::workload::{Behaviours, Layout};
use crate::memory::script::refuse;
use crate::model::{Release, Rollout, SlotName, SlotState, Verb, Weights, WorkloadSnapshot};
use crate::port::Rejection;

type Next = Result<Layout, Rejection>;

/// Returns the layout after a verb, or why it is refused.
pub(super) fn after(before: &Layout, verb: &Verb, behaviours: &Behaviours) -> Next {
    let paused = before.rollout == Rollout::Paused;
    if paused && !matches!(verb, Verb::Resume | Verb::Restore { .. } | Verb::Pause) {
        return Err(refuse("the workload is paused; resume it first"));
    }
    let next = before.clone();
    match verb {
        Verb::Stage { slot, release, replicas } => stage(next, slot, release, *replicas, behaviours),
        Verb::Shift { weights } => shift(next, weights),
        Verb::Promote { slot } => promote(next, slot),
        Verb::Retire { slot } => retire(next, slot),
        Verb::Restore { snapshot } => restore(next, snapshot, behaviours),
        Verb::Pause => Ok(with_rollout(next, Rollout::Paused)),
        Verb::Resume => Ok(with_rollout(next, Rollout::Active)),
    }
}

fn stage(
    mut layout: Layout,
    slot: &SlotName,
    release: &Release,
    replicas: NonZeroU16,
    behaviours: &Behaviours,
) -> Next {
    must_exist(&layout, slot)?;
    let weight = layout.weight(slot);
    let live = layout.live.as_ref() == Some(slot);
    let staged = match layout.held(slot) {
        Some(held) if held.release == *release => {
            if replicas < held.replicas && (weight > 0 || live) {
                return Err(refuse(format!("slot {slot} is in use; it cannot be scaled down to {replicas}")));
            }
            scaled(held, replicas, behaviours)
        }
        Some(held) if live => {
            let reason =
                format!("slot {slot} is live with {}; stage {release} in another slot", held.release);
            return Err(refuse(reason));
        }
        Some(held) if weight > 0 => {
            let reason =
                format!("slot {slot} has {weight} % of the traffic with {}; shift it away", held.release);
            return Err(refuse(reason));
        }
        _ => behaviours.start(release, replicas),
    };
    layout.slots.insert(slot.clone(), Some(staged));
    Ok(layout)
}

/// Changes the number of instances: those that are there stay as they are, new ones behave as they do.
pub(super) fn scaled(held: &SlotState, replicas: NonZeroU16, behaviours: &Behaviours) -> SlotState {
    let mut held = held.clone();
    let more = replicas.get().saturating_sub(held.replicas.get());
    if let Some(more) = NonZeroU16::new(more) {
        held.ready += behaviours.start(&held.release, more).ready;
    }
    held.ready = held.ready.min(replicas.get());
    held.replicas = replicas;
    held
}

fn shift(mut layout: Layout, weights: &Weights) -> Next {
    if layout.weights.as_ref() == Some(weights) {
        return Ok(layout);
    }
    for (slot, weight) in weights.iter() {
        must_exist(&layout, slot)?;
        if layout.held(slot).is_none_or(|held| held.ready == 0) {
            let reason =
                format!("slot {slot} has no ready instance and cannot take {weight} % of the traffic");
            return Err(refuse(reason));
        }
    }
    layout.weights = Some(weights.clone());
    Ok(layout)
}

fn promote(mut layout: Layout, slot: &SlotName) -> Next {
    must_exist(&layout, slot)?;
    let weight = layout.weight(slot);
    if layout.held(slot).is_none() || weight != 100 {
        return Err(refuse(format!("slot {slot} has {weight} % of the traffic; promoting takes 100 %")));
    }
    layout.live = Some(slot.clone());
    Ok(layout)
}

fn retire(mut layout: Layout, slot: &SlotName) -> Next {
    must_exist(&layout, slot)?;
    if layout.live.as_ref() == Some(slot) {
        return Err(refuse(format!("slot {slot} is live and cannot be emptied")));
    }
    let weight = layout.weight(slot);
    if weight > 0 {
        return Err(refuse(format!("slot {slot} has {weight} % of the traffic and cannot be emptied")));
    }
    layout.slots.insert(slot.clone(), None);
    Ok(layout)
}

/// Puts a snapshot back. Instances that are missing or not ready are started anew; how many are ready is no reason
/// to refuse.
pub(super) fn restore(mut layout: Layout, snapshot: &WorkloadSnapshot, behaviours: &Behaviours) -> Next {
    let slot = &snapshot.slot;
    must_exist(&layout, slot)?;
    let healthy = layout.held(slot).filter(|held| {
        held.release == snapshot.release
            && held.replicas == snapshot.replicas
            && held.ready == held.replicas.get()
            && held.faults.is_empty()
    });
    let held = healthy.cloned();
    let held = held.unwrap_or_else(|| behaviours.start(&snapshot.release, snapshot.replicas));
    for other in layout.slots.values_mut() {
        *other = None;
    }
    layout.slots.insert(slot.clone(), Some(held));
    layout.live = Some(slot.clone());
    layout.weights = Some(Weights::all(slot.clone()));
    Ok(layout)
}

const fn with_rollout(mut layout: Layout, rollout: Rollout) -> Layout {
    layout.rollout = rollout;
    layout
}

fn must_exist(layout: &Layout, slot: &SlotName) -> Result<(), Rejection> {
    if layout.slots.contains_key(slot) {
        return Ok(());
    }
    let slots: Vec<&str> = layout.slots.keys().map(SlotName::as_str).collect();
    Err(refuse(format!("no slot {slot}; the slots are {}", slots.join(", "))))
}
