//! The same verbs where the slots share one set of instances: what is staged in one replaces instances of the other.

use std::num::NonZeroU16;

use super::layout::{known, not_live, without_traffic};
use super::{Held, Layout, ReadyInstances, SlotName, Verb, VerbRefusal, Weights};

impl Layout {
    /// Returns the layout after `verb` on a workload whose slots share `instances`, given how many instances of what a
    /// slot holds can take traffic now.
    ///
    /// A slot is told from another by what its instances run. `stage` in a slot that is not live is what moves the
    /// traffic: so many instances run the release then, and its share is their part of all, in whole percents rounded
    /// down, but not to 0. The live slot holds its release at the size of the workload until another is promoted, even
    /// when none of its instances is left. `shift` changes nothing: it is accepted when the share asked for is what the
    /// instances make and one of them is ready. `retire` forgets what a slot held, and has no instances to stop.
    ///
    /// # Errors
    /// The rule that refuses the verb.
    pub fn after_in_place(
        &self,
        verb: &Verb,
        ready: &ReadyInstances,
        instances: NonZeroU16,
    ) -> Result<Self, VerbRefusal> {
        self.accepts(verb)?;
        match verb {
            Verb::Stage { slot, release, replicas } => {
                let held = Held { release: release.clone(), replicas: *replicas };
                stage(self, slot, held, instances)
            }
            Verb::Shift { weights } => shift(self, weights, ready),
            Verb::Promote { .. }
            | Verb::Retire { .. }
            | Verb::Restore { .. }
            | Verb::Pause
            | Verb::Resume => self.after(verb, ready),
        }
    }

    /// Returns the same where what is staged replaces all instances: `stage` takes as many as there are, and no other
    /// number.
    ///
    /// # Errors
    /// The rule that refuses the verb.
    pub fn after_at_once(
        &self,
        verb: &Verb,
        ready: &ReadyInstances,
        instances: NonZeroU16,
    ) -> Result<Self, VerbRefusal> {
        match verb {
            Verb::Stage { slot, replicas, .. } if *replicas != instances => {
                Err(VerbRefusal::NotItsSize { slot: slot.clone(), replicas: *replicas, instances })
            }
            _ => self.after_in_place(verb, ready, instances),
        }
    }

    /// Returns how traffic is split between the live slot and one that has `taken` of `instances`.
    ///
    /// # Panics
    /// If the slots are the same.
    #[must_use]
    pub fn shared(live: &SlotName, slot: &SlotName, taken: NonZeroU16, instances: NonZeroU16) -> Weights {
        let share = u32::from(taken.get()) * 100 / u32::from(instances.get());
        let share = u8::try_from(share.clamp(1, 100)).expect("it is at most 100");
        Weights::split(live.clone(), slot.clone(), share).expect("the slots differ")
    }
}

fn stage(
    layout: &Layout,
    slot: &SlotName,
    wanted: Held,
    instances: NonZeroU16,
) -> Result<Layout, VerbRefusal> {
    known(layout, slot)?;
    let same = layout.held(slot).filter(|held| held.release.artifact == wanted.release.artifact);
    let is_live = layout.live.as_ref() == Some(slot);
    if wanted.replicas > instances || (is_live && wanted.replicas != instances) {
        return Err(VerbRefusal::NotItsSize { slot: slot.clone(), replicas: wanted.replicas, instances });
    }
    match same {
        Some(held) if layout.weight(slot) > 0 && wanted.replicas < held.replicas => {
            return Err(VerbRefusal::InUse { slot: slot.clone(), replicas: held.replicas });
        }
        Some(_) => {}
        None => {
            without_traffic(layout, slot)?;
            not_live(layout, slot)?;
        }
    }
    let mut next = layout.clone();
    if let Some(live) = layout.live.as_ref().filter(|_| !is_live) {
        next.weights = Some(Layout::shared(live, slot, wanted.replicas, instances));
    }
    next.slots.insert(slot.clone(), Some(wanted));
    Ok(next)
}

fn shift(layout: &Layout, weights: &Weights, ready: &ReadyInstances) -> Result<Layout, VerbRefusal> {
    for (slot, _) in weights.iter() {
        known(layout, slot)?;
        if layout.held(slot).is_none() {
            return Err(VerbRefusal::Empty(slot.clone()));
        }
    }
    match &layout.weights {
        Some(given) if given == weights => {}
        given => {
            let given = given.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
            return Err(VerbRefusal::SharedInstances { asked: weights.clone(), given });
        }
    }
    // The live slot keeps what it has; what the other has taken must be able to bear it.
    let taken = weights.iter().filter(|(slot, percent)| *percent > 0 && layout.live.as_ref() != Some(*slot));
    for (slot, _) in taken {
        if ready.get(slot).copied().unwrap_or(0) == 0 {
            return Err(VerbRefusal::NoReadyInstance(slot.clone()));
        }
    }
    Ok(layout.clone())
}
