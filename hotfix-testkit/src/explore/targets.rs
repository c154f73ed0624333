//! The targets and the way to them: what becomes of effects, seals and probes.

use hotfix_core::execute::{Course, Record, StepResult};

use super::action::{Answer, Fate, Refusal};
use super::check;
use super::input::{Input, When};
use super::machines::{Brief, Pending};
use super::model::{Model, Moved};
use super::rules::{DriverRule, FenceRule, HalfRule, KeyRule, PreconditionRule};
use super::scenario::Deed;
use super::sketch::Place;
use super::world::{Kind, Request, World};

impl Model {
    pub(super) fn deliver(&mut self, moved: &mut Moved, request: u8, answer: Answer) {
        let taken = std::mem::take(&mut moved.world.requests[usize::from(request)]);
        let Some(step) = taken.step() else {
            return self.raise(&mut moved.world, taken);
        };
        let reply = self.offer(moved, taken, step);
        if answer == Answer::IsLost {
            moved.world.left.losses -= 1;
        } else if let Some(worker) = self.awaits(&moved.world, taken) {
            self.tell(moved, worker, reply);
        }
    }

    /// A target gets an effect.
    fn offer(&self, moved: &mut Moved, request: Request, step: u8) -> Input {
        let line = self.scenario.line(request.run, step);
        let target = moved.world.targets[usize::from(line.target)];
        let was_applied = moved.world.runs[usize::from(request.run)].applied >> step & 1 == 1;
        let is_newer = request.mark > target.fence;
        let once = self.rules.keys == KeyRule::AppliedOnce;
        let repeats = was_applied && (request.mark == target.fence || once && is_newer);
        if repeats && self.rules.fence == FenceRule::PerEffect {
            moved.world.targets[usize::from(line.target)].fence = request.mark;
            return Input::Applied;
        }
        let passes = match self.rules.fence {
            FenceRule::PerEffect => is_newer,
            FenceRule::NotStrict => request.mark >= target.fence,
            FenceRule::PerLease => request.mark.epoch() >= target.fence.epoch(),
            FenceRule::Absent => true,
        };
        if !passes {
            return Input::Fenced(target.fence);
        }
        if !line.expects(target.value) && self.rules.precondition == PreconditionRule::Checked {
            return Input::Drifted;
        }
        let found = check::application(&self.scenario, &moved.world, request, step);
        moved.breaches = moved.breaches.and(found);
        let target = &mut moved.world.targets[usize::from(line.target)];
        target.fence = target.fence.max(request.mark);
        if let Deed::Change { after, .. } = line.deed {
            target.value = after;
            target.half = 0;
        }
        moved.world.runs[usize::from(request.run)].applied |= 1 << step;
        Input::Applied
    }

    /// Whether a target can stop half-way through a request: it accepts it, and what it changes is not one write. Who
    /// asked waits for the answer; a copy that comes later is of one write.
    pub(super) fn may_stop_half_way(&self, world: &World, request: Request) -> bool {
        let Some(step) = request.step() else { return false };
        let line = self.scenario.line(request.run, step);
        let target = world.targets[usize::from(line.target)];
        let was_applied = world.runs[usize::from(request.run)].applied >> step & 1 == 1;
        let is_accepted = request.mark > target.fence && line.expects(target.value) && !was_applied;
        is_accepted && line.place == Place::Workload && self.awaits(world, request).is_some()
    }

    pub(super) fn stop_half_way(&mut self, moved: &mut Moved, request: u8) {
        moved.world.left.halves -= 1;
        let taken = std::mem::take(&mut moved.world.requests[usize::from(request)]);
        let Some(step) = taken.step() else { return };
        let found = check::application(&self.scenario, &moved.world, taken, step);
        moved.breaches = moved.breaches.and(found);
        let target = &mut moved.world.targets[usize::from(self.scenario.line(taken.run, step).target)];
        (target.fence, target.half) = (taken.mark, taken.run + 1);
        if let (HalfRule::Refused, Some(worker)) = (self.rules.halves, self.awaits(&moved.world, taken)) {
            self.tell(moved, worker, Input::Permanent);
        }
    }

