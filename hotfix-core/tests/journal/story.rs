//! Whole runs with scripted answers: the production machine against a page of a script.

use std::collections::VecDeque;

use hotfix_core::execute::{Command, Event, Machine, Planned, Record, Run};
use hotfix_core::model::{Counts, RunId, Sample, Timestamp, Verdict, VerdictOutcome, WorkerName};
use hotfix_core::plan::{Action, Gate, Plan};
use hotfix_core::port::{Ambiguity, Probe, Receipt, Rejection, Reply, Seal, Sealed, Signal, SignalEntry};

/// Records with the epoch of their writer.
pub(super) type Journal = Vec<(u64, Record)>;

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_timestamp(1_772_334_000 + seconds, 0).unwrap()
}

/// What the world answers to a command; nothing, to be asked again.
type Script = fn(&Command, &Plan, usize) -> Vec<Event>;

/// Every story by name.
pub(super) fn stories() -> Vec<(&'static str, Journal)> {
    vec![
        ("succeeded", play(1, good)),
        ("rolled-back", play(1, harmful)),
        ("cancelled", play(1, cancelled)),
        ("taken-over", play(2, good)),
        ("quarantined", play(1, unreachable)),
        ("hastened", play_plan(canary(), 1, hastened)),
    ]
}

fn plan() -> Plan {
    serde_json::from_str(include_str!("v1/plan.json")).unwrap()
}

fn canary() -> Plan {
    serde_json::from_str(include_str!("v1/canary-plan.json")).unwrap()
}

fn worker(number: u64) -> WorkerName {
    WorkerName::new(format!("worker-{number}")).unwrap()
}

/// Plays a story to its end. With two epochs the first worker dies with its first effect under way. Time only passes
/// when nothing else happens.
fn play(epochs: u64, script: Script) -> Journal {
    play_plan(plan(), epochs, script)
}

fn play_plan(plan: Plan, epochs: u64, script: Script) -> Journal {
    let planned =
        Planned { run: RunId::new("run-1").unwrap(), plan: plan.clone(), worker: worker(1), at: at(0) };
    let mut journal = vec![(1, Record::Planned(Box::new(planned)))];
    for epoch in 1..=epochs {
        let run = Run::fold(journal.iter().map(|(epoch, record)| (*epoch, record))).unwrap();
        let (mut machine, mut now, mut asked) = (Machine::new(run), at(0), 0);
        let mut events = VecDeque::from([Event::Resumed { worker: worker(epoch), epoch }]);
        let mut wake = None;
        while let Some(event) = events.pop_front().or_else(|| wake.take().map(|at| passes(&mut now, at))) {
            for command in machine.step(event, now) {
                match command {
                    Command::Append(record) => {
                        journal.push((epoch, *record));
                        events.push_back(Event::Appended);
                    }
                    Command::WakeAt(at) => wake = Some(at),
                    Command::Perform { .. } if epoch < epochs => (events, wake) = (VecDeque::new(), None),
                    Command::Stop(_) => wake = None,
                    command => {
                        asked += 1;
                        events.extend(script(&command, &plan, asked));
                    }
                }
            }
            assert!(journal.len() < 200, "the story does not end");
        }
    }
    journal
}

fn passes(now: &mut Timestamp, until: Timestamp) -> Event {
    *now = until.max(*now);
    Event::Tick
}

fn applied() -> Receipt {
    Receipt("done".to_owned())
}

/// Everything works at once.
fn good(command: &Command, _: &Plan, _: usize) -> Vec<Event> {
    match command {
        Command::Perform { stamp, .. } => {
            vec![Event::Replied { stamp: *stamp, reply: Reply::Applied(applied()) }]
        }
        Command::Seal { stamp, .. } => {
            let sealed = Sealed { previous: hotfix_core::model::Stamp::ZERO };
            vec![Event::Sealed { stamp: *stamp, seal: Seal::Sealed(sealed) }]
        }
        Command::Probe { step, .. } => vec![Event::Probed { step: *step, probe: Probe::NotApplied }],
        Command::Watch { step } => {
            vec![Event::Decided {
                step: *step,
                verdict: Verdict::without_samples(VerdictOutcome::Pass, Vec::new()),
            }]
        }
        Command::WakeAt(_) | Command::Append(_) | Command::Stop(_) => Vec::new(),
    }
}

/// No traffic at first; then a look that shows harm.
fn harmful(command: &Command, plan: &Plan, asked: usize) -> Vec<Event> {
    let Command::Watch { step } = command else { return good(command, plan, asked) };
    let step = *step;
    let judged = matches!(plan.step(step).map(|step| &step.action), Some(Action::Gate(Gate::Verify { .. })));
    let looks = asked - FIRST_LOOK.min(asked);
    let sample = Sample::counted(at(60), Counts::new(100, 90).unwrap(), Counts::NONE);
    match (judged, looks) {
        (false, _) => good(command, plan, asked),
        (true, 0) => vec![Event::Stuck { step, reason: "no canary traffic".to_owned() }],
        (true, 1) => vec![Event::Sampled { step, sample }],
        (true, _) => {
            vec![Event::Decided { step, verdict: Verdict::without_samples(VerdictOutcome::Fail, Vec::new()) }]
        }
    }
}

/// Which question of a direct deploy is the first look at the traffic.
const FIRST_LOOK: usize = 11;

/// Somebody stops the run while its first effect is refused for the moment.
fn cancelled(command: &Command, plan: &Plan, asked: usize) -> Vec<Event> {
    match command {
        Command::Perform { stamp, .. } if asked == 1 => {
            let busy = Rejection::Busy { reason: "one at a time".to_owned(), retry_after: None };
            let signal = Signal::Cancel { reason: "wrong fix".to_owned() };
            let entry = SignalEntry { id: "signal-1".to_owned(), signal, by: "ada".to_owned(), at: at(1) };
            vec![
                Event::Signalled { index: 0, entry },
                Event::Replied { stamp: *stamp, reply: Reply::Rejected(busy) },
            ]
        }
        _ => good(command, plan, asked),
    }
}

/// Somebody asks for all of the traffic at once while the first share is judged.
fn hastened(command: &Command, plan: &Plan, asked: usize) -> Vec<Event> {
    let Command::Watch { step } = command else { return good(command, plan, asked) };
    let gate = plan.step(*step).map(|step| &step.action);
    if !matches!(gate, Some(Action::Gate(Gate::Verify { weight: 10, .. }))) {
        return good(command, plan, asked);
    }
    let signal = Signal::Hasten { reason: "nobody can pay".to_owned() };
    let entry = SignalEntry { id: "signal-1".to_owned(), signal, by: "ada".to_owned(), at: at(1) };
    vec![Event::Signalled { index: 0, entry }]
}

/// The first effect gets no answer, and its target cannot be reached until its step is overdue.
fn unreachable(command: &Command, plan: &Plan, asked: usize) -> Vec<Event> {
    match command {
        Command::Perform { stamp, .. } if asked == 1 => {
            vec![Event::Replied { stamp: *stamp, reply: Reply::Ambiguous(Ambiguity::Timeout) }]
        }
        Command::Seal { stamp, .. } if asked < 12 => {
            let cause = "connection refused".to_owned();
            vec![Event::Sealed { stamp: *stamp, seal: Seal::Unreachable { cause } }]
        }
        _ => good(command, plan, asked),
    }
}
