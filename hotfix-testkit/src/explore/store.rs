//! The store: who may open and drive a run, and who may write to its journal.

use hotfix_core::execute::{Cause, Failure, Outcome, Record};

use super::check;
use super::entry::{Because, Entry};
use super::input::Input;
use super::invariant::Invariant;
use super::machines::Brief;
use super::model::{Model, Moved};
use super::rules::{DriverRule, JournalRule};
use super::sketch::Place;
use super::world::{Kind, Mark, Phase, World};

impl Model {
    pub(super) fn open(&mut self, moved: &mut Moved, run: u8) {
        let world = &mut moved.world;
        if self.claimed(world, run).any(|owner| owner != 0) {
            world.left.usurpations -= 1;
        }
        world.epoch += 1;
        let fold = self.machines.open(run, world.epoch);
        for target in &self.scenario.runs[usize::from(run)].claims {
            world.targets[usize::from(*target)].owner = run + 1;
        }
        let ledger = &mut world.runs[usize::from(run)];
        ledger.fold = fold;
        ledger.epoch = world.epoch;
        ledger.phase = Phase::Active;
        self.employ(moved, run);
    }

    pub(super) fn take_over(&mut self, moved: &mut Moved, run: u8) {
        if self.is_held(&moved.world, run) {
            moved.world.left.usurpations -= 1;
        }
        moved.world.epoch += 1;
        moved.world.runs[usize::from(run)].epoch = moved.world.epoch;
        self.employ(moved, run);
    }

    /// Lets an idle worker drive a run from here on.
    fn employ(&mut self, moved: &mut Moved, run: u8) {
        let ledger = &moved.world.runs[usize::from(run)];
        let node = self.machines.resume(run, ledger.fold, ledger.epoch);
        let idle = moved.world.workers.iter().position(|node| *node == 0);
        let idle = idle.expect("runs are opened and taken over by idle workers");
        moved.world.workers[idle] = node;
        self.heed(moved, idle, None);
    }

    pub(super) fn commit(&mut self, moved: &mut Moved, worker: u8) {
        let at = usize::from(worker);
        let number = moved.world.workers[at];
        let Brief { run, epoch, .. } = self.machines.brief(number);
        let entries = self.machines.state(number).entries();
        let ledger = moved.world.runs[usize::from(run)];
        let is_owner = epoch == ledger.epoch && entries == self.machines.fold(ledger.fold).entries();
        if !is_owner && self.rules.journal == JournalRule::Fenced || matches!(ledger.phase, Phase::Ended(_)) {
            return self.tell(moved, worker, Input::Lost);
        }
        let instead = self.instead(number);
        let Some(commit) = self.machines.commit(ledger.fold, number, instead.as_ref()) else {
            if is_owner {
                moved.breaches.add(Invariant::Faithful);
            }
            return self.tell(moved, worker, Input::Lost);
        };
        moved.breaches.expect(Invariant::JournalOwnership, is_owner);
        moved.breaches.expect(Invariant::BaselineImmutability, commit.same_plan);
        let found = check::entry(&self.scenario, &moved.world, run, commit.entry);
        moved.breaches = moved.breaches.and(found);
        self.journal(&mut moved.world, run, commit.entry);
        moved.world.runs[usize::from(run)].fold = commit.fold;
        moved.world.runs[usize::from(run)].phase = commit.phase;
        if matches!(commit.phase, Phase::Ended(_)) {
            self.release(&mut moved.world, run);
        }
        if instead.is_some() {
            moved.world.workers[at] = 0;
            return;
        }
        self.told(moved, at, Input::Committed, Some(commit.entry));
        let node = moved.world.workers[at];
        if node != 0 && is_owner {
            let same = self.machines.state(node) == self.machines.fold(commit.fold);
            moved.breaches.expect(Invariant::Faithful, same);
        }
    }

    /// What a driver that gives up appends in place of a quarantine.
    fn instead(&self, node: u32) -> Option<Record> {
        match *self.machines.record(node)? {
            Record::Quarantined { step, .. } if self.rules.driver == DriverRule::GivesUp => {
                let failure = Failure::Interrupted;
                Some(Record::Terminal(Outcome::Escalated {
                    cause: Cause::Step { step, failure },
                    known: Vec::new(),
                }))
            }
            _ => None,
        }
    }

    fn release(&self, world: &mut World, run: u8) {
        for target in &self.scenario.runs[usize::from(run)].claims {
            let owner = &mut world.targets[usize::from(*target)].owner;
            if *owner == run + 1 {
                *owner = 0;
            }
        }
    }

    /// Remembers what an entry says, for the checks to come.
    fn journal(&self, world: &mut World, run: u8, entry: Entry) {
        let ledger = &mut world.runs[usize::from(run)];
        match entry {
            Entry::Intent { mark, .. } => {
                ledger.sealed = Mark::NONE;
                let own = |request: &&mut super::world::Request| request.run == run && request.mark == mark;
                for request in world.requests.iter_mut().filter(own) {
                    if let Kind::Unannounced(step) = request.kind {
                        request.kind = Kind::Apply(step);
                    }
                }
            }
            Entry::Sealed { mark, .. } => ledger.sealed = ledger.sealed.max(mark),
            Entry::NotApplied { step, because, .. } => {
                ledger.sealed = Mark::NONE;
                if because == Because::Unknown && self.scenario.line(run, step).place == Place::Workload {
                    ledger.begun |= 1 << step;
                }
            }
            Entry::Applied { .. } => ledger.sealed = Mark::NONE,
            Entry::Drifted { step } => {
                ledger.sealed = Mark::NONE;
                ledger.drifted |= self.scenario.line(run, step).place == Place::Workload;
            }
            Entry::Passed { gate } => ledger.passed |= 1 << gate,
            Entry::Refused { .. } => ledger.failed = true,
            Entry::Hastened => ledger.hastened = true,
            Entry::Terminal(_) | Entry::Other => {}
        }
    }

    /// Returns whether a worker that has the lease of the run still runs.
    pub(super) fn is_held(&self, world: &World, run: u8) -> bool {
        let epoch = world.runs[usize::from(run)].epoch;
        let mut busy = world.workers.iter().filter(|node| **node != 0);
        busy.any(|node| {
            let node = self.machines.brief(*node);
            node.run == run && node.epoch == epoch
        })
    }

    /// Returns the owners of the targets that a run claims.
    pub(super) fn claimed(&self, world: &World, run: u8) -> impl Iterator<Item = u8> {
        let claims = &self.scenario.runs[usize::from(run)].claims;
        claims.iter().map(|target| world.targets[usize::from(*target)].owner)
    }
}
