//! When the alerts about production are silenced: while a run changes it, and for as long as that goes as planned.

use crate::execute::{Course, Run, StepState};
use crate::model::{Effect, IncidentId, Message, Part, Period, Phase, Target, Timestamp, Tone};
use crate::plan::{Action, Step};
use crate::port::{Posting, PostingKind, Silence, Silencing, ThreadKey};
use crate::request::Goal;

/// Returns what those who silence alerts are asked for, now that a record led a run from one state to another.
///
/// Alerts are silenced with the record before the first effect on production. They are heard again with the one that
/// ends its last step, that leads back or to a human, or that asks one to look. Rollbacks and watches silence nothing:
/// what they are about was not planned.
#[must_use]
pub fn silencing(before: Option<&Run>, after: &Run, at: Timestamp, incident: &IncidentId) -> Option<Posting> {
    let silence = |target: &Target| {
        let (run, until) = (after.run().clone(), at + longest(after).to_delta());
        Silence { run, target: target.clone(), until }
    };
    let (name, asked, text) = match (before.and_then(changed), changed(after)) {
        (None, Some(target)) => ("silence", Silencing::Begin(silence(target)), "Alerts are silenced for "),
        (Some(target), None) => ("lift", Silencing::End(silence(target)), "Alerts are heard again for "),
        _ => return None,
    };
    let (Silencing::Begin(silence) | Silencing::End(silence)) = &asked;
    let title = vec![Part::Ours(text.to_owned()), Part::Foreign(silence.target.to_string())];
    let (body, facts) = (Vec::new(), Vec::new());
    Some(Posting {
        dedup: format!("{}:{}:{name}", after.run(), after.entries().saturating_sub(1)),
        thread: ThreadKey { incident: incident.clone(), run: after.run().clone() },
        kind: PostingKind::Reply,
        message: Message { tone: Tone::Neutral, phase: after.phase(), title, body, facts },
        silencing: Some(asked),
        root: None,
    })
}

/// Returns the workload that the run is changing, if that is in production and goes as planned.
fn changed(run: &Run) -> Option<&Target> {
    let planned = matches!(run.plan().request().goal, Goal::Create { .. } | Goal::Deploy { .. });
    let held = |state: &StepState| matches!(state, StepState::Open { held: Some(_), .. });
    let troubled = run.quarantined().is_some() || run.steps().iter().any(held);
    if !planned || troubled || *run.course() != Course::Forward || run.phase() != Phase::Production {
        return None;
    }
    production(run).find_map(|step| match &step.action {
        Action::Effect(Effect::Workload { target, .. }) => Some(target),
        Action::Effect(_) | Action::Gate(_) => None,
    })
}

/// How long all that is done to production may take.
fn longest(run: &Run) -> Period {
    let deadlines = production(run).map(|step| step.deadline.as_millis());
    Period::from_millis(deadlines.fold(0, u64::saturating_add))
}

fn production(run: &Run) -> impl Iterator<Item = &Step> {
    run.plan().steps().iter().filter(|step| step.phase == Phase::Production)
}
