//! From a committed record to a timeline entry and a message.

use crate::execute::{Cause, Outcome, Planned, Record, Run, StepResult, StepState};
use crate::model::{
    Fact, IncidentStatus, Message, Part, Phase, TimelineEvent, TimelineKind, Timestamp, Tone, VerdictOutcome,
};
use crate::plan::{Plan, StepId};
use crate::request::Goal;

use super::Progress;

/// What one record is worth telling.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Narration {
    /// For the incident's timeline.
    pub timeline: Option<TimelineEvent>,
    /// For the people who follow.
    pub message: Option<Message>,
}

/// Tells what a committed record means. `run` is the state it led to.
#[must_use]
pub fn narrate(record: &Record, run: &Run, at: Timestamp) -> Narration {
    let Some((kind, status)) = weight(record, run) else {
        return Narration::default();
    };
    let text = Progress::of(run.entries().saturating_sub(1), at, record, run).kind.to_string();
    let timeline = Some(TimelineEvent { at, run: run.run().clone(), kind, text, status });
    Narration { timeline, message: message(record, run) }
}

/// Decides whether a record belongs on the timeline, and how it moves the incident.
fn weight(record: &Record, run: &Run) -> Option<(TimelineKind, Option<IncidentStatus>)> {
    Some(match record {
        Record::Planned(_) => {
            (TimelineKind::Started, changes_something(run.plan()).then_some(IncidentStatus::Mitigating))
        }
        Record::Takeover { .. } => (TimelineKind::Takeover, None),
        Record::Intent(_) | Record::Opened { .. } | Record::Sealed { .. } | Record::Sampled { .. } => {
            return None;
        }
        Record::Outcome { .. } => (TimelineKind::Progress, None),
        Record::Verdict { .. } => (TimelineKind::Verdict, None),
        Record::Signal { .. } => (TimelineKind::Signal, None),
        Record::Held { .. } | Record::Quarantined { .. } => (TimelineKind::Attention, None),
        Record::Terminal(outcome) => (TimelineKind::Ended, status_after(outcome, run.plan())),
    })
}

fn status_after(outcome: &Outcome, plan: &Plan) -> Option<IncidentStatus> {
    match outcome {
        Outcome::Succeeded { .. } if plan.release().is_some() => Some(IncidentStatus::Mitigated),
        // What is live stays as it is, unless the watch found something.
        Outcome::Succeeded { .. } | Outcome::Cancelled { .. } if !changes_something(plan) => None,
        _ => Some(IncidentStatus::Declared),
    }
}

fn message(record: &Record, run: &Run) -> Option<Message> {
    match record {
        Record::Planned(planned) => Some(opening(planned)),
        Record::Takeover { worker, .. } => Some(plain(
            Tone::Warning,
            run.phase(),
            vec![Part::Ours("Taken over by ".into()), Part::Foreign(worker.to_string())],
        )),
        Record::Outcome { step, result, .. } => progress(run, *step, result),
        Record::Verdict { step, verdict } => {
            let tone = if verdict.outcome == VerdictOutcome::Pass { Tone::Good } else { Tone::Bad };
            let gate = run.plan().step(*step).map(|step| step.action.to_string()).unwrap_or_default();
            let mut message = plain(tone, run.phase(), vec![Part::Foreign(gate)]);
            message.body = vec![Part::Foreign(verdict.to_string())];
            Some(message)
        }
        Record::Signal { entry, .. } => Some(plain(
            Tone::Warning,
            run.phase(),
            vec![
                Part::Foreign(entry.by.clone()),
                Part::Ours(" says: ".into()),
                Part::Foreign(entry.signal.to_string()),
            ],
        )),
        Record::Held { reason, .. } => Some(attention(run, reason)),
        Record::Quarantined { target, cause, .. } => {
            Some(attention(run, &format!("{target} cannot be reached, the run keeps trying: {cause}")))
        }
        Record::Terminal(outcome) => Some(ending(outcome, run)),
        Record::Intent(_) | Record::Opened { .. } | Record::Sealed { .. } | Record::Sampled { .. } => None,
    }
}

fn opening(planned: &Planned) -> Message {
    let plan = &planned.plan;
    let request = plan.request();
    let what = match &request.goal {
        Goal::Create { .. } | Goal::Deploy { .. } => "Hotfix",
        Goal::Rollback { ask: None, .. } => "Rollback",
        Goal::Rollback { ask: Some(_), .. } => "Rollback waits for approval",
        Goal::Watch { .. } => "Watch",
    };
    let title = vec![
        Part::Ours(format!("[{}] {what} ", request.severity)),
        Part::Foreign(request.issue.to_string()),
        Part::Ours(": ".into()),
        Part::Foreign(request.title.clone()),
    ];
    let mut facts = vec![
        fact("Service", &request.service),
        fact("Requested by", &request.requested_by),
        fact("Steps", &plan.steps().len()),
    ];
    facts.extend(plan.release().map(|release| fact("Release", release)));
    match &request.goal {
        Goal::Watch { target, lasting } => facts.push(fact("Watched", &format!("{target} for {lasting}"))),
        Goal::Rollback { because, ask, .. } => {
            facts.extend(because.iter().map(|because| fact("Because", because)));
            facts.extend(
                ask.iter().map(|within| fact("Approve", &format!("run {} within {within}", planned.run))),
            );
        }
        Goal::Create { .. } | Goal::Deploy { .. } => {}
    }
    if changes_something(plan) {
        let goes_back = plan.baselines().iter();
        facts.extend(
            goes_back.map(|base| fact(&format!("Rollback of {}", base.target), &base.snapshot.release)),
        );
    }
    Message { tone: Tone::Warning, phase: Phase::Started, title, body: Vec::new(), facts }
}

