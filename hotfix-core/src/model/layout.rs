//! What each verb makes of a workload, and when it is refused: the rules that every backend keeps, without any backend.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU16;

use super::{
    ArtifactId, Precondition, Release, Rollout, SlotName, Verb, VerbName, Weights, WorkloadSnapshot,
};

/// The part of a workload that verbs determine. Readiness comes and goes by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The slots, with what they are to hold.
    pub slots: BTreeMap<SlotName, Option<Held>>,
    /// The slot whose release is the stable one; `None` before the first release.
    pub live: Option<SlotName>,
    /// The traffic split; `None` before the first release.
    pub weights: Option<Weights>,
    /// Whether changes are accepted.
    pub rollout: Rollout,
}

/// What one slot is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The release.
    pub release: Release,
    /// How many instances of it.
    pub replicas: NonZeroU16,
}

/// How many instances of what a slot holds can take traffic now.
pub type ReadyInstances = BTreeMap<SlotName, u16>;

/// Why a verb is refused. The text names the value and the mend.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerbRefusal {
    /// The workload is paused.
    Paused(VerbName),
    /// There is no such slot.
    UnknownSlot {
        /// The slot that was named.
        slot: SlotName,
        /// The slots that there are.
        known: String,
    },
    /// The slot is the live one.
    Live(SlotName),
    /// The slot has traffic.
    HasTraffic {
        /// The slot.
        slot: SlotName,
        /// Its share.
        percent: u8,
    },
    /// The slot is in use and does not shrink.
    InUse {
        /// The slot.
        slot: SlotName,
        /// How many instances it keeps.
        replicas: NonZeroU16,
    },
    /// The slot holds nothing that could take traffic.
    Empty(SlotName),
    /// The slot has no instance that could take traffic.
    NoReadyInstance(SlotName),
    /// The slots share one set of instances, and the slot cannot have so many of them.
    NotItsSize {
        /// The slot.
        slot: SlotName,
        /// How many were asked for.
        replicas: NonZeroU16,
        /// How many there are.
        instances: NonZeroU16,
    },
    /// The slots share one set of instances, which split the traffic in another way.
    SharedInstances {
        /// The split asked for.
        asked: Weights,
        /// The one that the instances make.
        given: String,
    },
    /// The slot does not have all the traffic.
    NotAllTraffic {
        /// The slot.
        slot: SlotName,
        /// Its share.
        percent: u8,
    },
}

/// A precondition that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// What was expected.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl Layout {
    /// Returns the layout after `verb`, given how many instances of what a slot holds can take traffic now.
    ///
    /// Whether a backend can run the artifact of a release is for the backend to say.
    ///
    /// # Errors
    /// The rule that refuses the verb.
    pub fn after(&self, verb: &Verb, ready: &ReadyInstances) -> Result<Self, VerbRefusal> {
        self.accepts(verb)?;
        match verb {
            Verb::Stage { slot, release, replicas } => stage(self, slot, release, *replicas),
            Verb::Shift { weights } => shift(self, weights, ready),
            Verb::Promote { slot } => promote(self, slot),
            Verb::Retire { slot } => retire(self, slot),
            Verb::Restore { snapshot } => restore(self, snapshot),
            Verb::Pause => Ok(Self { rollout: Rollout::Paused, ..self.clone() }),
            Verb::Resume => Ok(Self { rollout: Rollout::Active, ..self.clone() }),
        }
    }

    /// Refuses changes while the workload is paused. Going back is none.
    pub(super) fn accepts(&self, verb: &Verb) -> Result<(), VerbRefusal> {
        let is_change = !matches!(verb, Verb::Resume | Verb::Restore { .. } | Verb::Pause);
        if self.rollout == Rollout::Paused && is_change {
            return Err(VerbRefusal::Paused(verb.name()));
        }
        Ok(())
    }

    /// Compares what a call expects with what is there.
    ///
    /// # Errors
    /// What was expected and what is there instead.
    pub fn holds(&self, precondition: &Precondition) -> Result<(), Drift> {
        let held = |slot: Option<&SlotName>| slot.and_then(|slot| self.held(slot)).map(artifact);
        let live = held(self.live.as_ref());
        let expected = &precondition.live;
        if !expected.is_empty() && !live.as_ref().is_some_and(|artifact| expected.contains(artifact)) {
            let allowed: Vec<&str> = expected.iter().map(ArtifactId::as_str).collect();
            return Err(Drift {
                expected: format!("live {}", allowed.join(" or ")),
                found: named("live", live),
            });
        }
        if let Some((slot, artifact)) = &precondition.holds {
            let found = held(Some(slot));
            if found.as_ref() != Some(artifact) {
                return Err(Drift {
                    expected: format!("{slot} {artifact}"),
                    found: named(slot.as_str(), found),
                });
            }
        }
        Ok(())
    }

    /// Returns what a slot is to hold.
    #[must_use]
    pub fn held(&self, slot: &SlotName) -> Option<&Held> {
        self.slots.get(slot)?.as_ref()
    }

    /// Returns the share of traffic of a slot, in percent.
    #[must_use]
    pub fn weight(&self, slot: &SlotName) -> u8 {
        self.weights.as_ref().map_or(0, |weights| weights.of(slot))
    }
}

