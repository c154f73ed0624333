//! What each verb asks of a target, and when it is refused: pure, so that every rule is a table in the tests.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU16;

use hotfix_core::model::{
    Artifact, ArtifactId, Precondition, Release, Rollout, SlotName, Verb, VerbName, Weights, WorkloadSnapshot,
};

use crate::state::{Desired, Filling};

/// How many instances of what a slot holds can take traffic now.
pub(crate) type Ready = BTreeMap<SlotName, u16>;

/// Why a verb is refused. The text names the value and the mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    Paused(VerbName),
    UnknownSlot { slot: SlotName, known: String },
    NotATree(ArtifactId),
    Live(SlotName),
    HasTraffic { slot: SlotName, percent: u8 },
    InUse { slot: SlotName, replicas: NonZeroU16 },
    Empty(SlotName),
    NoReadyInstance(SlotName),
    NotAllTraffic { slot: SlotName, percent: u8 },
}

/// A precondition that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Drift {
    pub(crate) expected: String,
    pub(crate) found: String,
}

/// Returns what is wanted after `verb`.
pub(crate) fn after(desired: &Desired, verb: &Verb, ready: &Ready) -> Result<Desired, Refusal> {
    if desired.rollout == Rollout::Paused
        && !matches!(verb, Verb::Resume | Verb::Restore { .. } | Verb::Pause)
    {
        return Err(Refusal::Paused(verb.name()));
    }
    match verb {
        Verb::Stage { slot, release, replicas } => stage(desired, slot, release, *replicas),
        Verb::Shift { weights } => shift(desired, weights, ready),
        Verb::Promote { slot } => promote(desired, slot),
        Verb::Retire { slot } => retire(desired, slot),
        Verb::Restore { snapshot } => restore(desired, snapshot),
        Verb::Pause => Ok(Desired { rollout: Rollout::Paused, ..desired.clone() }),
        Verb::Resume => Ok(Desired { rollout: Rollout::Active, ..desired.clone() }),
    }
}

/// Compares what a call expects with what is there.
pub(crate) fn holds(desired: &Desired, precondition: &Precondition) -> Result<(), Drift> {
    let held = |slot: Option<&SlotName>| slot.and_then(|slot| desired.filling(slot)).map(artifact);
    let live = held(desired.live.as_ref());
    let expected = &precondition.live;
    if !expected.is_empty() && !live.as_ref().is_some_and(|artifact| expected.contains(artifact)) {
        let allowed: Vec<&str> = expected.iter().map(ArtifactId::as_str).collect();
        return Err(Drift { expected: format!("live {}", allowed.join(" or ")), found: named("live", live) });
    }
    if let Some((slot, artifact)) = &precondition.holds {
        let found = held(Some(slot));
        if found.as_ref() != Some(artifact) {
            return Err(Drift { expected: format!("{slot} {artifact}"), found: named(slot.as_str(), found) });
        }
    }
    Ok(())
}

fn stage(
    desired: &Desired,
    slot: &SlotName,
    release: &Release,
    replicas: NonZeroU16,
) -> Result<Desired, Refusal> {
    known(desired, slot)?;
    is_tree(&release.artifact)?;
    let same = desired.filling(slot).filter(|held| held.release.artifact == release.artifact);
    match same {
        Some(held) => in_use_keeps_its_size(desired, slot, held, replicas)?,
        None => {
            without_traffic(desired, slot)?;
            not_live(desired, slot)?;
        }
    }
    let renewed = same.map_or(0, |held| held.renewed);
    let release = release.clone();
    let mut next = desired.clone();
    next.slots.insert(slot.clone(), Some(Filling { release, replicas, renewed }));
    Ok(next)
}

fn in_use_keeps_its_size(
    desired: &Desired,
    slot: &SlotName,
    held: &Filling,
    replicas: NonZeroU16,
) -> Result<(), Refusal> {
    let in_use = desired.weight(slot) > 0 || desired.live.as_ref() == Some(slot);
    if in_use && replicas < held.replicas {
        return Err(Refusal::InUse { slot: slot.clone(), replicas: held.replicas });
    }
    Ok(())
}

