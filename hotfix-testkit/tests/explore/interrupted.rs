//! An undo that lost all of its time to something else: its driver died, or its target was away.

use hotfix_core::execute::{Command, Event, Failure, Machine, Record, StepResult};
use hotfix_core::model::{Period, Stamp, Timestamp, WorkerName};
use hotfix_core::port::{Probe, Receipt, Seal, Sealed};

use super::refusals::{NOW, after_probe};

#[test]
fn one_whose_driver_died_is_tried_again_with_all_of_its_time() {
    let (mut machine, _) = after_probe(Probe::Applied(Receipt("late".to_owned())));
    let lost = intent(&machine.step(Event::Appended, NOW));
    let _ = machine.step(Event::Appended, NOW);
    let a_day_later = NOW + Period::from_hours(24).to_delta();
    assert!(a_day_later > lost.deadline);

    let mut machine = Machine::new(machine.state().clone());
    let worker: WorkerName = "successor".parse().unwrap();
    let _ = machine.step(Event::Resumed { worker, epoch: 2 }, a_day_later);
    let commands = machine.step(Event::Appended, a_day_later);
    let [Command::Seal { stamp, .. }] = commands[..] else { panic!("not sealed, but {commands:?}") };
    let _ = machine
        .step(Event::Sealed { stamp, seal: Seal::Sealed(Sealed { previous: Stamp::ZERO }) }, a_day_later);
    let _ = machine.step(Event::Appended, a_day_later);
    let commands = machine.step(Event::Probed { step: lost.step, probe: Probe::NotApplied }, a_day_later);
    let [Command::Append(record)] = &commands[..] else { panic!("{commands:?}") };
    let Record::Outcome { result: StepResult::Retry { failure: Failure::Interrupted, not_before }, .. } =
        &**record
    else {
        panic!("{record:?}")
    };
    let _ = machine.step(Event::Appended, a_day_later);
    let again = intent(&machine.step(Event::Tick, *not_before));

    assert_eq!((again.step, &again.key, again.attempt), (lost.step, &lost.key, 2));
    assert_eq!(again.deadline - *not_before, lost.deadline - NOW);
}

#[test]
fn one_whose_target_went_away_again_after_the_seal_is_tried_again_as_well() {
    let (mut machine, _) = after_probe(Probe::Applied(Receipt("late".to_owned())));
    let lost = intent(&machine.step(Event::Appended, NOW));
    let _ = machine.step(Event::Appended, NOW);
    let late = lost.deadline;
    let commands = machine.step(Event::Tick, late);
    let [Command::Seal { stamp, .. }] = commands[..] else { panic!("not sealed, but {commands:?}") };
    let away = || "no answer".to_owned();
    let _ = machine.step(Event::Sealed { stamp, seal: Seal::Unreachable { cause: away() } }, late);
    let later = wake(&machine.step(Event::Appended, late));
    let commands = machine.step(Event::Tick, later);
    let [Command::Seal { stamp, .. }] = commands[..] else { panic!("not sealed, but {commands:?}") };
    let _ =
        machine.step(Event::Sealed { stamp, seal: Seal::Sealed(Sealed { previous: Stamp::ZERO }) }, later);
    let _ = machine.step(Event::Appended, later);
    let _ =
        machine.step(Event::Probed { step: lost.step, probe: Probe::Unreadable { cause: away() } }, later);
    let last = wake(&machine.step(Event::Appended, later));
    let commands = machine.step(Event::Tick, last);
    assert!(matches!(commands[..], [Command::Probe { .. }]), "{commands:?}");

    let commands = machine.step(Event::Probed { step: lost.step, probe: Probe::NotApplied }, last);
    let [Command::Append(record)] = &commands[..] else { panic!("{commands:?}") };
    assert!(matches!(&**record, Record::Outcome { result: StepResult::Retry { .. }, .. }), "{record:?}");
}

fn wake(commands: &[Command]) -> Timestamp {
    let [Command::WakeAt(at)] = commands else { panic!("{commands:?}") };
    *at
}

fn intent(commands: &[Command]) -> hotfix_core::execute::Intent {
    let [Command::Append(record)] = commands else { panic!("{commands:?}") };
    let Record::Intent(intent) = record.as_ref() else { panic!("{record:?}") };
    intent.clone()
}
