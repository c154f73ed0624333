//! A whole run without a driver: every command is answered at once, and what was said is kept to be said again.

use std::collections::VecDeque;

use hotfix_core::execute::{Command, Event, Machine, Planned, Record, Run, Stop};
use hotfix_core::model::{Counts, RunId, Sample, Verdict, VerdictOutcome, WorkerName};
use hotfix_core::plan::{Action, Gate, Plan, StepId};
use hotfix_core::port::{Receipt, Reply};

use crate::Failure;
use crate::world::noon;

/// A run from its plan to its end.
#[derive(Debug, Clone)]
pub struct Replay {
    /// Its beginning.
    pub planned: Planned,
    /// Everything its machine was told, in order.
    pub events: Vec<Event>,
    /// Everything its machine committed, in order.
    pub records: Vec<Record>,
}

/// Samples before the verdict of a gate that judges traffic.
const SAMPLES: usize = 4;

/// The epoch of the run's only owner.
pub const EPOCH: u64 = 1;

impl Replay {
    /// Drives a plan to success.
    ///
    /// # Errors
    /// [`Failure`] when the machine does not come to its end.
    pub fn of(plan: Plan) -> Result<Self, Failure> {
        let (run, worker) = (RunId::new("run-1")?, WorkerName::new("worker-1")?);
        let planned = Planned { run, plan, worker: worker.clone(), at: noon() };
        let mut replay = Self { planned, events: Vec::new(), records: Vec::new() };
        let mut machine = replay.machine();
        let mut looks = 0;
        let mut queue = VecDeque::from([Event::Resumed { worker, epoch: EPOCH }]);
        while let Some(event) = queue.pop_front() {
            replay.events.push(event.clone());
            for command in machine.step(event, noon()) {
                match command {
                    Command::Stop(Stop::Ended) => return Ok(replay),
                    Command::Append(record) => {
                        replay.records.push(*record);
                        queue.push_back(Event::Appended);
                    }
                    Command::Perform { stamp, .. } => {
                        let reply = Reply::Applied(Receipt("done".to_owned()));
                        queue.push_back(Event::Replied { stamp, reply });
                    }
                    Command::Watch { step } => {
                        queue.push_back(replay.look(step, &mut looks)?);
                    }
                    other => drop(other),
                }
            }
        }
        Err(Failure::new("the machine waits for something before the end of the run"))
    }

    /// A fresh machine at the beginning of the run.
    #[must_use]
    pub fn machine(&self) -> Machine {
        Machine::new(Run::begin(&self.planned, EPOCH))
    }

    /// Tells a machine everything, and returns how many commands it gave.
    #[must_use]
    pub fn tell(machine: &mut Machine, events: Vec<Event>) -> usize {
        events.into_iter().map(|event| machine.step(event, noon()).len()).sum()
    }

    fn look(&self, step: StepId, looks: &mut usize) -> Result<Event, Failure> {
        let action = self.planned.plan.step(step).map(|step| &step.action);
        let judged = matches!(action, Some(Action::Gate(Gate::Verify { .. })));
        if judged && *looks < SAMPLES {
            *looks += 1;
            let sample = Sample::counted(noon(), Counts::new(100, 1)?, Counts::new(900, 9)?);
            return Ok(Event::Sampled { step, sample });
        }
        *looks = 0;
        Ok(Event::Decided { step, verdict: Verdict::without_samples(VerdictOutcome::Pass, Vec::new()) })
    }
}

#[cfg(test)]
mod tests {
    use hotfix_core::execute::{Course, Outcome};

    use super::*;
    use crate::world::{Shop, policy, request};

    #[test]
    fn a_plan_is_driven_to_success_and_says_the_same_again() {
        let (request, policy) = (request().unwrap(), policy(|_| {}).unwrap());
        let plan = Shop::open().unwrap().plan(&request, &policy).unwrap();
        let replay = Replay::of(plan).unwrap();
        let mut machine = replay.machine();
        assert!(Replay::tell(&mut machine, replay.events.clone()) > replay.records.len());
        let release = replay.planned.plan.release().cloned();
        assert_eq!(*machine.state().course(), Course::Ended(Outcome::Succeeded { release }));
    }
}
