//! Exploring a configuration, and what came of it.

use std::fmt;
use std::time::{Duration, Instant};

use super::configuration::Configuration;
use super::invariant::{Breaches, Invariant};
use super::model::Model;
use super::scenario::Scenario;
use super::search::{self, ENDINGS, Until};
use super::trace;
use super::world::{Ending, World};

/// What the exploration of one configuration came to.
#[derive(Debug, Clone)]
pub struct Exploration {
    /// The configuration.
    pub name: &'static str,
    /// How many different states there are.
    pub states: u64,
    /// How many ways there are from one to another.
    pub transitions: u64,
    /// How many different states the machine itself was in.
    pub machines: u64,
    /// The most actions that are needed to reach a state.
    pub depth: u32,
    /// How long it took.
    pub took: Duration,
    /// Each ending, with the number of states in which a run has it.
    pub endings: [(Ending, u64); 4],
    /// In how many states a run is quarantined.
    pub quarantined: u64,
    /// States from which no settled one can be reached.
    pub stuck: u64,
    /// States that lead nowhere and are not settled.
    pub dead_ends: u64,
    /// Transitions that were left out because the network was full.
    pub crowded: u64,
    /// What was broken; each invariant once, by as few actions as can be.
    pub breaches: Vec<Breach>,
}

/// A broken invariant.
#[derive(Debug, Clone)]
pub struct Breach {
    /// Which.
    pub invariant: Invariant,
    /// After how many actions.
    pub depth: u32,
    /// What happened, action by action.
    pub trace: String,
}

impl Exploration {
    /// Returns whether every invariant held and nothing was left out.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.breaches.is_empty() && self.stuck == 0 && self.dead_ends == 0 && self.crowded == 0
    }

    /// Returns how many states have a run with this ending.
    #[must_use]
    pub fn ended(&self, ending: Ending) -> u64 {
        self.endings.iter().find(|(kind, _)| *kind == ending).map_or(0, |(_, count)| *count)
    }
}

impl fmt::Display for Exploration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, states, transitions, depth, took, .. } = self;
        let took = took.as_secs_f32();
        write!(f, "{name}: states={states} transitions={transitions} depth={depth} time={took:.1}s")?;
        for breach in &self.breaches {
            write!(f, "; {} is broken after {} actions", breach.invariant, breach.depth)?;
        }
        if self.stuck > 0 || self.dead_ends > 0 {
            write!(f, "; {} states cannot end, {} lead nowhere", self.stuck, self.dead_ends)?;
        }
        Ok(())
    }
}

/// Explores a configuration to the last state.
#[must_use]
pub fn explore(configuration: &Configuration) -> Exploration {
    look_into(configuration, &[], Until::Exhausted)
}

/// Explores a configuration; the invariants in `blind` are not looked at.
pub(super) fn look_into(configuration: &Configuration, blind: &[Invariant], until: Until) -> Exploration {
    let begun = now();
    let scenario = Scenario::new(&configuration.sketches);
    let mut model = Model::new(scenario, configuration.rules, configuration.workers);
    let start = World::new(configuration.budget);
    let found = search::search(&mut model, start, Breaches::of(blind), until);
    let (stuck, dead_ends) = if found.breaches.is_empty() { found.graph.stuck() } else { (0, 0) };
    let tell = |(invariant, depth, path): &(Invariant, u32, Vec<_>)| {
        let trace = trace::tell(&mut model, start, path);
        Breach { invariant: *invariant, depth: *depth, trace }
    };
    let breaches = found.breaches.iter().map(tell).collect();
    Exploration {
        name: configuration.name(),
        states: found.graph.len() as u64,
        transitions: found.transitions,
        machines: model.machines.count() as u64,
        depth: found.depth,
        took: begun.elapsed(),
        endings: ENDINGS.map(|ending| (ending, found.endings[ending as usize])),
        quarantined: found.quarantined,
        stuck,
        dead_ends,
        crowded: found.crowded,
        breaches,
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a proof took is for people only")]
fn now() -> Instant {
    Instant::now()
}
