//! What a run does, in the terms of the world: read off its plan.

use std::collections::BTreeSet;

use hotfix_core::execute::Planned;
use hotfix_core::model::{ArtifactId, Effect, Fenced, ObjectId, RunId, Timestamp, Verb};
use hotfix_core::plan::{Action, Gate, OnFailure, Plan, StepId};

use super::sketch::{self, Place, Sketch, parsed};
use super::world::{BASELINE, TARGETS, Value};

/// The runs of a world and what their steps do to its targets.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub(super) targets: Vec<Fenced>,
    pub(super) runs: Vec<Script>,
}

/// One run.
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) planned: Planned,
    /// What it claims, by number.
    pub(super) claims: Vec<u8>,
    pub(super) steps: Vec<Line>,
    /// How many of the steps are forward steps.
    pub(super) forward: usize,
}

/// One forward or undo step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    /// Which target it changes or watches.
    pub(super) target: u8,
    pub(super) place: Place,
    pub(super) deed: Deed,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// Makes the target hold a value, if it holds an expected one before.
    Change {
        /// By bit.
        expected: u64,
        after: Value,
        /// The forward steps that it takes back, by bit; none for a forward step.
        covers: u32,
        on_failure: OnFailure,
    },
    /// Passes only if the target holds this value.
    Gate { value: Value, of: Part },
}

/// Of how much of the traffic a gate judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Share,
    All,
}

impl Scenario {
    pub(super) fn new(sketches: &[Sketch]) -> Self {
        let plans: Vec<Plan> = sketches.iter().map(Sketch::plan).collect();
        let claimed: BTreeSet<Fenced> = plans.iter().flat_map(Plan::claims).collect();
        let targets: Vec<Fenced> = claimed.into_iter().collect();
        assert!(targets.len() <= TARGETS, "a world has at most {TARGETS} targets");
        let runs = plans.into_iter().enumerate();
        let runs = runs.map(|(number, plan)| Script::new(number, plan, &targets)).collect();
        Self { targets, runs }
    }

    pub(super) fn line(&self, run: u8, step: u8) -> Line {
        self.runs[usize::from(run)].steps[usize::from(step)]
    }

    /// Returns the number of a target.
    pub(super) fn target(&self, fenced: &Fenced) -> u8 {
        number_of(&self.targets, fenced)
    }
}

impl Script {
    fn new(number: usize, plan: Plan, targets: &[Fenced]) -> Self {
        let ids = (0..).map(StepId).take(plan.steps().len() + plan.rollback().len());
        Self {
            claims: plan.claims().iter().map(|claim| number_of(targets, claim)).collect(),
            steps: ids.map(|id| Line::of(&plan, id, targets)).collect(),
            forward: plan.steps().len(),
            planned: Planned {
                run: parsed::<RunId>(&format!("run-{number}")),
                plan,
                worker: parsed("worker"),
                at: Timestamp::UNIX_EPOCH,
            },
        }
    }

    pub(super) fn is_forward(&self, step: u8) -> bool {
        usize::from(step) < self.forward
    }

    /// Returns the steps that change something, with what they do.
    pub(super) fn changes(&self) -> impl Iterator<Item = (u8, Line)> {
        let steps = (0..).zip(self.steps.iter().copied());
        steps.filter(|(_, line)| matches!(line.deed, Deed::Change { .. }))
    }
}

impl Line {
    fn of(plan: &Plan, id: StepId, targets: &[Fenced]) -> Self {
        let forward = plan.step(id);
        if let Some(Action::Gate(gate)) = forward.map(|step| &step.action) {
            return Self {
                target: number_of(targets, &Fenced::Workload(gate.target().clone())),
                place: Place::Workload,
                deed: Deed::Gate {
                    value: value_of(gate.artifact()),
                    of: if matches!(gate, Gate::Verify { weight: 100, .. }) {
                        Part::All
                    } else {
                        Part::Share
                    },
                },
            };
        }
        let effect = plan.effect(id).expect("a step that is no gate has an effect");
        let (place, expected, after) = meaning(effect);
        let covers = plan.undo(id).map_or(&[][..], |undo| &undo.covers);
        Self {
            target: number_of(targets, &effect.fenced()),
            place,
            deed: Deed::Change {
                expected,
                after,
                covers: covers.iter().fold(0, |all, step| all | 1 << step.0),
                on_failure: forward.map_or(OnFailure::Escalate, |step| step.on_failure),
            },
        }
    }

    pub(super) fn expects(&self, value: Value) -> bool {
        matches!(self.deed, Deed::Change { expected, .. } if expected >> value & 1 == 1)
    }
}

/// Returns what an effect expects and what it leaves.
fn meaning(effect: &Effect) -> (Place, u64, Value) {
    match effect {
        Effect::Workload { verb, precondition, .. } => {
            let expected = precondition.live.iter().map(value_of);
            let release = match verb {
                Verb::Stage { release, .. } => release,
                Verb::Restore { snapshot } => &snapshot.release,
                _ => unreachable!("explored plans stage and restore"),
            };
            let bits = expected.fold(0, |bits, value| bits | 1 << value);
            (Place::Workload, bits, value_of(&release.artifact.id()))
        }
        Effect::Source { batch, .. } => {
            let update = &batch.updates[0];
            let value =
                |id: &Option<ObjectId>| id.as_ref().map_or(BASELINE, |id| sketch::value_of(id.as_str()));
            (Place::Source, 1 << value(&update.old), value(&update.new))
        }
    }
}

fn value_of(artifact: &ArtifactId) -> Value {
    let tree = artifact.as_str().strip_prefix("tree:");
    sketch::value_of(tree.expect("explored plans deploy trees"))
}

fn number_of(targets: &[Fenced], fenced: &Fenced) -> u8 {
    let position = targets.iter().position(|target| target == fenced);
    position
        .and_then(|position| u8::try_from(position).ok())
        .expect("the targets of a scenario are those of its plans")
}
