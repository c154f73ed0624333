//! A world in motion: what each action does to it, and which invariants it breaks.

use std::sync::Arc;

use hotfix_core::execute::{Record, Stop};

use super::action::{Action, Finding, Word};
use super::entry::{Entry, number};
use super::input::Input;
use super::invariant::{Breaches, Invariant};
use super::machines::{Asked, Machines, Pending};
use super::rules::{DriverRule, FenceRule, JournalRule, Rules};
use super::scenario::Scenario;
use super::world::{FOREIGN, Kind, Mark, Phase, Request, World};

/// The scenario, the rules and the machines met so far.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) scenario: Arc<Scenario>,
    pub(super) rules: Rules,
    pub(super) workers: u8,
    pub(super) machines: Machines,
}

/// What an action led to.
#[derive(Clone, Copy)]
pub(super) struct Moved {
    pub(super) world: World,
    pub(super) breaches: Breaches,
    /// Whether a request found no place.
    pub(super) crowded: bool,
}

impl Model {
    pub(super) fn new(scenario: Scenario, rules: Rules, workers: u8) -> Self {
        let scenario = Arc::new(scenario);
        Self { machines: Machines::new(Arc::clone(&scenario)), scenario, rules, workers }
    }

    /// Does one thing.
    pub(super) fn act(&mut self, world: &World, action: Action) -> Moved {
        let mut moved = Moved { world: *world, breaches: Breaches::NONE, crowded: false };
        self.perform(&mut moved, action);
        self.forget(&mut moved.world);
        moved.world.settle();
        moved
    }

    fn perform(&mut self, moved: &mut Moved, action: Action) {
        match action {
            Action::Open { run } => self.open(moved, run),
            Action::TakeOver { run } => self.take_over(moved, run),
            Action::Commit { worker } => self.commit(moved, worker),
            Action::Deliver { request, answer } => self.deliver(moved, request, answer),
            Action::Refuse { request, refusal } => self.refuse(moved, request, refusal),
            Action::StopHalfWay { request } => self.stop_half_way(moved, request),
            Action::Duplicate { request } => {
                moved.world.left.duplicates -= 1;
                let copy = moved.world.requests[usize::from(request)];
                moved.crowded |= !moved.world.send(copy);
            }
            Action::Seal { worker } => self.seal(moved, worker),
            Action::SealFails { worker, seal, when } => self.seal_fails(moved, worker, seal, when),
            Action::Probe { worker, when } => self.probe(moved, worker, when),
            Action::ProbeFails { worker, when } => {
                moved.world.left.outages -= 1;
                self.tell(moved, worker, Input::Unreadable(when));
            }
            Action::Judge { worker, finding } => self.judge(moved, worker, finding),
            Action::Tick { worker } => self.tell(moved, worker, Input::Tick),
            Action::Tell { worker, signal } => {
                let run = self.machines.brief(moved.world.workers[usize::from(worker)]).run;
                let word = moved.world.runs[usize::from(run)].word(signal);
                self.tell(moved, worker, Input::Signal(signal, word));
            }
            Action::Say { worker, word } => {
                let run = self.machines.brief(moved.world.workers[usize::from(worker)]).run;
                let ledger = &mut moved.world.runs[usize::from(run)];
                let signal = ledger.signals;
                ledger.signals += 1;
                match word {
                    Word::Stop => moved.world.left.cancels -= 1,
                    Word::Hasten => {
                        ledger.hastes |= 1 << signal;
                        moved.world.left.hastes -= 1;
                    }
                }
                self.tell(moved, worker, Input::Signal(signal, word));
            }
            Action::Crash { worker } => {
                moved.world.left.crashes -= 1;
                moved.world.workers[usize::from(worker)] = 0;
            }
            Action::Edit { target } => {
                moved.world.left.edits -= 1;
                let target = &mut moved.world.targets[usize::from(target)];
                (target.value, target.half) = (FOREIGN, 0);
            }
        }
    }

    fn judge(&mut self, moved: &mut Moved, worker: u8, finding: Finding) {
        let input = match finding {
            Finding::Pass => Input::Pass,
            Finding::Fail => Input::Fail,
            Finding::Stuck => {
                moved.world.left.stalls -= 1;
                Input::Stuck
            }
            Finding::Look => {
                moved.world.left.looks -= 1;
                Input::Look
            }
        };
        self.tell(moved, worker, input);
    }

