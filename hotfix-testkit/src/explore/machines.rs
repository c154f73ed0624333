//! Production machines by number. The machine is pure, so each reaction is computed once by the production `step` and
//! looked up from then on: a state of the world is then a few words, and millions of them fit.

use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;

use hotfix_core::execute::{Command, Course, Event, Machine, Outcome, Record, Run, Stop};

use super::entry::{Entry, number};
use super::fingerprint::{FingerprintMap, Fingerprinter, Map};
use super::input::{Input, MUCH_LATER};
use super::scenario::Scenario;
use super::world::{Ending, Mark, Phase};

/// What a machine waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Pending {
    /// For time to pass.
    Nothing,
    Append,
    Perform {
        step: u8,
        mark: Mark,
    },
    Seal {
        target: u8,
        mark: Mark,
    },
    Probe {
        step: u8,
    },
    Watch {
        step: u8,
    },
    Stopped(Stop),
    /// It asked for more than one thing at a time.
    Muddled,
}

/// Which run a machine drives, and what it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Brief {
    pub(super) run: u8,
    pub(super) epoch: u8,
    pub(super) pending: Pending,
}

/// A machine and what it waits for.
#[derive(Debug, Clone, PartialEq)]
struct Node {
    machine: Machine,
    brief: Brief,
    /// What it wants to append.
    record: Option<Box<Record>>,
}

const NOBODY: Brief = Brief { run: 0, epoch: 0, pending: Pending::Nothing };

/// What a machine did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reaction {
    /// The machine afterwards.
    pub(super) node: u32,
    /// Whether it asked for something.
    pub(super) asked: Asked,
}

/// Whether a machine asked for something new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Something,
    Nothing,
}

/// What a commit does to a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Commit {
    /// The fold afterwards.
    pub(super) fold: u32,
    pub(super) entry: Entry,
    pub(super) phase: Phase,
    /// Whether the plan of the run is still the one it was opened with.
    pub(super) same_plan: bool,
}

/// All machines and folds met so far.
#[derive(Debug)]
pub(super) struct Machines {
    scenario: Arc<Scenario>,
    nodes: Vec<Option<Node>>,
    /// What is looked at most often, apart.
    briefs: Vec<Brief>,
    nodes_by_hash: FingerprintMap<Vec<u32>>,
    folds: Vec<Option<Run>>,
    folds_by_hash: FingerprintMap<Vec<u32>>,
    opened: Map<(u8, u8), u32>,
    resumed: Map<(u32, u8, u8), u32>,
    reactions: Map<(u32, Input), Reaction>,
    commits: Map<(u32, u32), Option<Commit>>,
}

impl Machines {
    pub(super) fn new(scenario: Arc<Scenario>) -> Self {
        Self {
            scenario,
            nodes: vec![None],
            briefs: vec![NOBODY],
            nodes_by_hash: FingerprintMap::default(),
            folds: vec![None],
            folds_by_hash: FingerprintMap::default(),
            opened: Map::default(),
            resumed: Map::default(),
            reactions: Map::default(),
            commits: Map::default(),
        }
    }

    /// Returns how many different machines were met.
    pub(super) fn count(&self) -> usize {
        self.nodes.len() - 1
    }

    pub(super) fn brief(&self, node: u32) -> Brief {
        self.briefs[node as usize]
    }

    /// Returns the durable state of a machine.
    pub(super) fn state(&self, node: u32) -> &Run {
        self.node(node).machine.state()
    }

    /// Returns what a machine wants to append.
    pub(super) fn record(&self, node: u32) -> Option<&Record> {
        self.node(node).record.as_deref()
    }

    fn node(&self, node: u32) -> &Node {
        let node = self.nodes.get(node as usize).and_then(Option::as_ref);
        node.expect("machines are numbered when they are met")
    }

    pub(super) fn fold(&self, fold: u32) -> &Run {
        let fold = self.folds.get(fold as usize).and_then(Option::as_ref);
        fold.expect("folds are numbered when they are met")
    }

    /// Returns the fold over the first record of a run.
    pub(super) fn open(&mut self, run: u8, epoch: u8) -> u32 {
        if let Some(fold) = self.opened.get(&(run, epoch)) {
            return *fold;
        }
        let planned = &self.scenario.runs[usize::from(run)].planned;
        let fold = self.intern_fold(Run::begin(planned, epoch.into()));
        self.opened.insert((run, epoch), fold);
        fold
    }

    /// Returns a fresh machine on a journal, just resumed.
    pub(super) fn resume(&mut self, run: u8, fold: u32, epoch: u8) -> u32 {
        if let Some(node) = self.resumed.get(&(fold, run, epoch)) {
            return *node;
        }
        let mut machine = Machine::new(self.fold(fold).clone());
        let worker = self.scenario.runs[usize::from(run)].planned.worker.clone();
        let resumed = Event::Resumed { worker, epoch: epoch.into() };
        let commands = machine.step(resumed, Input::Committed.time());
        let (pending, record) = asked(&self.scenario, &commands).unwrap_or((Pending::Nothing, None));
        let brief = Brief { run, epoch, pending };
        let node = self.intern_node(Node { machine, brief, record });
        self.resumed.insert((fold, run, epoch), node);
        node
    }

