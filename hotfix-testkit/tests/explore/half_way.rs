//! A first effect on a workload that was begun and not applied: it is taken back, unless it was surely refused.

use std::collections::VecDeque;

use hotfix_core::execute::{Cause, Command, Event, Failure, Machine, Outcome, Planned, Record, Run};
use hotfix_core::model::{Effect, Period, Stamp, Timestamp, WorkerName};
use hotfix_core::plan::{Action, Plan, StepId};
use hotfix_core::port::{
    Ambiguity, Conflict, Probe, Receipt, Rejection, Reply, Seal, Sealed, Signal, SignalEntry,
};
use hotfix_testkit::explore::plan_of;

use super::refusals::NOW;

/// A plan that begins with a workload, and the undo of that step.
fn plan() -> (Plan, StepId) {
    let begins_with_workload = |plan: &Plan| {
        matches!(&plan.steps()[0].action, Action::Effect(Effect::Workload { .. }))
            && plan.execution().attempts == 2
    };
    let plan = (0..).map(plan_of).find(begins_with_workload).unwrap();
    let undo = plan.rollback().iter().find(|undo| undo.covers.contains(&StepId(0))).unwrap().id;
    (plan, undo)
}

fn machine(plan: Plan) -> Machine {
    let planned = Planned { run: "run".parse().unwrap(), plan, worker: worker("first"), at: NOW };
    Machine::new(Run::begin(&planned, 1))
}

fn worker(name: &str) -> WorkerName {
    name.parse().unwrap()
}

fn cancel() -> Event {
    let signal = Signal::Cancel { reason: "stop".to_owned() };
    let entry = SignalEntry { id: "1".to_owned(), signal, by: "ops".to_owned(), at: NOW };
    Event::Signalled { index: 0, entry }
}

fn unclear() -> Reply {
    let answer = "half done, then refused: not by policy".to_owned();
    Reply::Ambiguous(Ambiguity::Unclear { answer })
}

fn refused() -> Reply {
    Reply::Rejected(Rejection::Permanent { reason: "not by policy".to_owned() })
}

fn busy(retry_after: Option<Period>) -> Reply {
    Reply::Rejected(Rejection::Busy { reason: "busy".to_owned(), retry_after })
}

fn fenced(stamp: Stamp) -> Reply {
    Reply::Conflict(Conflict::Fenced { current: stamp })
}

fn drifted() -> Reply {
    Reply::Conflict(Conflict::Drifted { expected: "one".to_owned(), found: "other".to_owned() })
}

/// What was sent, when, and how the run ended.
struct Played {
    sent: Vec<(StepId, Timestamp)>,
    outcome: Outcome,
}

impl Played {
    fn steps(&self) -> Vec<StepId> {
        self.sent.iter().map(|(step, _)| *step).collect()
    }
}

