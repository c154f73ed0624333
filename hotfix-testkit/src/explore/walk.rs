//! Random walks: one way through a large world per seed, with the same invariants, and what only whole journals show.
//!
//! - The fold over the written journal, read back from its text, is the state that the store and the machine have.
//! - After any entry all workers may die at once: what is left leads to an end without further trouble.

use std::fmt;

use hotfix_core::execute::{Record, Run};

use super::action::Action;
use super::dice::Dice;
use super::invariant::Invariant;
use super::machines::Brief;
use super::model::Model;
use super::scenario::Scenario;
use super::search::ENDINGS;
use super::trace;
use super::wilderness::Wilderness;
use super::world::{Budget, Ending, Phase, World};

/// What a walk came to.
#[derive(Debug, Clone, Default)]
pub struct Walk {
    /// How many actions were taken, those after each simulated death of all workers included.
    pub actions: u64,
    /// How many journal entries were written, each followed by a resumption of its own.
    pub entries: u64,
    /// How the runs ended.
    pub endings: Vec<Ending>,
}

/// A walk that broke something.
#[derive(Debug, Clone)]
pub struct WalkFailure {
    /// The seed that leads there again.
    pub seed: u64,
    /// What was broken.
    pub broken: Invariant,
    /// What happened, action by action.
    pub trace: String,
}

impl fmt::Display for WalkFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, broken, trace } = self;
        write!(f, "the walk of seed {seed} breaks {broken}:\n{trace}")
    }
}

impl std::error::Error for WalkFailure {}

/// Troubled actions before the world calms down.
const TROUBLED: usize = 400;

/// Actions that are enough for a calm world: every step, attempt by attempt, with its seals and probes.
const CALM: usize = 4000;

/// Walks through the world of a seed.
///
/// # Errors
/// [`WalkFailure`] with the actions that break an invariant.
pub fn walk(seed: u64) -> Result<Walk, Box<WalkFailure>> {
    let mut dice = Dice::new(seed);
    let wilderness = Wilderness::of(&mut dice);
    let scenario = Scenario::new(&wilderness.sketches);
    let start = World::new(wilderness.budget);
    let mut walker = Walker {
        seed,
        dice,
        journals: vec![Vec::new(); scenario.runs.len()],
        model: Model::new(scenario, wilderness.rules, wilderness.workers),
        chapters: vec![(start, Vec::new())],
        choices: Vec::new(),
        stops: Vec::new(),
        walk: Walk::default(),
    };
    walker.go()?;
    Ok(walker.walk)
}

struct Walker {
    seed: u64,
    dice: Dice,
    model: Model,
    /// Where the walk began, or began anew, and which way it took from there.
    chapters: Vec<(World, Vec<Action>)>,
    choices: Vec<Action>,
    /// The records of each run with the epochs of their writers, as read back.
    journals: Vec<Vec<(u64, Record)>>,
    /// The world after each entry, with how many actions led to it.
    stops: Vec<(usize, World)>,
    walk: Walk,
}

type Step<T> = Result<T, Box<WalkFailure>>;

impl Walker {
    fn go(&mut self) -> Step<()> {
        let mut world = self.chapters[0].0;
        for _ in 0..TROUBLED {
            if self.model.is_settled(&world) && self.dice.once_in(20) {
                break;
            }
            let Some(after) = self.advance(&world)? else { break };
            self.record(&world, &after)?;
            world = after;
        }
        let (start, path) = self.chapters[0].clone();
        let ended = self.calm_down(world)?;
        for ledger in &ended.runs {
            let ending = ENDINGS.into_iter().find(|ending| ledger.phase == Phase::Ended(*ending));
            self.walk.endings.extend(ending);
        }
        for (length, world) in std::mem::take(&mut self.stops) {
            self.chapters = vec![(start, path[..length].to_vec())];
            let workers = Default::default();
            self.calm_down(World { workers, ..world })?;
        }
        Ok(())
    }