fn progress(run: &Run, step: StepId, result: &StepResult) -> Option<Message> {
    let what = run.plan().effect(step)?.to_string();
    let (tone, end) = match result {
        StepResult::Applied { .. } => (Tone::Neutral, None),
        StepResult::Retry { .. } => return None,
        StepResult::Failed { failure } => (Tone::Bad, Some(failure.to_string())),
        StepResult::Drifted { found } => (Tone::Bad, Some(format!("found {found}"))),
    };
    let mut message = plain(tone, phase_of_step(run, step), vec![Part::Foreign(what)]);
    message.body = end.map(Part::Foreign).into_iter().collect();
    Some(message)
}

fn ending(outcome: &Outcome, run: &Run) -> Message {
    let (tone, title, cause) = match outcome {
        Outcome::Succeeded { release: Some(release) } => (
            Tone::Good,
            vec![
                Part::Foreign(format!("{} ({release})", release.version)),
                Part::Ours(" is live and proven".into()),
            ],
            None,
        ),
        Outcome::Succeeded { release: None } if !changes_something(run.plan()) => {
            (Tone::Neutral, vec![Part::Ours("The watch is over".into())], None)
        }
        Outcome::Succeeded { release: None } => (Tone::Good, vec![Part::Ours("Done".into())], None),
        Outcome::RolledBack { cause, .. } => {
            (Tone::Bad, vec![Part::Ours("Rolled back".into())], Some(cause.clone()))
        }
        Outcome::Cancelled { by, reason, .. } => {
            let cause = Cause::Cancelled { by: by.clone(), reason: reason.clone() };
            (Tone::Warning, vec![Part::Ours("Cancelled before anything was deployed".into())], Some(cause))
        }
        Outcome::Escalated { cause, .. } if !changes_something(run.plan()) => {
            (Tone::Bad, vec![Part::Ours("It turned bad after it was proven".into())], Some(cause.clone()))
        }
        Outcome::Escalated { cause, .. } => {
            (Tone::Bad, vec![Part::Ours("A human must take over now".into())], Some(cause.clone()))
        }
    };
    let mut body: Vec<_> = cause.map(|cause| Part::Foreign(cause.to_string())).into_iter().collect();
    if let (Outcome::Escalated { .. }, Goal::Watch { target, .. }) = (outcome, &run.plan().request().goal) {
        body.push(Part::Ours(format!("\nA rollback of {target} to the last known good release comes next.")));
    } else if matches!(outcome, Outcome::Escalated { .. }) {
        body.push(Part::Ours("\nWhat runs now is left alone. To be done by hand: ".into()));
        body.push(Part::Foreign(left_to_do(run).join("; ")));
    }
    let plan = run.plan();
    let facts = vec![fact("Issue", &plan.request().issue), fact("Service", &plan.request().service)];
    Message { tone, phase: Phase::Ended, title, body, facts }
}

/// A watch changes nothing.
fn changes_something(plan: &Plan) -> bool {
    !matches!(plan.request().goal, Goal::Watch { .. })
}

/// Returns what a human has to finish: the rest of the way forward once there is no way back, else the way back.
fn left_to_do(run: &Run) -> Vec<String> {
    let applied =
        |step: StepId| matches!(run.steps().get(usize::from(step.0)), Some(StepState::Applied { .. }));
    let plan = run.plan();
    if run.is_past_return() {
        let behind = |step: StepId| run.steps().get(usize::from(step.0)).is_some_and(StepState::is_behind);
        let left = plan.steps().iter().filter(|step| !behind(step.id));
        return left.filter_map(|step| Some(plan.effect(step.id)?.to_string())).collect();
    }
    let left = plan.rollback().iter().filter(|undo| !applied(undo.id) && run.is_due(undo));
    left.map(|undo| undo.effect.to_string()).collect()
}

fn attention(run: &Run, why: &str) -> Message {
    let mut message = plain(Tone::Bad, run.phase(), vec![Part::Ours("A human should look".into())]);
    message.body = vec![Part::Foreign(why.to_owned())];
    message
}

const fn plain(tone: Tone, phase: Phase, title: Vec<Part>) -> Message {
    Message { tone, phase, title, body: Vec::new(), facts: Vec::new() }
}

fn fact(label: &str, value: &impl ToString) -> Fact {
    Fact { label: label.to_owned(), value: value.to_string() }
}

fn phase_of_step(run: &Run, step: StepId) -> Phase {
    run.plan().step(step).map_or(Phase::RollingBack, |step| step.phase)
}