/// Plays a run to its end. `replies` answers what is sent; targets can be sealed, and nothing is found there.
fn play(
    mut machine: Machine,
    first: Event,
    mut replies: impl FnMut(StepId, Stamp, usize) -> Vec<Event>,
) -> Played {
    let (mut now, mut wake, mut sent) = (NOW, None, Vec::new());
    let mut events = VecDeque::from([first]);
    loop {
        let event = events.pop_front().unwrap_or_else(|| {
            now = wake.take().expect("it waits for something");
            Event::Tick
        });
        for command in machine.step(event, now) {
            match command {
                Command::Append(record) => {
                    if let Record::Terminal(outcome) = *record {
                        return Played { sent, outcome };
                    }
                    events.push_back(Event::Appended);
                }
                Command::WakeAt(at) => wake = Some(at),
                Command::Perform { step, stamp, .. } => {
                    events.extend(replies(step, stamp, sent.len()));
                    sent.push((step, now));
                }
                Command::Seal { stamp, .. } => {
                    let seal = Seal::Sealed(Sealed { previous: Stamp::ZERO });
                    events.push_back(Event::Sealed { stamp, seal });
                }
                Command::Probe { step, .. } => {
                    events.push_back(Event::Probed { step, probe: Probe::NotApplied });
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

fn resumed() -> Event {
    Event::Resumed { worker: worker("first"), epoch: 1 }
}

/// Gives these replies to the attempts at the first step, and applies the undo.
fn with_replies(replies: &[fn(Stamp) -> Reply]) -> (Played, StepId) {
    let (plan, undo) = plan();
    let played = play(machine(plan), resumed(), |step, stamp, number| {
        let reply = if step == undo {
            Reply::Applied(Receipt("restored".to_owned()))
        } else {
            replies[number](stamp)
        };
        vec![Event::Replied { stamp, reply }]
    });
    (played, undo)
}

const FIRST: StepId = StepId(0);

#[test]
fn what_may_have_been_done_in_part_is_taken_back_and_what_was_refused_is_not() {
    type Replies = &'static [fn(Stamp) -> Reply];
    let taken_back: [Replies; 4] = [
        &[|_| unclear(), |_| unclear()],
        // What an attempt may have left stays, however the next one is answered.
        &[|_| unclear(), |_| refused()],
        &[|_| unclear(), |_| drifted()],
        // A copy of the attempt came before it.
        &[fenced, fenced],
    ];
    for replies in taken_back {
        let (played, undo) = with_replies(replies);
        assert_eq!(played.steps(), [FIRST, FIRST, undo]);
        assert!(matches!(played.outcome, Outcome::RolledBack { .. }), "{}", played.outcome);
    }
    let left_alone: [Replies; 3] = [&[|_| refused()], &[|_| busy(None), |_| refused()], &[|_| drifted()]];
    for replies in left_alone {
        let (played, _) = with_replies(replies);
        assert_eq!(played.steps(), vec![FIRST; replies.len()]);
        assert!(matches!(played.outcome, Outcome::RolledBack { .. }), "{}", played.outcome);
    }
}

#[test]
fn a_run_that_is_cancelled_after_its_driver_died_takes_back_what_was_begun() {
    let (plan, undo) = plan();
    let mut dead = machine(plan);
    let _ = dead.step(resumed(), NOW);
    let sent = dead.step(Event::Appended, NOW);
    assert!(matches!(sent[..], [_, Command::Perform { step: FIRST, .. }]), "{sent:?}");

    let mut heir = Machine::new(dead.state().clone());
    let _ = heir.step(Event::Resumed { worker: worker("second"), epoch: 2 }, NOW);
    let _ = heir.step(cancel(), NOW);
    let played = play(heir, Event::Appended, |_, stamp, _| {
        vec![Event::Replied { stamp, reply: Reply::Applied(Receipt("restored".to_owned())) }]
    });

    assert_eq!(played.steps(), [undo]);
    let Outcome::RolledBack { cause: Cause::Cancelled { by, .. }, .. } = played.outcome else {
        panic!("{}", played.outcome)
    };
    assert_eq!(by, "ops");
}

#[test]
fn a_run_that_is_cancelled_while_its_target_is_busy_takes_nothing_back() {
    let (plan, _) = plan();
    let played = play(machine(plan), resumed(), |_, stamp, _| {
        vec![cancel(), Event::Replied { stamp, reply: busy(None) }]
    });
    assert_eq!(played.steps(), [FIRST]);
}

#[test]
fn what_was_begun_and_cannot_be_taken_back_is_for_a_human() {
    let (plan, undo) = plan();
    let played = play(machine(plan), resumed(), |step, stamp, _| {
        let reply = if step == undo { refused() } else { unclear() };
        vec![Event::Replied { stamp, reply }]
    });
    let Outcome::Escalated { cause: Cause::Step { step, failure: Failure::Rejected(_) }, .. } =
        played.outcome
    else {
        panic!("{}", played.outcome)
    };
    assert_eq!(step, undo);
}

#[test]
fn a_target_that_asks_for_an_hour_is_asked_again_soon() {
    let (plan, undo) = plan();
    let played = play(machine(plan), resumed(), |step, stamp, number| {
        let reply = match (step == undo, number) {
            (_, 0) => busy(Some(Period::from_hours(1))),
            (false, _) => unclear(),
            (true, 2) => busy(Some(Period::from_hours(1))),
            (true, _) => Reply::Applied(Receipt("restored".to_owned())),
        };
        vec![Event::Replied { stamp, reply }]
    });
    assert_eq!(played.steps(), [FIRST, FIRST, undo, undo]);
    let waits: Vec<_> = played.sent.windows(2).map(|pair| (pair[1].1 - pair[0].1).num_seconds()).collect();
    assert_eq!(waits, [60, 0, 5]);
}