    /// Returns what a machine does when it is told something.
    pub(super) fn react(&mut self, from: u32, input: Input) -> Reaction {
        if let Some(reaction) = self.reactions.get(&(from, input)) {
            return *reaction;
        }
        let reaction = self.step(from, input);
        self.reactions.insert((from, input), reaction);
        reaction
    }

    fn step(&mut self, from: u32, input: Input) -> Reaction {
        let nothing = Reaction { node: from, asked: Asked::Nothing };
        let Some(event) = input.event(self.brief(from).pending) else {
            return nothing;
        };
        let mut node = self.node(from).clone();
        let mut commands = node.machine.step(event, input.time());
        if commands.is_empty() && input == Input::Tick {
            commands = node.machine.step(Event::Tick, MUCH_LATER);
        }
        let Some((pending, record)) = asked(&self.scenario, &commands) else {
            let node = if node == *self.node(from) { from } else { self.intern_node(node) };
            return Reaction { node, asked: Asked::Nothing };
        };
        node.brief.pending = pending;
        node.record = record;
        Reaction { node: self.intern_node(node), asked: Asked::Something }
    }

    /// Returns what the store makes of the record that a machine wants to append; `None` when it contradicts the
    /// journal.
    pub(super) fn commit(&mut self, fold: u32, node: u32, instead: Option<&Record>) -> Option<Commit> {
        if let Some(commit) = self.commits.get(&(fold, node)) {
            return *commit;
        }
        let commit = self.write(fold, node, instead);
        self.commits.insert((fold, node), commit);
        commit
    }

    fn write(&mut self, fold: u32, node: u32, instead: Option<&Record>) -> Option<Commit> {
        let mut after = self.fold(fold).clone();
        let record = instead.or_else(|| self.record(node))?;
        after.apply(record).ok()?;
        let plan = &self.scenario.runs[usize::from(self.brief(node).run)].planned.plan;
        Some(Commit {
            entry: Entry::of(&self.scenario, record),
            phase: phase(&after),
            same_plan: after.plan().as_ref() == plan,
            fold: self.intern_fold(after),
        })
    }

    fn intern_node(&mut self, node: Node) -> u32 {
        let mut hasher = Fingerprinter::default();
        hash_fold(node.machine.state(), &mut hasher);
        node.brief.pending.hash(&mut hasher);
        node.record.as_ref().map(|record| record.kind()).hash(&mut hasher);
        let brief = node.brief;
        let number = intern(&mut self.nodes, &mut self.nodes_by_hash, node, hasher);
        if number as usize == self.briefs.len() {
            self.briefs.push(brief);
        }
        number
    }

    fn intern_fold(&mut self, fold: Run) -> u32 {
        let mut hasher = Fingerprinter::default();
        hash_fold(&fold, &mut hasher);
        intern(&mut self.folds, &mut self.folds_by_hash, fold, hasher)
    }
}

/// The hash only finds candidates; equality decides.
fn intern<T: PartialEq>(
    all: &mut Vec<Option<T>>,
    by_hash: &mut FingerprintMap<Vec<u32>>,
    value: T,
    hasher: Fingerprinter,
) -> u32 {
    let candidates = by_hash.entry(hasher.finish()).or_default();
    let same = |number: &&u32| all[**number as usize].as_ref() == Some(&value);
    if let Some(number) = candidates.iter().find(same) {
        return *number;
    }
    let number = u32::try_from(all.len()).expect("fewer than four billion machines fit in memory");
    candidates.push(number);
    all.push(Some(value));
    number
}

fn hash_fold(run: &Run, hasher: &mut Fingerprinter) {
    run.run().hash(hasher);
    run.steps().hash(hasher);
    run.course().hash(hasher);
    (run.epoch(), run.entries(), run.signals()).hash(hasher);
}

/// Returns what a machine waits for after its commands; `None` when it gave none.
fn asked(scenario: &Scenario, commands: &[Command]) -> Option<(Pending, Option<Box<Record>>)> {
    if commands.is_empty() {
        return None;
    }
    let mut asked = commands.iter().filter(|command| !matches!(command, Command::WakeAt(_)));
    let (first, second) = (asked.next(), asked.next());
    if second.is_some() {
        return Some((Pending::Muddled, None));
    }
    let pending = match first {
        None | Some(Command::WakeAt(_)) => Pending::Nothing,
        Some(Command::Append(record)) => return Some((Pending::Append, Some(record.clone()))),
        Some(Command::Perform { step, stamp, .. }) => {
            Pending::Perform { step: number(*step), mark: Mark::of(*stamp) }
        }
        Some(Command::Seal { target, stamp }) => {
            Pending::Seal { target: scenario.target(target), mark: Mark::of(*stamp) }
        }
        Some(Command::Probe { step, .. }) => Pending::Probe { step: number(*step) },
        Some(Command::Watch { step }) => Pending::Watch { step: number(*step) },
        Some(Command::Stop(why)) => Pending::Stopped(*why),
    };
    Some((pending, None))
}

fn phase(run: &Run) -> Phase {
    match run.course() {
        Course::Ended(outcome) => Phase::Ended(match outcome {
            Outcome::Succeeded { .. } => Ending::Succeeded,
            Outcome::RolledBack { .. } => Ending::RolledBack,
            Outcome::Cancelled { .. } => Ending::Cancelled,
            Outcome::Escalated { .. } => Ending::Escalated,
        }),
        _ if run.quarantined().is_some() => Phase::Quarantined,
        _ => Phase::Active,
    }
}
