//! Which actions are possible in a world.

use super::action::{Action, Answer, Fate, Finding, Refusal, Word};
use super::input::{Input, When};
use super::machines::{Asked, Pending};
use super::model::Model;
use super::rules::ClaimRule;
use super::scenario::Deed;
use super::world::{FOREIGN, Phase, World};

impl Model {
    /// Lists everything that can happen next.
    pub(super) fn choices(&mut self, world: &World, choices: &mut Vec<Action>) {
        choices.clear();
        self.of_store(world, choices);
        self.of_network(world, choices);
        for worker in 0..self.workers {
            let node = world.workers[usize::from(worker)];
            if node != 0 {
                self.of_worker(world, worker, node, choices);
            }
        }
        let left = &world.left;
        for target in (0..).take(self.scenario.targets.len()) {
            if left.edits > 0 && world.targets[usize::from(target)].value != FOREIGN {
                choices.push(Action::Edit { target });
            }
        }
    }

    fn of_store(&self, world: &World, choices: &mut Vec<Action>) {
        if !world.workers[..usize::from(self.workers)].contains(&0) {
            return;
        }
        for run in (0..).take(self.scenario.runs.len()) {
            let may_take_over = || !self.is_held(world, run) || world.left.usurpations > 0;
            match world.runs[usize::from(run)].phase {
                Phase::Unopened if self.may_open(world, run) => choices.push(Action::Open { run }),
                Phase::Active | Phase::Quarantined if may_take_over() => {
                    choices.push(Action::TakeOver { run })
                }
                _ => {}
            }
        }
    }

    fn may_open(&self, world: &World, run: u8) -> bool {
        let expired = self.rules.claims == ClaimRule::WhenExpired && world.left.usurpations > 0;
        expired || self.claimed(world, run).all(|owner| owner == 0)
    }

    fn of_network(&self, world: &World, choices: &mut Vec<Action>) {
        for (number, request) in (0..).zip(&world.requests) {
            if request.is_empty() {
                break;
            }
            choices.push(Action::Deliver { request: number, answer: Answer::Arrives });
            if world.left.duplicates > 0 {
                choices.push(Action::Duplicate { request: number });
            }
            if request.step().is_none() {
                continue;
            }
            if world.left.losses > 0 && self.awaits(world, *request).is_some() {
                choices.push(Action::Deliver { request: number, answer: Answer::IsLost });
            }
            if world.left.halves > 0 && self.may_stop_half_way(world, *request) {
                choices.push(Action::StopHalfWay { request: number });
            }
            if world.left.refusals > 0 {
                for refusal in [Refusal::Busy, Refusal::Permanent] {
                    choices.push(Action::Refuse { request: number, refusal });
                }
            }
        }
    }

    fn of_worker(&mut self, world: &World, worker: u8, node: u32, choices: &mut Vec<Action>) {
        let left = &world.left;
        match self.machines.brief(node).pending {
            Pending::Append => choices.push(Action::Commit { worker }),
            Pending::Seal { .. } => {
                choices.push(Action::Seal { worker });
                for when in When::BOTH.into_iter().filter(|_| left.outages > 0) {
                    choices.push(Action::SealFails { worker, seal: Fate::Arrived, when });
                    choices.push(Action::SealFails { worker, seal: Fate::IsDelayed, when });
                }
            }
            Pending::Probe { .. } => {
                for when in When::BOTH {
                    choices.push(Action::Probe { worker, when });
                    if left.outages > 0 {
                        choices.push(Action::ProbeFails { worker, when });
                    }
                }
            }
            Pending::Watch { step } => {
                let run = self.machines.brief(node).run;
                let line = self.scenario.line(run, step);
                let shown = world.targets[usize::from(line.target)].value;
                let mut judge = |finding| choices.push(Action::Judge { worker, finding });
                judge(Finding::Fail);
                if matches!(line.deed, Deed::Gate { value, .. } if value == shown) {
                    judge(Finding::Pass);
                }
                if left.looks > 0 {
                    judge(Finding::Look);
                }
                if left.stalls > 0 && self.machines.react(node, Input::Stuck).node != node {
                    judge(Finding::Stuck);
                }
            }
            _ => {}
        }
        if left.crashes > 0 {
            choices.push(Action::Crash { worker });
        }
        self.of_driver(world, worker, node, choices);
    }

    /// What the driver tells a machine by itself, where that makes a difference.
    fn of_driver(&mut self, world: &World, worker: u8, node: u32, choices: &mut Vec<Action>) {
        if self.machines.react(node, Input::Tick).node != node {
            choices.push(Action::Tick { worker });
        }
        let run = self.machines.brief(node).run;
        let signals = world.runs[usize::from(run)].signals;
        for signal in 0..signals {
            if self.is_time_to_tell(node, signal, world.runs[usize::from(run)].word(signal)) {
                choices.push(Action::Tell { worker, signal });
            }
        }
        for (left, word) in [(world.left.cancels, Word::Stop), (world.left.hastes, Word::Hasten)] {
            if left > 0 && self.is_time_to_tell(node, signals, word) {
                choices.push(Action::Say { worker, word });
            }
        }
    }

    /// A signal that is only remembered is handed over as late as that can make a difference: before a record is
    /// committed, because what the machine does next depends on it.
    fn is_time_to_tell(&mut self, node: u32, signal: u8, word: Word) -> bool {
        let reaction = self.machines.react(node, Input::Signal(signal, word));
        let commits = matches!(self.machines.brief(node).pending, Pending::Append);
        reaction.node != node && (commits || reaction.asked == Asked::Something)
    }
}
