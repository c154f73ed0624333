//! Every reachable state, nearest first: the first breach found is one that takes the fewest actions.

use super::action::Action;
use super::fingerprint::{FingerprintMap, fingerprint};
use super::invariant::{Breaches, Invariant};
use super::model::Model;
use super::world::{Ending, Phase, World};

/// When a search is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// Every state was seen.
    Exhausted,
    /// This invariant was seen to be broken.
    Broken(Invariant),
}

/// All states of a model, as far as they are needed afterwards: how each was reached and where it leads.
#[derive(Debug, Default)]
pub(super) struct Graph {
    parents: Vec<u32>,
    /// Which of the choices of the parent led here.
    ordinals: Vec<u8>,
    /// The successors of all states, one after the other.
    edges: Vec<u32>,
    /// How many successors each state has.
    degrees: Vec<u8>,
    /// Whether every run has ended or is quarantined.
    settled: Vec<bool>,
}

/// What a search found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) graph: Graph,
    pub(super) depth: u32,
    pub(super) transitions: u64,
    /// The first breach of each invariant: after how many actions, and which these are.
    pub(super) breaches: Vec<(Invariant, u32, Vec<Action>)>,
    /// How many states there are in which a run ended so.
    pub(super) endings: [u64; 4],
    pub(super) quarantined: u64,
    /// How often a request found no place: such worlds are not explored faithfully.
    pub(super) crowded: u64,
}

/// Searches from the quiet world on.
pub(super) fn search(model: &mut Model, start: World, blind: Breaches, until: Until) -> Found {
    let mut search = Search {
        model,
        start,
        blind,
        seen: FingerprintMap::default(),
        found: Found::default(),
        choices: Vec::new(),
        next: Vec::new(),
    };
    search.run(until);
    search.found
}

struct Search<'a> {
    model: &'a mut Model,
    start: World,
    blind: Breaches,
    seen: FingerprintMap<u32>,
    found: Found,
    choices: Vec<Action>,
    next: Vec<World>,
}

impl Search<'_> {
    fn run(&mut self, until: Until) {
        let start = self.start;
        self.meet(start, 0, 0);
        let mut number = 0;
        while !self.next.is_empty() {
            self.found.depth += 1;
            for world in std::mem::take(&mut self.next) {
                self.expand(number, &world);
                number += 1;
            }
            let is_over =
                |(invariant, ..): &(Invariant, u32, Vec<Action>)| until == Until::Broken(*invariant);
            if self.found.breaches.iter().any(is_over) {
                return;
            }
        }
        self.found.depth -= 1;
    }

    fn expand(&mut self, number: u32, world: &World) {
        let mut choices = std::mem::take(&mut self.choices);
        self.model.choices(world, &mut choices);
        let before = self.found.graph.edges.len();
        for (ordinal, action) in (0..).zip(&choices) {
            let moved = self.model.act(world, *action);
            self.found.transitions += 1;
            self.found.crowded += u64::from(moved.crowded);
            let breaches = moved.breaches.without(self.blind);
            if breaches.is_empty() {
                let after = self.meet(moved.world, number, ordinal);
                self.found.graph.edges.push(after);
            } else {
                self.report(breaches, number, *action);
            }
        }
        let degree = self.found.graph.edges.len() - before;
        let degree = u8::try_from(degree).expect("few things can happen at a time");
        self.found.graph.degrees.push(degree);
        self.choices = choices;
    }

    fn meet(&mut self, world: World, parent: u32, ordinal: u8) -> u32 {
        let graph = &mut self.found.graph;
        let number =
            u32::try_from(graph.parents.len()).expect("fewer than four billion states fit in memory");
        let known = *self.seen.entry(fingerprint(&world)).or_insert(number);
        if known == number {
            graph.parents.push(parent);
            graph.ordinals.push(ordinal);
            graph.settled.push(self.model.is_settled(&world));
            self.next.push(world);
            for ledger in &world.runs {
                match ledger.phase {
                    Phase::Ended(ending) => self.found.endings[ending as usize] += 1,
                    Phase::Quarantined => self.found.quarantined += 1,
                    Phase::Unopened | Phase::Active => {}
                }
            }
        }
        known
    }

    fn report(&mut self, breaches: Breaches, number: u32, last: Action) {
        for invariant in breaches.iter() {
            if self.found.breaches.iter().any(|(known, ..)| *known == invariant) {
                continue;
            }
            let mut path = self.path(number);
            path.push(last);
            self.found.breaches.push((invariant, self.found.depth, path));
        }
    }

    /// Finds the actions that lead to a state by doing them again.
    fn path(&mut self, mut number: u32) -> Vec<Action> {
        let mut ordinals = Vec::new();
        while number != 0 {
            ordinals.push(self.found.graph.ordinals[number as usize]);
            number = self.found.graph.parents[number as usize];
        }
        let (mut world, mut choices) = (self.start, Vec::new());
        let mut path = Vec::new();
        for ordinal in ordinals.into_iter().rev() {
            self.model.choices(&world, &mut choices);
            let action = choices[usize::from(ordinal)];
            world = self.model.act(&world, action).world;
            path.push(action);
        }
        path
    }
}

impl Graph {
    pub(super) fn len(&self) -> usize {
        self.parents.len()
    }

    /// Counts the states from which no settled state can be reached, and those that lead nowhere and are not settled.
    pub(super) fn stuck(&self) -> (u64, u64) {
        let mut reaches = self.settled.clone();
        let mut changed = true;
        // Successors have mostly higher numbers, so that few rounds suffice.
        while changed {
            changed = false;
            let mut end = self.edges.len();
            for number in (0..reaches.len()).rev() {
                let begin = end - usize::from(self.degrees[number]);
                let next = &self.edges[begin..end];
                if !reaches[number] && next.iter().any(|after| reaches[*after as usize]) {
                    reaches[number] = true;
                    changed = true;
                }
                end = begin;
            }
        }
        let stuck = reaches.iter().filter(|reaches| !**reaches).count();
        let dead =
            self.degrees.iter().zip(&self.settled).filter(|(degree, settled)| **degree == 0 && !**settled);
        (stuck as u64, dead.count() as u64)
    }
}

impl Model {
    /// Returns whether nothing more is owed: every run has ended, is quarantined, or waits for a target that is.
    pub(super) fn is_settled(&self, world: &World) -> bool {
        (0..).take(self.scenario.runs.len()).all(|run: u8| match world.runs[usize::from(run)].phase {
            Phase::Ended(_) | Phase::Quarantined => true,
            Phase::Active => false,
            Phase::Unopened => self
                .claimed(world, run)
                .any(|owner| owner != 0 && world.runs[usize::from(owner - 1)].phase == Phase::Quarantined),
        })
    }
}

/// The endings, in the order in which they are counted.
pub(super) const ENDINGS: [Ending; 4] =
    [Ending::Succeeded, Ending::RolledBack, Ending::Cancelled, Ending::Escalated];
