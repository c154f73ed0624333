//! The invariants as an onlooker checks them, who sees the targets themselves and every journal entry.

use super::entry::{Because, End, Entry, LastApplied};
use super::invariant::{Breaches, Invariant};
use super::scenario::{Deed, Line, Part, Scenario, Script};
use super::sketch::Place;
use super::world::{BASELINE, Ending, FOREIGN, Kind, Ledger, Phase, Request, World};

/// Checks a mutation that a target is about to apply.
pub(super) fn application(scenario: &Scenario, world: &World, request: Request, step: u8) -> Breaches {
    let mut breaches = Breaches::default();
    let script = &scenario.runs[usize::from(request.run)];
    let ledger = &world.runs[usize::from(request.run)];
    let line = script.steps[usize::from(step)];
    let target = &world.targets[usize::from(line.target)];
    let has_ended = matches!(ledger.phase, Phase::Ended(_));
    let forward = script.is_forward(step);
    let again = has(ledger.applied, step) && (forward || target.value != after(line));
    breaches.expect(Invariant::SingleApplication, !again);
    breaches.expect(Invariant::WriteAhead, matches!(request.kind, Kind::Apply(_)));
    breaches.expect(Invariant::FenceOrder, request.mark > target.fence);
    breaches.expect(Invariant::ExclusiveTarget, target.owner == request.run + 1);
    breaches.expect(Invariant::FinalMeansFinal, !has_ended);
    breaches.expect(Invariant::FailureIsResolved, !(forward && ledger.failed));
    breaches.expect(Invariant::DriftRespected, target.value != FOREIGN);
    if !forward {
        let goes_home = line.place == Place::Source || after(line) == BASELINE;
        breaches.expect(Invariant::BaselineImmutability, goes_home);
        breaches.expect(Invariant::ReverseOrder, is_next_undo(script, ledger, step));
    }
    breaches
}

/// Whether the undo step takes back something that was applied or may have been in part, and whatever was applied and is
/// taken back before it is back or was given up.
fn is_next_undo(script: &Script, ledger: &Ledger, step: u8) -> bool {
    let due = |line: &Line| covers(*line) & ledger.applied != 0;
    let begun = |line: &Line| covers(*line) & ledger.begun != 0;
    let earlier = script.forward..usize::from(step);
    let done = earlier
        .clone()
        .zip(&script.steps[earlier])
        .all(|(number, line)| !due(line) || ledger.applied >> number & 1 == 1 || line.place == Place::Source);
    let line = &script.steps[usize::from(step)];
    done && (due(line) || begun(line))
}

/// Checks an entry that the store is about to journal, apart from who writes it.
pub(super) fn entry(scenario: &Scenario, world: &World, run: u8, entry: Entry) -> Breaches {
    let mut breaches = Breaches::default();
    let script = &scenario.runs[usize::from(run)];
    let ledger = &world.runs[usize::from(run)];
    match entry {
        Entry::Intent { step, .. } => {
            let forward = script.is_forward(step);
            breaches.expect(Invariant::FailureIsResolved, !(forward && ledger.failed));
            breaches.expect(Invariant::DriftRespected, !ledger.drifted);
        }
        Entry::NotApplied { step, mark, because: Because::Refused | Because::Unknown } => {
            let target = scenario.line(run, step).target;
            let stands = world.targets[usize::from(target)].fence >= ledger.sealed;
            breaches.expect(Invariant::SoundNegative, ledger.sealed > mark && stands);
        }
        Entry::Passed { gate } | Entry::Refused { gate } => {
            breaches.expect(Invariant::NoSuccessWithoutPass, !has(ledger.passed, gate) && !ledger.failed);
        }
        Entry::Terminal(end) => terminal(script, world, (run, ledger), end, &mut breaches),
        _ => {}
    }
    breaches
}