    /// Takes one action; `None` when nothing can happen any more.
    fn advance(&mut self, world: &World) -> Step<Option<World>> {
        let mut choices = std::mem::take(&mut self.choices);
        self.model.choices(world, &mut choices);
        let chosen = self.choose(&choices);
        self.choices = choices;
        let Some(action) = chosen else { return Ok(None) };
        let moved = self.model.act(world, action);
        self.path().push(action);
        self.walk.actions += 1;
        match moved.breaches.iter().next() {
            Some(broken) => Err(self.fail(broken)),
            None => Ok(Some(moved.world)),
        }
    }

    /// Chooses what keeps the runs going more often than what disturbs them.
    fn choose(&mut self, choices: &[Action]) -> Option<Action> {
        if choices.is_empty() {
            return None;
        }
        loop {
            let action = choices[self.dice.below(choices.len())];
            if !is_trouble(action) || self.dice.once_in(6) {
                return Some(action);
            }
        }
    }

    /// Lets everything that is under way end, without further trouble.
    fn calm_down(&mut self, mut world: World) -> Step<World> {
        world.left = Budget::default();
        self.chapters.push((world, Vec::new()));
        for _ in 0..CALM {
            if self.model.is_settled(&world) {
                return Ok(world);
            }
            match self.advance(&world)? {
                Some(after) => world = after,
                None => break,
            }
        }
        Err(self.fail(Invariant::Progress))
    }

    /// Writes down the entry of the last action, if it was one, and folds the journal anew.
    fn record(&mut self, before: &World, after: &World) -> Step<()> {
        for run in 0..self.journals.len() {
            if before.runs[run].fold == after.runs[run].fold {
                continue;
            }
            let Some((epoch, record)) = self.last_entry(before, run) else {
                return Err(self.fail(Invariant::Faithful));
            };
            let read = record.encode().ok().and_then(|text| Record::decode(&text).ok());
            if read.as_ref() != Some(&record) {
                return Err(self.fail(Invariant::Faithful));
            }
            self.journals[run].push((epoch, record));
            let journal = self.journals[run].iter().map(|(epoch, record)| (*epoch, record));
            let fold = Run::fold(journal).ok();
            if fold.as_ref() != Some(self.model.machines.fold(after.runs[run].fold)) {
                return Err(self.fail(Invariant::Faithful));
            }
            self.walk.entries += 1;
            let length = self.path().len();
            self.stops.push((length, *after));
        }
        Ok(())
    }

    fn last_entry(&mut self, before: &World, run: usize) -> Option<(u64, Record)> {
        match *self.path().last()? {
            Action::Open { .. } => {
                let planned = Box::new(self.model.scenario.runs[run].planned.clone());
                Some((u64::from(before.epoch) + 1, Record::Planned(planned)))
            }
            Action::Commit { worker } => {
                let node = before.workers[usize::from(worker)];
                let Brief { epoch, .. } = self.model.machines.brief(node);
                Some((epoch.into(), self.model.machines.record(node)?.clone()))
            }
            _ => None,
        }
    }

    fn path(&mut self) -> &mut Vec<Action> {
        let last = self.chapters.last_mut();
        &mut last.expect("a walk begins with a chapter and only adds to them").1
    }

    fn fail(&mut self, broken: Invariant) -> Box<WalkFailure> {
        let mut trace = String::new();
        for (start, path) in &self.chapters {
            trace += &trace::tell(&mut self.model, *start, path);
            trace += "  -- from here on without further trouble --\n";
        }
        Box::new(WalkFailure { seed: self.seed, broken, trace })
    }
}

const fn is_trouble(action: Action) -> bool {
    !matches!(
        action,
        Action::Open { .. }
            | Action::Commit { .. }
            | Action::Deliver { answer: super::action::Answer::Arrives, .. }
            | Action::Seal { .. }
            | Action::Probe { .. }
            | Action::Judge { .. }
    )
}