    pub(super) fn refuse(&mut self, moved: &mut Moved, request: u8, refusal: Refusal) {
        moved.world.left.refusals -= 1;
        let taken = std::mem::take(&mut moved.world.requests[usize::from(request)]);
        if let Some(worker) = self.awaits(&moved.world, taken) {
            let reply = match refusal {
                Refusal::Busy => Input::Busy,
                Refusal::Permanent => Input::Permanent,
            };
            self.tell(moved, worker, reply);
        }
    }

    fn raise(&self, world: &mut World, seal: Request) {
        if let Kind::Seal(target) = seal.kind {
            let fence = &mut world.targets[usize::from(target)].fence;
            *fence = seal.mark.max(*fence);
        }
    }

    pub(super) fn seal(&mut self, moved: &mut Moved, worker: u8) {
        let Some(seal) = self.seal_of(&moved.world, worker) else {
            return;
        };
        let Kind::Seal(target) = seal.kind else {
            return;
        };
        let fence = moved.world.targets[usize::from(target)].fence;
        if self.rules.driver == DriverRule::SkipsSeals {
            return self.tell(moved, worker, Input::Sealed);
        }
        if self.rules.fence == FenceRule::PerEffect && seal.mark < fence {
            return self.tell(moved, worker, Input::Overtaken(fence));
        }
        self.raise(&mut moved.world, seal);
        self.tell(moved, worker, Input::Sealed);
    }

    pub(super) fn seal_fails(&mut self, moved: &mut Moved, worker: u8, fate: Fate, when: When) {
        moved.world.left.outages -= 1;
        if let Some(seal) = self.seal_of(&moved.world, worker) {
            match fate {
                Fate::Arrived => self.raise(&mut moved.world, seal),
                Fate::IsDelayed => moved.crowded |= !moved.world.send(seal),
            }
        }
        self.tell(moved, worker, Input::Unreachable(when));
    }

    fn seal_of(&self, world: &World, worker: u8) -> Option<Request> {
        let node = self.machines.brief(world.workers[usize::from(worker)]);
        match node.pending {
            Pending::Seal { target, mark } => Some(Request { mark, run: node.run, kind: Kind::Seal(target) }),
            _ => None,
        }
    }

    pub(super) fn probe(&mut self, moved: &mut Moved, worker: u8, when: When) {
        let node = moved.world.workers[usize::from(worker)];
        let Brief { run, pending: Pending::Probe { step }, .. } = self.machines.brief(node) else {
            return;
        };
        let line = self.scenario.line(run, step);
        let shown = moved.world.targets[usize::from(line.target)].value;
        let found = if self.rules.driver == DriverRule::Reruns {
            self.guess(node, run, step)
        } else if moved.world.runs[usize::from(run)].applied >> step & 1 == 1 {
            Input::Found
        } else if line.expects(shown) {
            Input::NotFound(when)
        } else {
            Input::Foreign
        };
        self.tell(moved, worker, found);
    }

    /// What a driver says that does not look: no, as long as the machine makes another attempt of it.
    fn guess(&mut self, node: u32, run: u8, step: u8) -> Input {
        let no = Input::NotFound(When::Early);
        let goes_on = {
            let forward = *self.machines.state(node).course() == Course::Forward;
            forward || !self.scenario.runs[usize::from(run)].is_forward(step)
        };
        let after = self.machines.react(node, no).node;
        let record = self.machines.record(after);
        let retry =
            |record: &Record| matches!(record, Record::Outcome { result: StepResult::Retry { .. }, .. });
        let tries_again = record.is_some_and(retry);
        if goes_on && tries_again { no } else { Input::Foreign }
    }
}
