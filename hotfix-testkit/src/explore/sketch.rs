//! Plans in outline: which target is changed when, where a gate stands, and where it no longer leads back.
//!
//! A sketch becomes a complete plan of the production types. Everything in a world is a [`Value`]; a workload that
//! holds value 7 runs the artifact of tree 7, a repository that holds value 7 has its branch at commit 7.

use std::num::NonZeroU16;

use hotfix_core::model::{
    Artifact, ArtifactId, BranchName, Effect, EnvironmentName, IssueKey, ObjectId, Period, Phase,
    Precondition, RefBatch, RefName, RefUpdate, Release, ServiceName, Severity, SlotName, TagName, Target,
    Timestamp, Verb, Version, WorkloadSnapshot,
};
use hotfix_core::plan::{
    Action, Baseline, Budget, Execution, Gate, Judging, OnFailure, Plan, PlanDraft, Report, Step, StepId,
    Undo,
};
use hotfix_core::request::{Goal, Request, RollbackTo};

use super::world::{BASELINE, Value};

/// What a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Workload,
    Source,
}

/// One forward step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Gives the target a new value. A failure leads back.
    Change(usize),
    /// Waits until the target is proven to be well with the value it has by now.
    Gate(usize),
    /// Gives the target a new value on the way to the next gate, whatever part of that way it has come.
    Batch(usize),
    /// The same as a gate at a share of the traffic.
    Share(usize),
    /// Gives the target a new value. A failure is for a human.
    Publish(usize),
}

/// A plan in outline.
#[derive(Debug, Clone)]
pub(super) struct Sketch {
    /// The targets, by number.
    pub(super) places: Vec<Place>,
    pub(super) parts: Vec<Part>,
    /// How often an effect is tried.
    pub(super) attempts: u8,
    /// The value that the first step brings; each further one brings the next.
    pub(super) first: Value,
}

/// How long a step may take. Attempts may take as long, so that the time of an attempt makes no difference between
/// states.
pub(super) const STEP: Period = Period::from_hours(1);

struct Draft<'a> {
    sketch: &'a Sketch,
    steps: Vec<Step>,
    /// What each target holds after the steps so far.
    values: Vec<Value>,
    /// The steps that changed each target, with the value before; those that are taken back.
    changes: Vec<(usize, StepId, Value, Value)>,
}

impl Sketch {
    /// Returns the plan.
    pub(super) fn plan(&self) -> Plan {
        let mut draft = Draft {
            sketch: self,
            steps: Vec::new(),
            values: vec![BASELINE; self.places.len()],
            changes: Vec::new(),
        };
        for (value, part) in (self.first..).zip(&self.parts) {
            draft.add(*part, value);
        }
        let rollback = draft.rollback();
        let workloads = (0..self.places.len()).filter(|place| self.places[*place] == Place::Workload);
        let baselines =
            workloads.map(|place| Baseline { target: target(place), snapshot: snapshot(BASELINE) });
        Plan::assemble(PlanDraft {
            made_at: Timestamp::UNIX_EPOCH,
            request: request(),
            release: None,
            baselines: baselines.collect(),
            steps: draft.steps,
            rollback,
            report: Report::default(),
            budget: Budget { forward: STEP, rollback: STEP },
            judging: Judging::default(),
            execution: Execution { attempts: self.attempts, attempt_deadline: STEP, ..Execution::default() },
        })
        .expect("a sketch numbers its steps and covers its own effects")
    }
}

