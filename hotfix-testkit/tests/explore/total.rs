//! `step` is total: whatever a driver says, and in whatever order, nothing breaks, and nothing durable changes before a
//! record is committed.

use std::collections::BTreeSet;

use hotfix_core::execute::{Command, Event, Machine, Planned, Record, Run};
use hotfix_core::model::{Counts, Sample, Stamp, Timestamp, Verdict, VerdictOutcome, WorkerName};
use hotfix_core::plan::StepId;
use hotfix_core::port::{
    Ambiguity, Conflict, Probe, Receipt, Rejection, Reply, Seal, Sealed, Signal, SignalEntry,
};
use hotfix_testkit::explore::plan_of;
use proptest::prelude::*;

/// Something said to the machine: fitting, or with the stamp and the step of something else.
#[derive(Debug, Clone)]
struct Said {
    what: u8,
    aim: Aim,
    hours: i64,
}

#[derive(Debug, Clone, Copy)]
enum Aim {
    Fitting,
    At { step: u16, epoch: u64, seq: u32 },
}

fn said() -> impl Strategy<Value = Said> {
    let strange = (0..20_u16, 0..4_u64, 0..9_u32).prop_map(|(step, epoch, seq)| Aim::At { step, epoch, seq });
    let aim = prop_oneof![6 => Just(Aim::Fitting), 1 => strange];
    let what = prop_oneof![3 => Just(0_u8), 4 => 1..23_u8];
    (what, aim, prop_oneof![4 => Just(0), 1 => 0..48_i64]).prop_map(|(what, aim, hours)| Said {
        what,
        aim,
        hours,
    })
}

/// What the machine last asked for.
#[derive(Debug, Clone, Copy)]
struct Asked {
    step: StepId,
    stamp: Stamp,
}

fn worker() -> WorkerName {
    "worker".parse().unwrap()
}

fn text() -> String {
    "said".to_owned()
}

fn event(said: &Said, asked: Asked, signals: u64) -> Event {
    let (step, stamp) = match said.aim {
        Aim::Fitting => (asked.step, asked.stamp),
        Aim::At { step, epoch, seq } => (StepId(step), Stamp::new(epoch, seq)),
    };
    let replied = |reply| Event::Replied { stamp, reply };
    let sealed = |seal| Event::Sealed { stamp, seal };
    let probed = |probe| Event::Probed { step, probe };
    let decided = |outcome| Event::Decided { step, verdict: Verdict::without_samples(outcome, Vec::new()) };
    match said.what {
        0 => Event::Appended,
        1 => replied(Reply::Applied(Receipt(text()))),
        2 => replied(Reply::Rejected(Rejection::Permanent { reason: text() })),
        3 => replied(Reply::Rejected(Rejection::Busy { reason: text(), retry_after: None })),
        4 => replied(Reply::Conflict(Conflict::Fenced { current: stamp })),
        5 => replied(Reply::Conflict(Conflict::Drifted { expected: text(), found: text() })),
        6 => replied(Reply::Ambiguous(Ambiguity::Unclear { answer: text() })),
        7 => sealed(Seal::Sealed(Sealed { previous: Stamp::ZERO })),
        8 => sealed(Seal::Overtaken { current: stamp }),
        9 => sealed(Seal::Unreachable { cause: text() }),
        10 => probed(Probe::Applied(Receipt(text()))),
        11 => probed(Probe::NotApplied),
        12 => probed(Probe::Drifted { found: text() }),
        13 => probed(Probe::Unreadable { cause: text() }),
        14 => decided(VerdictOutcome::Pass),
        15 => decided(VerdictOutcome::Fail),
        16 => Event::Stuck { step, reason: text() },
        17 => {
            let sample = Sample::counted(Timestamp::UNIX_EPOCH, Counts::NONE, Counts::NONE);
            Event::Sampled { step, sample }
        }
        18 => {
            let signal = Signal::Cancel { reason: text() };
            let entry = SignalEntry { id: text(), signal, by: text(), at: Timestamp::UNIX_EPOCH };
            Event::Signalled { index: signals, entry }
        }
        21 => {
            let signal = Signal::Hasten { reason: text() };
            let entry = SignalEntry { id: text(), signal, by: text(), at: Timestamp::UNIX_EPOCH };
            Event::Signalled { index: signals, entry }
        }
        19 => Event::Resumed { worker: worker(), epoch: 1 },
        20 if matches!(said.aim, Aim::At { .. }) => Event::LeaseLost,
        _ => Event::Tick,
    }
}

/// What a driver remembers of a machine: what it asked for, and what it wants to append.
#[derive(Debug)]
struct Driver {
    machine: Machine,
    asked: Asked,
    record: Option<Box<Record>>,
    stamps: BTreeSet<Stamp>,
}

impl Driver {
    fn new(seed: u64) -> Self {
        let run = "run".parse().unwrap();
        let planned = Planned { run, plan: plan_of(seed), worker: worker(), at: Timestamp::UNIX_EPOCH };
        let machine = Machine::new(Run::begin(&planned, 1));
        let asked = Asked { step: StepId(0), stamp: Stamp::ZERO };
        let mut driver = Self { machine, asked, record: None, stamps: BTreeSet::new() };
        driver.tell(Event::Resumed { worker: worker(), epoch: 1 }, Timestamp::UNIX_EPOCH);
        driver
    }

    fn tell(&mut self, event: Event, now: Timestamp) {
        let before = self.machine.clone();
        let expected = match (&event, self.record.take()) {
            (Event::Appended, Some(record)) => {
                let mut state = before.state().clone();
                state.apply(&record).unwrap();
                state
            }
            (_, record) => {
                self.record = record;
                before.state().clone()
            }
        };
        let fits = self.fits(&event);
        let commands = self.machine.step(event, now);
        assert_eq!(*self.machine.state(), expected, "only a commit changes what is durable");
        if !fits {
            assert_eq!((&self.machine, &commands[..]), (&before, &[][..]), "a late answer changes nothing");
        }
        for command in commands {
            self.heed(command);
        }
    }

    /// Whether an answer carries the stamp of what was asked last.
    fn fits(&self, event: &Event) -> bool {
        match event {
            Event::Replied { stamp, .. } | Event::Sealed { stamp, .. } => *stamp == self.asked.stamp,
            _ => true,
        }
    }

    fn heed(&mut self, command: Command) {
        match command {
            Command::Append(record) => self.record = Some(record),
            Command::Perform { step, stamp, .. } => {
                self.ask(Asked { step, stamp });
            }
            Command::Seal { stamp, .. } => self.ask(Asked { stamp, ..self.asked }),
            Command::Probe { step, .. } | Command::Watch { step } => self.asked.step = step,
            Command::Stop(_) => self.record = None,
            Command::WakeAt(_) => {}
        }
    }

    fn ask(&mut self, asked: Asked) {
        let last = self.stamps.last().copied();
        assert!(last.is_none_or(|last| last < asked.stamp), "stamps rise: {last:?}, {:?}", asked.stamp);
        self.stamps.insert(asked.stamp);
        self.asked = asked;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn any_event_in_any_state(seed in 0..200_u64, story in prop::collection::vec(said(), 0..120)) {
        let mut driver = Driver::new(seed);
        for said in &story {
            let event = event(said, driver.asked, driver.machine.state().signals());
            let now = Timestamp::UNIX_EPOCH + hotfix_core::model::Period::from_hours(said.hours.unsigned_abs()).to_delta();
            driver.tell(event, now);
        }
    }
}