fn terminal(script: &Script, world: &World, (run, ledger): (u8, &Ledger), end: End, breaches: &mut Breaches) {
    let bad_turn = |allowed: bool, happened: bool| allowed || !happened;
    let escalated = end.ending == Ending::Escalated;
    let back = escalated || end.ending == Ending::RolledBack;
    breaches.expect(Invariant::FailureIsResolved, bad_turn(back, ledger.failed));
    breaches.expect(Invariant::DriftRespected, bad_turn(escalated, ledger.drifted));
    let truth = match end.ending {
        Ending::Succeeded | Ending::RolledBack | Ending::Cancelled if is_half_done(script, world, run) => {
            false
        }
        Ending::Succeeded => {
            // Somebody who hastens leaves out looks at a share, never one at all of the traffic.
            let needed = |line: &Line| match line.deed {
                Deed::Gate { of, .. } => of == Part::All || !ledger.hastened,
                Deed::Change { .. } => false,
            };
            let gates = (0..).zip(&script.steps).filter(|(_, line)| needed(line));
            let passed = gates.map(|(gate, _)| gate).all(|gate| has(ledger.passed, gate));
            breaches.expect(Invariant::NoSuccessWithoutPass, passed);
            holds_fix(script, world, ledger)
        }
        Ending::RolledBack => {
            is_taken_back(script, ledger, end.left) && holds_baseline(script, world, ledger)
        }
        Ending::Cancelled => is_taken_back(script, ledger, end.left) && !touched_workload(script, ledger),
        Ending::Escalated => true,
    };
    breaches.expect(Invariant::KnownTruth, !escalated || is_known(script, ledger, end));
    breaches.expect(Invariant::TerminalTruth, truth);
}

fn holds_fix(script: &Script, world: &World, ledger: &Ledger) -> bool {
    let changes = || script.changes().filter(|(step, _)| script.is_forward(*step));
    let is_last =
        |step: u8, line: Line| !changes().any(|(other, its)| other > step && its.target == line.target);
    changes().all(|(step, line)| {
        let shown = world.targets[usize::from(line.target)].value;
        let as_planned = shown == after(line) || shown == FOREIGN || !is_last(step, line);
        // What only led to a share may be left out; the last change of a target never is.
        let may_be_left_out = ledger.hastened && !is_last(step, line);
        (has(ledger.applied, step) || may_be_left_out) && as_planned
    })
}

fn is_taken_back(script: &Script, ledger: &Ledger, left: u32) -> bool {
    let forward = script.changes().filter(|(step, _)| script.is_forward(*step));
    let mut applied = forward.filter(|(step, _)| has(ledger.applied, *step));
    applied.all(|(step, line)| {
        script.changes().any(|(undo, its)| {
            let excused = line.place == Place::Source && has(left, undo);
            covers(its) >> step & 1 == 1 && (has(ledger.applied, undo) || excused)
        })
    })
}

fn holds_baseline(script: &Script, world: &World, ledger: &Ledger) -> bool {
    let changed = script.changes().filter(|(step, _)| has(ledger.applied, *step));
    let mut workloads = changed.filter(|(_, line)| line.place == Place::Workload);
    workloads.all(|(_, line)| matches!(world.targets[usize::from(line.target)].value, BASELINE | FOREIGN))
}

/// Whether one of its targets holds a part of a change that the run made.
fn is_half_done(script: &Script, world: &World, run: u8) -> bool {
    script.claims.iter().any(|target| world.targets[usize::from(*target)].half == run + 1)
}

fn touched_workload(script: &Script, ledger: &Ledger) -> bool {
    let mut workloads = script.changes().filter(|(_, line)| line.place == Place::Workload);
    workloads.any(|(step, _)| has(ledger.applied, step))
}

fn is_known(script: &Script, ledger: &Ledger, end: End) -> bool {
    script.claims.iter().all(|target| {
        let at = script.changes().filter(|(step, line)| line.target == *target && has(ledger.applied, *step));
        let last = at.map(|(step, _)| LastApplied::Step(step)).last();
        end.known[usize::from(*target)] == last.unwrap_or(LastApplied::Nothing)
    })
}

const fn after(line: Line) -> u8 {
    match line.deed {
        Deed::Change { after, .. } => after,
        Deed::Gate { value, .. } => value,
    }
}

const fn covers(line: Line) -> u32 {
    match line.deed {
        Deed::Change { covers, .. } => covers,
        Deed::Gate { .. } => 0,
    }
}

const fn has(bits: u32, step: u8) -> bool {
    bits >> step & 1 == 1
}