impl Draft<'_> {
    fn add(&mut self, part: Part, value: Value) {
        let id = step_id(self.steps.len());
        let (action, on_failure) = match part {
            Part::Gate(place) => (Action::Gate(gate(place, self.values[place], 100)), OnFailure::RollBack),
            Part::Share(place) => (Action::Gate(gate(place, self.values[place], 50)), OnFailure::RollBack),
            Part::Change(place) | Part::Batch(place) => {
                let before = std::mem::replace(&mut self.values[place], value);
                let earlier = self.changes.iter().filter(|change| change.0 == place);
                let expected = match part {
                    Part::Batch(_) => earlier.map(|change| change.3).chain([BASELINE]).collect(),
                    _ => vec![before],
                };
                self.changes.push((place, id, before, value));
                let effect = self.sketch.change(place, &expected, value);
                (Action::Effect(effect), OnFailure::RollBack)
            }
            Part::Publish(place) => {
                let before = std::mem::replace(&mut self.values[place], value);
                let effect = self.sketch.change(place, &[before], value);
                (Action::Effect(effect), OnFailure::Escalate)
            }
        };
        self.steps.push(Step { id, phase: Phase::Production, action, deadline: STEP, on_failure });
    }

    /// Takes everything back, the last change first: a workload as a whole, a reference change by change.
    fn rollback(&self) -> Vec<Undo> {
        let mut undos: Vec<(Vec<StepId>, Effect)> = Vec::new();
        let mut restored = vec![false; self.values.len()];
        for (place, step, before, after) in self.changes.iter().rev() {
            match self.sketch.places[*place] {
                Place::Source => {
                    let effect = self.sketch.change(*place, &[*after], *before);
                    undos.push((vec![*step], effect));
                }
                Place::Workload if restored[*place] => {}
                Place::Workload => {
                    restored[*place] = true;
                    let own = || self.changes.iter().filter(|change| change.0 == *place);
                    let covers = own().map(|change| change.1).collect();
                    undos.push((covers, restore(*place, own().map(|change| change.3))));
                }
            }
        }
        let numbered = undos.into_iter().zip(self.steps.len()..);
        numbered
            .map(|((covers, effect), id)| Undo { id: step_id(id), covers, effect, deadline: STEP })
            .collect()
    }
}

impl Sketch {
    fn change(&self, place: usize, before: &[Value], after: Value) -> Effect {
        match self.places[place] {
            Place::Workload => Effect::Workload {
                target: target(place),
                verb: Verb::Stage { slot: slot(), release: release(after), replicas: NonZeroU16::MIN },
                precondition: live(before.iter().copied()),
            },
            Place::Source => Effect::Source {
                service: service(place),
                batch: RefBatch {
                    updates: vec![RefUpdate {
                        name: RefName::branch(&parsed::<BranchName>("hotfix")),
                        old: commit(before[0]),
                        new: commit(after),
                    }],
                },
            },
        }
    }
}

fn restore(place: usize, own: impl Iterator<Item = Value>) -> Effect {
    Effect::Workload {
        target: target(place),
        verb: Verb::Restore { snapshot: snapshot(BASELINE) },
        precondition: live(own.chain([BASELINE])),
    }
}

fn live(values: impl Iterator<Item = Value>) -> Precondition {
    Precondition { live: values.map(artifact).collect(), holds: None }
}

fn gate(place: usize, value: Value, weight: u8) -> Gate {
    Gate::Verify {
        target: target(place),
        canary: slot(),
        artifact: artifact(value),
        baseline: None,
        weight,
        later: 0,
    }
}

fn snapshot(value: Value) -> WorkloadSnapshot {
    WorkloadSnapshot {
        slot: slot(),
        release: release(value),
        replicas: NonZeroU16::MIN,
        backend: Default::default(),
    }
}

fn release(value: Value) -> Release {
    Release {
        version: Version::new(1, 0, u64::from(value)),
        tag: parsed::<TagName>(&format!("v1.0.{value}")),
        artifact: Artifact::Tree(object(value)),
    }
}

fn artifact(value: Value) -> ArtifactId {
    release(value).artifact.id()
}

/// A branch that does not exist is the baseline of a repository.
fn commit(value: Value) -> Option<ObjectId> {
    (value != BASELINE).then(|| object(value))
}

fn object(value: Value) -> ObjectId {
    parsed(&format!("{value:040x}"))
}

/// Returns the value that an object id stands for.
pub(super) fn value_of(object: &str) -> Value {
    Value::from_str_radix(object, 16).expect("explored plans name objects by value")
}

fn target(place: usize) -> Target {
    Target::new(parsed::<EnvironmentName>(&format!("place-{place}")), service(place))
}

fn service(place: usize) -> ServiceName {
    parsed(&format!("service-{place}"))
}

fn slot() -> SlotName {
    parsed("live")
}

fn request() -> Request {
    let goal = Goal::rollback(target(0), RollbackTo::LastKnownGood);
    Request::new(parsed::<IssueKey>("EXPLORE-1"), "explored", Severity::P0, service(0), "explorer", goal)
}

fn step_id(position: usize) -> StepId {
    StepId(u16::try_from(position).expect("explored plans are short"))
}

/// Parses a literal of this module.
pub(super) fn parsed<T>(text: &str) -> T
where
    T: std::str::FromStr,
    T::Err: std::fmt::Debug,
{
    text.parse().expect("the literals of the explorer are valid names")
}