fn shift(desired: &Desired, weights: &Weights, ready: &Ready) -> Result<Desired, Refusal> {
    for (slot, percent) in weights.iter() {
        known(desired, slot)?;
        if desired.filling(slot).is_none() {
            return Err(Refusal::Empty(slot.clone()));
        }
        let raises = percent > desired.weight(slot);
        // A side that keeps or loses traffic is no reason to refuse: the other side may be the way out.
        if raises && ready.get(slot).copied().unwrap_or(0) == 0 {
            return Err(Refusal::NoReadyInstance(slot.clone()));
        }
    }
    Ok(Desired { weights: Some(weights.clone()), ..desired.clone() })
}

fn promote(desired: &Desired, slot: &SlotName) -> Result<Desired, Refusal> {
    known(desired, slot)?;
    match desired.weight(slot) {
        100 => Ok(Desired { live: Some(slot.clone()), ..desired.clone() }),
        percent => Err(Refusal::NotAllTraffic { slot: slot.clone(), percent }),
    }
}

fn retire(desired: &Desired, slot: &SlotName) -> Result<Desired, Refusal> {
    known(desired, slot)?;
    without_traffic(desired, slot)?;
    not_live(desired, slot)?;
    let mut next = desired.clone();
    next.slots.insert(slot.clone(), None);
    Ok(next)
}

/// Never refused for want of ready instances: those that are not ready are started anew, and the agent moves the
/// traffic when the restored side can take it.
fn restore(desired: &Desired, snapshot: &WorkloadSnapshot) -> Result<Desired, Refusal> {
    let slot = &snapshot.slot;
    known(desired, slot)?;
    is_tree(&snapshot.release.artifact)?;
    let mut next = desired.clone();
    next.slots.values_mut().for_each(|filling| *filling = None);
    let filling = Filling {
        release: snapshot.release.clone(),
        replicas: snapshot.replicas,
        renewed: desired.generation + 1,
    };
    next.slots.insert(slot.clone(), Some(filling));
    next.weights = Some(Weights::all(slot.clone()));
    next.live = Some(slot.clone());
    Ok(next)
}

fn known(desired: &Desired, slot: &SlotName) -> Result<(), Refusal> {
    if desired.slots.contains_key(slot) {
        return Ok(());
    }
    let known: Vec<&str> = desired.slots.keys().map(SlotName::as_str).collect();
    Err(Refusal::UnknownSlot { slot: slot.clone(), known: known.join(", ") })
}

fn is_tree(artifact: &Artifact) -> Result<(), Refusal> {
    match artifact {
        Artifact::Tree(_) => Ok(()),
        Artifact::Image(_) => Err(Refusal::NotATree(artifact.id())),
    }
}

fn without_traffic(desired: &Desired, slot: &SlotName) -> Result<(), Refusal> {
    match desired.weight(slot) {
        0 => Ok(()),
        percent => Err(Refusal::HasTraffic { slot: slot.clone(), percent }),
    }
}

fn not_live(desired: &Desired, slot: &SlotName) -> Result<(), Refusal> {
    if desired.live.as_ref() == Some(slot) { Err(Refusal::Live(slot.clone())) } else { Ok(()) }
}

fn artifact(filling: &Filling) -> ArtifactId {
    filling.release.artifact.id()
}

fn named(place: &str, artifact: Option<ArtifactId>) -> String {
    artifact.map_or_else(|| format!("{place} nothing"), |artifact| format!("{place} {artifact}"))
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paused(verb) => {
                write!(f, "the workload is paused, so {verb} is not accepted; resume it first")
            }
            Self::UnknownSlot { slot, known } => write!(f, "there is no slot {slot}; the slots are {known}"),
            Self::NotATree(artifact) => {
                write!(f, "{artifact} cannot run on this host; only trees (tree:<object id>) can")
            }
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
            Self::NotAllTraffic { slot, percent } => {
                write!(f, "{slot} has {percent} % of the traffic; shift 100 % there before promoting it")
            }
        }
    }
}

#[cfg(test)]
#[path = "transition_tests.rs"]
mod tests;
