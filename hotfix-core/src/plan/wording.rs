//! How a plan is put into words: the same phrases in text, diagrams, findings and refusals.

use std::fmt::{self, Display};

use super::{Action, Gate};
use crate::model::{ArtifactId, Effect, Phase, RefUpdate, Verb};
use crate::port::ConflictPath;

/// Returns "1 file", "2 files".
pub(super) fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Values with commas between them.
pub(super) struct Listed<'a, T>(pub(super) &'a [T]);

impl<T: Display> Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, value) in self.0.iter().enumerate() {
            write!(f, "{}{value}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// Conflicting paths with their kinds.
pub(super) struct Conflicts<'a>(pub(super) &'a [ConflictPath]);

impl Display for Conflicts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, conflict) in self.0.iter().enumerate() {
            let path = conflict.path.escape_debug();
            write!(f, "{}{path} ({})", if index == 0 { "" } else { ", " }, conflict.kind)?;
        }
        Ok(())
    }
}

/// Returns an artifact id that people can compare: its kind and twelve digits.
pub(super) fn short(artifact: &ArtifactId) -> &str {
    let text = artifact.as_str();
    let digits = text.rfind(':').map_or(0, |colon| colon + 1);
    text.get(..digits + 12).unwrap_or(text)
}

/// Returns where an action happens: an environment and a service, or the repository of a service.
pub(super) fn place(action: &Action) -> String {
    match action {
        Action::Effect(effect) => effect.fenced().to_string(),
        Action::Gate(gate) => gate.target().to_string(),
    }
}

/// Returns what an action does, one line per thing.
pub(super) fn deeds(action: &Action) -> Vec<String> {
    match action {
        Action::Effect(effect) => effect_deeds(effect),
        Action::Gate(gate) => vec![self::gate(gate)],
    }
}

/// Returns what an effect does, one line per thing.
pub(super) fn effect_deeds(effect: &Effect) -> Vec<String> {
    match effect {
        Effect::Workload { verb, .. } => vec![self::verb(verb)],
        Effect::Source { batch, .. } => batch.updates.iter().map(update).collect(),
    }
}

fn verb(verb: &Verb) -> String {
    match verb {
        Verb::Stage { slot, release, replicas } => {
            format!("stage {release} on {slot}, {}", count(u64::from(replicas.get()), "replica"))
        }
        Verb::Shift { weights } => format!("shift traffic: {weights}"),
        Verb::Promote { slot } => format!("promote {slot}: it is live from here on"),
        Verb::Retire { slot } => format!("retire {slot}"),
        Verb::Restore { snapshot } => format!(
            "restore {} on {}, {}, all traffic; other slots emptied",
            snapshot.release,
            snapshot.slot,
            count(u64::from(snapshot.replicas.get()), "replica")
        ),
        Verb::Pause | Verb::Resume => verb.name().to_string(),
    }
}

fn update(update: &RefUpdate) -> String {
    let kind = if update.name.is_tag() { "tag" } else { "branch" };
    let name = update.name.short();
    match (&update.old, &update.new) {
        (None, Some(new)) => format!("create {kind} {name} at {}", new.short()),
        (Some(old), Some(new)) => format!("move {kind} {name} from {} to {}", old.short(), new.short()),
        (Some(old), None) => format!("delete {kind} {name} if it is at {}", old.short()),
        (None, None) => format!("expect no {kind} {name}"),
    }
}

fn gate(gate: &Gate) -> String {
    match gate {
        Gate::Ready { slot, .. } => format!("GATE all of {slot} ready"),
        Gate::Soak { slot, lasting, .. } => format!("GATE {slot} ready and faultless for {lasting}"),
        Gate::Verify { canary, baseline: Some(baseline), weight, .. } => {
            format!("GATE verdict on {canary} at {weight} % against {baseline}")
        }
        Gate::Verify { canary, baseline: None, weight, .. } => {
            format!("GATE verdict on {canary} at {weight} %")
        }
        Gate::Approval { .. } => "GATE somebody agrees".to_owned(),
        Gate::Watch { slot, lasting, .. } => format!("GATE {slot} within all limits for {lasting}"),
    }
}

/// Returns the heading of a phase.
pub(super) const fn heading(phase: Phase) -> &'static str {
    match phase {
        Phase::Started => "Start",
        Phase::Preparing => "Prepare",
        Phase::Staging => "Staging",
        Phase::Production => "Production",
        Phase::RollingBack => "Roll back",
        Phase::Publishing => "Publish and clean up",
        Phase::Ended => "End",
    }
}
