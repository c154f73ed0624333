//! What each verb asks of this host: the rules of every backend, and what only this one says.

use hotfix_core::model::{
    Artifact, ArtifactId, Drift, Held, Layout, Precondition, ReadyInstances, Verb, VerbRefusal,
};

use crate::state::{Desired, Filling};

/// Why a verb is refused. The text names the value and the mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{0}")]
    Rule(VerbRefusal),
    #[error("{0} cannot run on this host; only trees (tree:<object id>) can")]
    NotATree(ArtifactId),
}

/// Returns what is wanted after `verb`.
///
/// A restore starts anew what is not ready, and the agent moves the traffic when the restored side can take it.
pub(crate) fn after(desired: &Desired, verb: &Verb, ready: &ReadyInstances) -> Result<Desired, Refusal> {
    let layout = layout(desired).after(verb, ready).map_err(Refusal::Rule)?;
    runs_here(verb)?;
    let is_restore = matches!(verb, Verb::Restore { .. });
    let mut next = desired.clone();
    for (slot, held) in layout.slots {
        let same = |before: &&Filling| {
            held.as_ref().is_some_and(|held| held.release.artifact == before.release.artifact)
        };
        let kept = desired.filling(&slot).filter(same).map_or(0, |before| before.renewed);
        let renewed = if is_restore { desired.generation + 1 } else { kept };
        let filling = held.map(|Held { release, replicas }| Filling { release, replicas, renewed });
        next.slots.insert(slot, filling);
    }
    Ok(Desired { live: layout.live, weights: layout.weights, rollout: layout.rollout, ..next })
}

/// Compares what a call expects with what is there.
pub(crate) fn holds(desired: &Desired, precondition: &Precondition) -> Result<(), Drift> {
    layout(desired).holds(precondition)
}

fn layout(desired: &Desired) -> Layout {
    let held = |filling: &Filling| Held { release: filling.release.clone(), replicas: filling.replicas };
    let slots = desired.slots.iter().map(|(slot, filling)| (slot.clone(), filling.as_ref().map(held)));
    Layout {
        slots: slots.collect(),
        live: desired.live.clone(),
        weights: desired.weights.clone(),
        rollout: desired.rollout,
    }
}

fn runs_here(verb: &Verb) -> Result<(), Refusal> {
    let release = match verb {
        Verb::Stage { release, .. } => release,
        Verb::Restore { snapshot } => &snapshot.release,
        _ => return Ok(()),
    };
    match &release.artifact {
        Artifact::Tree(_) => Ok(()),
        Artifact::Image(_) => Err(Refusal::NotATree(release.artifact.id())),
    }
}

#[cfg(test)]
#[path = "transition_tests.rs"]
mod tests;
