//! An undo whose driver died in the middle of it, and whose run is taken over when all its time is gone.

use hotfix_core::execute::{Command, Event, Failure, Machine, Record, StepResult};
use hotfix_core::model::{Period, Stamp, WorkerName};
use hotfix_core::port::{Probe, Receipt, Seal, Sealed};

use super::refusals::{NOW, after_probe};

#[test]
fn it_is_tried_again_with_all_of_its_time() {
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

fn intent(commands: &[Command]) -> hotfix_core::execute::Intent {
    let [Command::Append(record)] = commands else { panic!("{commands:?}") };
    let Record::Intent(intent) = record.as_ref() else { panic!("{record:?}") };
    intent.clone()
}
