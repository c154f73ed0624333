//! Stage 9: what comes after a run that ended, if anything. Pure.
//!
//! A deploy that succeeded is followed by a watch, a watch that found something by a rollback. Each follow-up has the id
//! of the run it follows with a word behind it, so that it is begun once, whoever and however many begin it; and it is
//! told from the journal and the policy alone, so that nothing has to be remembered from one process to the next.

use crate::execute::{Course, Outcome, Run, StepState};
use crate::model::{Effect, Period, RunId, Target, Timestamp, Verb};
use crate::plan::{Action, Gate, Plan};
use crate::policy::{LateBreach, Policy};
use crate::request::{Goal, Request, RollbackTo};

/// A run that follows another.
#[derive(Debug, Clone, PartialEq)]
pub struct FollowUp {
    /// Its id.
    pub run: RunId,
    /// What is asked for.
    pub request: Request,
    /// After this moment it is not begun any more.
    pub until: Timestamp,
}

/// Returns what follows a run that ended at `ended_at`; `None`: nothing, or it is too late for it.
#[must_use]
pub fn follow_up(run: &Run, ended_at: Timestamp, policy: &Policy, now: Timestamp) -> Option<FollowUp> {
    let Course::Ended(outcome) = run.course() else { return None };
    let request = run.plan().request();
    let (word, goal, until) = match (&request.goal, outcome) {
        (Goal::Deploy { .. }, Outcome::Succeeded { release: Some(_) }) => {
            let until = ended_at + policy.after_success.lasting.to_delta();
            let left = u64::try_from((until - now).num_milliseconds()).ok()?;
            let lasting = Period::from_millis(left).min(policy.after_success.lasting);
            ("watch", Goal::Watch { target: made_live(run.plan())?, lasting }, until)
        }
        (Goal::Watch { target, .. }, Outcome::Escalated { cause, .. }) if found_something(run) => {
            let within = policy.after_success.answer_within;
            let goal = Goal::Rollback {
                target: target.clone(),
                to: RollbackTo::LastKnownGood,
                because: Some(cause.to_string()),
                ask: (policy.after_success.on_breach == LateBreach::Ask).then_some(within),
            };
            ("rollback", goal, ended_at + within.to_delta())
        }
        _ => return None,
    };
    let run = RunId::new(format!("{}-{word}", run.run())).ok()?;
    // Agreement to the deploy is none to anything else.
    let request = Request { goal, approvals: Vec::new(), break_glass: None, ..request.clone() };
    (now < until).then_some(FollowUp { run, request, until })
}

/// Returns the workload that the plan made live last: the one that everything before it led to.
fn made_live(plan: &Plan) -> Option<Target> {
    plan.steps().iter().rev().find_map(|step| match &step.action {
        Action::Effect(Effect::Workload { target, verb: Verb::Promote { .. }, .. }) => Some(target.clone()),
        Action::Effect(_) | Action::Gate(_) => None,
    })
}

/// Returns whether the first run follows the second.
#[must_use]
pub fn follows(later: &RunId, run: &RunId) -> bool {
    let word = later.as_str().strip_prefix(run.as_str());
    word.is_some_and(|word| ["-watch", "-rollback"].contains(&word))
}

fn found_something(run: &Run) -> bool {
    run.plan().steps().iter().zip(run.steps()).any(|(step, state)| {
        matches!((&step.action, state), (Action::Gate(Gate::Watch { .. }), StepState::Refused))
    })
}