    pub(super) fn tell(&mut self, moved: &mut Moved, worker: u8, input: Input) {
        self.told(moved, usize::from(worker), input, None);
    }

    pub(super) fn told(&mut self, moved: &mut Moved, worker: usize, input: Input, entry: Option<Entry>) {
        let reaction = self.machines.react(moved.world.workers[worker], input);
        moved.world.workers[worker] = reaction.node;
        if reaction.asked == Asked::Something {
            self.heed(moved, worker, entry);
        }
    }

    /// Begins what a machine asked for. `entry` is what was committed just now.
    pub(super) fn heed(&mut self, moved: &mut Moved, worker: usize, entry: Option<Entry>) {
        let node = self.machines.brief(moved.world.workers[worker]);
        let run = node.run;
        let sends_first = self.rules.driver == DriverRule::SendsFirst;
        match node.pending {
            Pending::Perform { step, mark } if !sends_first => {
                let announced = entry == Some(Entry::Intent { step, mark });
                let kind = if announced { Kind::Apply(step) } else { Kind::Unannounced(step) };
                moved.crowded |= !moved.world.send(Request { mark, run, kind });
            }
            Pending::Append if sends_first => {
                let record = self.machines.record(moved.world.workers[worker]);
                if let Some(Record::Intent(intent)) = record {
                    let kind = Kind::Unannounced(number(intent.step));
                    let mark = Mark::of(intent.stamp);
                    moved.crowded |= !moved.world.send(Request { mark, run, kind });
                }
            }
            Pending::Stopped(why) => {
                moved.breaches.expect(Invariant::Faithful, why != Stop::Corrupt);
                moved.world.workers[worker] = 0;
            }
            Pending::Muddled => moved.breaches.add(Invariant::Faithful),
            _ => {}
        }
    }

    /// Drops what can have no effect any more: requests that the fence keeps out for ever and nobody waits for.
    fn forget(&mut self, world: &mut World) {
        if self.rules.journal == JournalRule::Fenced {
            self.dismiss(world);
        }
        if self.rules.fence != FenceRule::PerEffect {
            return;
        }
        for at in 0..world.requests.len() {
            let request = world.requests[at];
            if request.is_empty() {
                continue;
            }
            let target = match request.kind {
                Kind::Seal(target) => target,
                Kind::Apply(step) | Kind::Unannounced(step) => self.scenario.line(request.run, step).target,
            };
            let is_late = request.mark <= world.targets[usize::from(target)].fence;
            if is_late && self.awaits(world, request).is_none() {
                world.requests[at] = Request::default();
            }
        }
    }

    /// Ends the work of those that lost their run and can only find that out: the store refuses what they append.
    fn dismiss(&mut self, world: &mut World) {
        for worker in 0..world.workers.len() {
            let number = world.workers[worker];
            if number == 0 {
                continue;
            }
            let node = self.machines.brief(number);
            let ledger = &world.runs[usize::from(node.run)];
            if node.epoch == ledger.epoch && !matches!(ledger.phase, Phase::Ended(_)) {
                continue;
            }
            let only_appends = match node.pending {
                Pending::Append | Pending::Watch { .. } => true,
                Pending::Nothing => {
                    let after = self.machines.react(number, Input::Tick).node;
                    matches!(self.machines.brief(after).pending, Pending::Append)
                }
                _ => false,
            };
            if only_appends {
                world.workers[worker] = 0;
            }
        }
    }

    /// Returns the worker that waits for the answer to a request.
    pub(super) fn awaits(&self, world: &World, request: Request) -> Option<u8> {
        let mut workers = (0..self.workers).filter(|worker| world.workers[usize::from(*worker)] != 0);
        workers.find(|worker| {
            let node = self.machines.brief(world.workers[usize::from(*worker)]);
            let mark = request.mark;
            node.run == request.run
                && request.step().is_some()
                && matches!(node.pending, Pending::Perform { mark: its, .. } if its == mark)
        })
    }
}
