//! The worlds that are explored to the last state.

use super::rules::{KeyRule, Rules};
use super::sketch::{Part, Place, Sketch};
use super::world::Budget;

/// One world: its runs, its workers and how much trouble there is.
#[derive(Debug, Clone)]
pub struct Configuration {
    pub(super) name: &'static str,
    pub(super) sketches: Vec<Sketch>,
    pub(super) workers: u8,
    pub(super) rules: Rules,
    pub(super) budget: Budget,
}

/// Everything at once costs more states than it is worth; each configuration has a focus.
const TROUBLE: Budget = Budget {
    crashes: 1,
    usurpations: 1,
    losses: 1,
    duplicates: 1,
    refusals: 1,
    halves: 0,
    outages: 0,
    edits: 0,
    cancels: 1,
    hastes: 0,
    stalls: 0,
    looks: 0,
};

impl Configuration {
    /// A world of one worker that may die once: a few thousand states.
    #[must_use]
    pub fn small() -> Self {
        let budget = Budget { usurpations: 0, losses: 0, ..TROUBLE };
        Self::new("one run, one worker, one crash", &[deploy(2)], 1, budget)
    }

    /// A world of one worker in which somebody asks for all of the traffic at once.
    #[must_use]
    pub fn hastened() -> Self {
        let budget = Budget { usurpations: 0, losses: 0, hastes: 1, ..TROUBLE };
        Self::new("shares that are left out, one worker, one crash", &[shares()], 1, budget)
    }

    /// A world of one worker in which a target changes a part of what it is asked to, and no more.
    #[must_use]
    pub fn half_way() -> Self {
        let budget = Budget { usurpations: 0, losses: 0, duplicates: 0, halves: 1, ..TROUBLE };
        Self::new("changes that stop half-way, one worker, one crash", &[deploy(2)], 1, budget)
    }

    /// All worlds of the long proof.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let two_crashes = Budget { crashes: 2, cancels: 0, ..TROUBLE };
        let edited = Budget { edits: 1, refusals: 0, ..TROUBLE };
        let unreachable = Budget { outages: 2, refusals: 0, losses: 0, cancels: 0, ..TROUBLE };
        let watched = Budget { stalls: 1, looks: 1, losses: 0, duplicates: 0, refusals: 0, ..TROUBLE };
        let shared = Budget { refusals: 0, cancels: 0, ..TROUBLE };
        let staged = Budget { refusals: 0, ..TROUBLE };
        let hastened = Budget { hastes: 1, duplicates: 0, losses: 0, ..TROUBLE };
        let halved = Budget { halves: 2, duplicates: 0, losses: 0, ..TROUBLE };
        let mut mindful =
            Self::new("a target that remembers keys", &[deploy(2)], 2, Budget { cancels: 0, ..TROUBLE });
        mindful.rules.keys = KeyRule::AppliedOnce;
        vec![
            Self::small(),
            Self::new("one run, two workers, one crash", &[deploy(2)], 2, TROUBLE),
            Self::new("one run, two workers, two crashes", &[deploy(2)], 2, two_crashes),
            mindful,
            Self::new("one run and an edit by somebody else", &[deploy(2)], 2, edited),
            Self::new("a target out of reach", &[deploy(2)], 2, unreachable),
            Self::new("a gate that is watched", &[deploy(2)], 2, watched),
            Self::new("two runs on one target", &[deploy(1), other(deploy(1))], 2, shared),
            Self::new("branch, deploy, publish", &[release()], 2, staged),
            Self::new("shares that somebody leaves out", &[shares()], 2, hastened),
            Self::new("changes that stop half-way", &[deploy(2)], 2, halved),
        ]
    }

    pub(super) fn new(name: &'static str, sketches: &[Sketch], workers: u8, budget: Budget) -> Self {
        Self { name, sketches: sketches.to_vec(), workers, rules: Rules::default(), budget }
    }

    /// Returns the name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

/// Deploys, verifies, and restores when that fails.
pub(super) fn deploy(attempts: u8) -> Sketch {
    Sketch { places: vec![Place::Workload], parts: vec![Part::Change(0), Part::Gate(0)], attempts, first: 2 }
}

/// The same for another run: what it deploys is something else.
pub(super) fn other(sketch: Sketch) -> Sketch {
    Sketch { first: 8, ..sketch }
}

/// Makes a branch, deploys, verifies, and publishes what then cannot be taken back.
pub(super) fn release() -> Sketch {
    Sketch {
        places: vec![Place::Workload, Place::Source],
        parts: vec![Part::Change(1), Part::Change(0), Part::Gate(0), Part::Publish(1)],
        attempts: 1,
        first: 2,
    }
}

/// Deploys in two batches, each judged: the first at a share of the traffic.
pub(super) fn shares() -> Sketch {
    Sketch {
        places: vec![Place::Workload],
        parts: vec![Part::Batch(0), Part::Share(0), Part::Batch(0), Part::Gate(0)],
        attempts: 1,
        first: 2,
    }
}
