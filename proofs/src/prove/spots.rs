//! Where a run can be interrupted, as the journal of one that was not tells.

use hotfix_core::execute::Record;
use hotfix_core::model::VerdictOutcome;
use hotfix_core::plan::StepId;

use super::audit::Journal;
use super::kill::{Doing, Moment};
use super::repository::Patch;
use super::world::{Place, Spot, Successors};

/// Returns the effects that a run had: all of them for the good fix, those of the way back for the bad one.
pub(super) fn effects(journal: &Journal, patch: Patch) -> Vec<(StepId, String)> {
    let records = records(journal);
    let Some(Record::Planned(planned)) = records.first() else { return Vec::new() };
    let plan = &planned.plan;
    let steps = records.iter().filter_map(|record| match record {
        Record::Intent(intent) if intent.attempt == 1 => Some(intent.step),
        _ => None,
    });
    let wanted = |step: &StepId| patch == Patch::Good || plan.undo(*step).is_some();
    let named = |step: StepId| (step, plan.effect(step).map(ToString::to_string).unwrap_or_default());
    steps.filter(wanted).map(named).collect()
}

/// Every moment of an effect.
pub(super) fn of_effect(step: u16, what: &str, successors: Successors) -> Vec<Spot> {
    spots(&Moment::of_effect(step), what, successors)
}

/// Every moment of the verdicts that a run wrote: all of them for the good fix, the one that failed for the bad one.
/// Each is about the whole run, so who goes on makes no difference that one successor for each would not show.
pub(super) fn of_verdicts(journal: &Journal, patch: Patch) -> Vec<Spot> {
    let gates = records(journal).into_iter().filter_map(|record| match record {
        Record::Verdict { step, verdict }
            if patch == Patch::Good || verdict.outcome != VerdictOutcome::Pass =>
        {
            Some(step)
        }
        _ => None,
    });
    let spots_of = |gate: StepId| {
        spots(&Moment::of(Doing::Verdict(gate.0)), &format!("verdict of step {gate}"), Successors::InTurn)
    };
    gates.flat_map(spots_of).collect()
}

/// Every moment of what a run does once, whatever it deploys: it claims its targets, keeps its lease, and gives both back.
/// All but the last is the same when it goes back.
pub(super) fn of_run(patch: Patch) -> Vec<Spot> {
    let once: &[(Doing, &str)] = match patch {
        Patch::Good => &[(Doing::Opening, "claim"), (Doing::Renewal, "lease"), (Doing::End, "release")],
        Patch::Bad => &[(Doing::End, "release")],
    };
    once.iter().flat_map(|(doing, what)| spots(&Moment::of(*doing), what, Successors::All)).collect()
}

fn spots(moments: &[Moment], what: &str, successors: Successors) -> Vec<Spot> {
    let spot = |moment: &Moment| Spot { what: what.to_owned(), place: Place::Inside(*moment), successors };
    moments.iter().map(spot).collect()
}

fn records(journal: &Journal) -> Vec<Record> {
    journal.entries.iter().filter_map(|entry| Record::decode(&entry.text).ok()).collect()
}
