//! A refused attempt that waits for its next turn when the run is stopped: a late copy of it must be kept out.

use hotfix_core::execute::{
    Cause, Command, Event, Intent, Machine, Outcome, Planned, Record, Run, StepResult,
};
use hotfix_core::model::{Stamp, Timestamp};
use hotfix_core::port::{Probe, Receipt, Rejection, Reply, Seal, Sealed, Signal, SignalEntry};
use hotfix_testkit::explore::plan_of;

pub(super) const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// A machine whose first effect was refused for now, and which was then told to stop; the command that follows.
fn stopped_while_waiting() -> (Machine, Vec<Command>, Intent) {
    let (run, worker) = ("run".parse().unwrap(), "worker".parse::<hotfix_core::model::WorkerName>().unwrap());
    // The first step of this plan creates a branch; any effect would do.
    let planned = Planned { run, plan: plan_of(3), worker: worker.clone(), at: NOW };
    let mut machine = Machine::new(Run::begin(&planned, 1));
    let commands = machine.step(Event::Resumed { worker, epoch: 1 }, NOW);
    let [Command::Append(record)] = &commands[..] else { panic!("{commands:?}") };
    let Record::Intent(intent) = record.as_ref().clone() else { panic!("{record:?}") };
    let _ = machine.step(Event::Appended, NOW);
    let busy = Rejection::Busy { reason: "later".to_owned(), retry_after: None };
    let _ = machine.step(Event::Replied { stamp: intent.stamp, reply: Reply::Rejected(busy) }, NOW);
    let waiting = machine.step(Event::Appended, NOW);
    assert!(matches!(waiting[..], [Command::WakeAt(_)]), "{waiting:?}");
    let signal = Signal::Cancel { reason: "stop".to_owned() };
    let entry = SignalEntry { id: "1".to_owned(), signal, by: "ops".to_owned(), at: NOW };
    let _ = machine.step(Event::Signalled { index: 0, entry }, NOW);
    let commands = machine.step(Event::Appended, NOW);
    (machine, commands, intent)
}

/// Seals as asked, answers the probe, and returns the machine with the outcome it then commits.
pub(super) fn after_probe(probe: Probe) -> (Machine, StepResult) {
    let (mut machine, commands, intent) = stopped_while_waiting();
    let [Command::Seal { stamp, .. }] = commands[..] else { panic!("not sealed, but {commands:?}") };
    assert!(stamp > intent.stamp);
    let seal = Seal::Sealed(Sealed { previous: Stamp::ZERO });
    let _ = machine.step(Event::Sealed { stamp, seal }, NOW);
    let _ = machine.step(Event::Appended, NOW);
    let commands = machine.step(Event::Probed { step: intent.step, probe }, NOW);
    let [Command::Append(record)] = &commands[..] else { panic!("{commands:?}") };
    let Record::Outcome { result, .. } = record.as_ref() else { panic!("{record:?}") };
    (machine, result.clone())
}

#[test]
fn it_is_sealed_before_the_run_ends() {
    let (mut machine, result) = after_probe(Probe::NotApplied);
    assert!(matches!(result, StepResult::Failed { .. }), "{result:?}");
    let commands = machine.step(Event::Appended, NOW);
    let [Command::Append(record)] = &commands[..] else { panic!("{commands:?}") };
    let cause_is_the_signal = match record.as_ref() {
        Record::Terminal(Outcome::Cancelled { by, .. }) => by == "ops",
        Record::Terminal(Outcome::RolledBack { cause: Cause::Cancelled { by, .. }, .. }) => by == "ops",
        _ => false,
    };
    assert!(cause_is_the_signal, "{record:?}");
}

#[test]
fn a_copy_that_was_applied_meanwhile_is_taken_back() {
    let (mut machine, result) = after_probe(Probe::Applied(Receipt("late".to_owned())));
    assert!(matches!(result, StepResult::Applied { .. }), "{result:?}");
    let commands = machine.step(Event::Appended, NOW);
    let [Command::Append(record)] = &commands[..] else { panic!("{commands:?}") };
    let Record::Intent(intent) = record.as_ref() else { panic!("{record:?}") };
    assert!(machine.state().plan().undo(intent.step).is_some(), "{intent:?}");
}
