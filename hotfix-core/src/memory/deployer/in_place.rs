//! The verbs where the slots of a workload share their instances.

use std::num::NonZeroU16;

use super::verbs::{restore, scaled};
use super::workload::{Behaviours, Layout};
use crate::memory::script::refuse;
use crate::model::{self, Held, ReadyInstances, SlotName, SlotState, Verb};
use crate::port::Rejection;

/// Returns the layout after a verb, or why it is refused.
pub(super) fn after(before: &Layout, verb: &Verb, behaviours: &Behaviours) -> Result<Layout, Rejection> {
    after_by(model::Layout::after_in_place, before, verb, behaviours)
}

/// The same where what is staged takes all instances.
pub(super) fn after_at_once(
    before: &Layout,
    verb: &Verb,
    behaviours: &Behaviours,
) -> Result<Layout, Rejection> {
    after_by(model::Layout::after_at_once, before, verb, behaviours)
}

type Rules =
    fn(&model::Layout, &Verb, &ReadyInstances, NonZeroU16) -> Result<model::Layout, model::VerbRefusal>;

fn after_by(
    rules: Rules,
    before: &Layout,
    verb: &Verb,
    behaviours: &Behaviours,
) -> Result<Layout, Rejection> {
    let Some(instances) = size(before, verb) else {
        return Err(refuse("nothing is live, so there are no instances to share"));
    };
    let ready: ReadyInstances = filled(before).map(|(slot, held)| (slot.clone(), held.ready)).collect();
    let next = rules(&plain(before), verb, &ready, instances);
    let next = next.map_err(|refusal| refuse(refusal.to_string()))?;
    if let Verb::Restore { snapshot } = verb {
        return restore(before.clone(), snapshot, behaviours);
    }
    let mut after =
        Layout { live: next.live, weights: next.weights, rollout: next.rollout, ..before.clone() };
    for (slot, held) in next.slots {
        let state = held.map(|held| state(before.held(&slot), held, behaviours));
        after.slots.insert(slot, state);
    }
    Ok(shared(after, instances))
}

/// How many instances the slots share: as many as the live one is to have.
fn size(layout: &Layout, verb: &Verb) -> Option<NonZeroU16> {
    let live = layout.live.as_ref().and_then(|slot| layout.held(slot)).map(|held| held.replicas);
    match verb {
        Verb::Restore { snapshot } => live.or(Some(snapshot.replicas)),
        _ => live,
    }
}

fn filled(layout: &Layout) -> impl Iterator<Item = (&SlotName, &SlotState)> {
    layout.slots.iter().filter_map(|(slot, held)| Some((slot, held.as_ref()?)))
}

fn plain(layout: &Layout) -> model::Layout {
    let held = |held: &SlotState| Held { release: held.release.clone(), replicas: held.replicas };
    model::Layout {
        slots: layout.slots.iter().map(|(slot, state)| (slot.clone(), state.as_ref().map(held))).collect(),
        live: layout.live.clone(),
        weights: layout.weights.clone(),
        rollout: layout.rollout,
    }
}

/// The instances that were there stay as they are, new ones behave as they do.
fn state(before: Option<&SlotState>, held: Held, behaviours: &Behaviours) -> SlotState {
    match before.filter(|before| before.release.artifact == held.release.artifact) {
        Some(before) => SlotState { release: held.release, ..scaled(before, held.replicas, behaviours) },
        None => behaviours.start(&held.release, held.replicas),
    }
}

/// Takes from each slot the instances that the other has taken.
fn shared(mut layout: Layout, instances: NonZeroU16) -> Layout {
    let Some(live) = layout.live.clone() else { return layout };
    let weighted: Vec<SlotName> =
        filled(&layout).map(|(slot, _)| slot.clone()).filter(|slot| layout.weight(slot) > 0).collect();
    let taken: u16 = filled(&layout)
        .filter(|(slot, _)| **slot != live && weighted.contains(slot))
        .map(|(_, held)| held.replicas.get())
        .sum();
    for (slot, held) in &mut layout.slots {
        if let Some(held) = held {
            let left = if *slot == live {
                instances.get().saturating_sub(taken)
            } else if weighted.contains(slot) {
                held.replicas.get()
            } else {
                0
            };
            held.ready = held.ready.min(left);
        }
    }
    layout
}