fn stage(
    layout: &Layout,
    slot: &SlotName,
    release: &Release,
    replicas: NonZeroU16,
) -> Result<Layout, VerbRefusal> {
    known(layout, slot)?;
    let same = layout.held(slot).filter(|held| held.release.artifact == release.artifact);
    match same {
        Some(held) => in_use_keeps_its_size(layout, slot, held, replicas)?,
        None => {
            without_traffic(layout, slot)?;
            not_live(layout, slot)?;
        }
    }
    let mut next = layout.clone();
    next.slots.insert(slot.clone(), Some(Held { release: release.clone(), replicas }));
    Ok(next)
}

fn in_use_keeps_its_size(
    layout: &Layout,
    slot: &SlotName,
    held: &Held,
    replicas: NonZeroU16,
) -> Result<(), VerbRefusal> {
    let in_use = layout.weight(slot) > 0 || layout.live.as_ref() == Some(slot);
    if in_use && replicas < held.replicas {
        return Err(VerbRefusal::InUse { slot: slot.clone(), replicas: held.replicas });
    }
    Ok(())
}

fn shift(layout: &Layout, weights: &Weights, ready: &ReadyInstances) -> Result<Layout, VerbRefusal> {
    for (slot, percent) in weights.iter() {
        known(layout, slot)?;
        if layout.held(slot).is_none() {
            return Err(VerbRefusal::Empty(slot.clone()));
        }
        let raises = percent > layout.weight(slot);
        // A side that keeps or loses traffic is no reason to refuse: the other side may be the way out.
        if raises && ready.get(slot).copied().unwrap_or(0) == 0 {
            return Err(VerbRefusal::NoReadyInstance(slot.clone()));
        }
    }
    Ok(Layout { weights: Some(weights.clone()), ..layout.clone() })
}

fn promote(layout: &Layout, slot: &SlotName) -> Result<Layout, VerbRefusal> {
    known(layout, slot)?;
    match layout.weight(slot) {
        100 => Ok(Layout { live: Some(slot.clone()), ..layout.clone() }),
        percent => Err(VerbRefusal::NotAllTraffic { slot: slot.clone(), percent }),
    }
}

fn retire(layout: &Layout, slot: &SlotName) -> Result<Layout, VerbRefusal> {
    known(layout, slot)?;
    without_traffic(layout, slot)?;
    not_live(layout, slot)?;
    let mut next = layout.clone();
    next.slots.insert(slot.clone(), None);
    Ok(next)
}

/// Never refused for want of ready instances: a backend starts anew those that are not ready.
fn restore(layout: &Layout, snapshot: &WorkloadSnapshot) -> Result<Layout, VerbRefusal> {
    let slot = &snapshot.slot;
    known(layout, slot)?;
    let mut next = layout.clone();
    next.slots.values_mut().for_each(|held| *held = None);
    let held = Held { release: snapshot.release.clone(), replicas: snapshot.replicas };
    next.slots.insert(slot.clone(), Some(held));
    next.weights = Some(Weights::all(slot.clone()));
    next.live = Some(slot.clone());
    Ok(next)
}

pub(super) fn known(layout: &Layout, slot: &SlotName) -> Result<(), VerbRefusal> {
    if layout.slots.contains_key(slot) {
        return Ok(());
    }
    let known: Vec<&str> = layout.slots.keys().map(SlotName::as_str).collect();
    Err(VerbRefusal::UnknownSlot { slot: slot.clone(), known: known.join(", ") })
}

pub(super) fn without_traffic(layout: &Layout, slot: &SlotName) -> Result<(), VerbRefusal> {
    match layout.weight(slot) {
        0 => Ok(()),
        percent => Err(VerbRefusal::HasTraffic { slot: slot.clone(), percent }),
    }
}

pub(super) fn not_live(layout: &Layout, slot: &SlotName) -> Result<(), VerbRefusal> {
    if layout.live.as_ref() == Some(slot) { Err(VerbRefusal::Live(slot.clone())) } else { Ok(()) }
}

fn artifact(held: &Held) -> ArtifactId {
    held.release.artifact.id()
}

fn named(place: &str, artifact: Option<ArtifactId>) -> String {
    artifact.map_or_else(|| format!("{place} nothing"), |artifact| format!("{place} {artifact}"))
}

impl fmt::Display for VerbRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paused(verb) => {
                write!(f, "the workload is paused, so {verb} is not accepted; resume it first")
            }
            Self::UnknownSlot { slot, known } => write!(f, "there is no slot {slot}; the slots are {known}"),
            Self::Live(slot) => {
                write!(f, "{slot} is the live slot; use another slot or promote another one first")
            }
            Self::HasTraffic { slot, percent } => {
                write!(f, "{slot} has {percent} % of the traffic; shift it away first")
            }
            Self::InUse { slot, replicas } => {
                write!(
                    f,
                    "{slot} is in use and keeps at least its {replicas} replica(s); shift its traffic away first"
                )
            }
            Self::Empty(slot) => {
                write!(f, "{slot} is empty and cannot take traffic; stage a release there first")
            }
            Self::NoReadyInstance(slot) => {
                write!(f, "{slot} has no ready instance and cannot take traffic; wait until one is ready")
            }
            Self::NotItsSize { slot, replicas, instances } => write!(
                f,
                "{slot} cannot have {replicas} of the {instances} instance(s); stage at most all, and the live slot with all"
            ),
            Self::SharedInstances { asked, given } => write!(
                f,
                "traffic follows the instances, which give {given} and not {asked}; stage more of them, or restore"
            ),
            Self::NotAllTraffic { slot, percent } => {
                write!(f, "{slot} has {percent} % of the traffic; shift 100 % there before promoting it")
            }
        }
    }
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
