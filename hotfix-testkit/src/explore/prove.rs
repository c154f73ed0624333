//! The whole proof in parts, each reported when it is done.

use std::fmt;
use std::time::{Duration, Instant};

use super::configuration::Configuration;
use super::exploration::{Exploration, explore};
use super::fault::{SeededFault, guarded_rerun};
use super::walk::walk;
use super::world::Ending;

/// How much is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Which worlds are explored.
    pub worlds: Worlds,
    /// How many random walks are taken.
    pub walks: u64,
    /// The seed of the first walk; each further one has the next.
    pub first_seed: u64,
}

/// Which worlds are explored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worlds {
    /// The smallest one: for every test run.
    Small,
    /// All of them: minutes on one core, less than a gigabyte.
    All,
}

impl Default for Options {
    /// The long proof.
    fn default() -> Self {
        Self { worlds: Worlds::All, walks: 50_000, first_seed: 0 }
    }
}

/// What one part of the proof came to.
#[derive(Debug, Clone, Default)]
pub struct AreaReport {
    /// What was proven.
    pub area: &'static str,
    /// How many things were checked.
    pub checks: u64,
    /// How many different states were seen, or actions taken.
    pub states: u64,
    /// How long it took.
    pub took: Duration,
    /// One line for each thing that was checked at length.
    pub lines: Vec<String>,
    /// What does not hold, each with the actions that show it.
    pub failures: Vec<String>,
}

impl fmt::Display for AreaReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { area, checks, states, took, failures, .. } = self;
        let (failed, took) = (failures.len(), took.as_secs_f32());
        write!(f, "prove engine ({area}): checks={checks} failed={failed} states={states} time={took:.1}s")
    }
}

/// Proves everything and returns what each part came to.
#[must_use]
pub fn prove(options: &Options) -> Vec<AreaReport> {
    vec![
        timed(|| exploration(options.worlds)),
        timed(|| seeded_faults(options.worlds)),
        timed(|| walks(options.first_seed, options.walks)),
    ]
}

fn exploration(worlds: Worlds) -> AreaReport {
    let configurations = match worlds {
        Worlds::Small => vec![Configuration::small()],
        Worlds::All => Configuration::all(),
    };
    let mut report = AreaReport { area: "exploration", ..AreaReport::default() };
    let explorations: Vec<_> = configurations.iter().map(explore).collect();
    for exploration in &explorations {
        report.note(exploration);
    }
    for ending in [Ending::Succeeded, Ending::RolledBack, Ending::Cancelled, Ending::Escalated] {
        let reached = explorations.iter().any(|exploration| exploration.ended(ending) > 0);
        report
            .expect(reached, || format!("no run ever ended {ending:?}: the checks prove nothing about that"));
    }
    let quarantined = explorations.iter().any(|exploration| exploration.quarantined > 0);
    report.expect(worlds == Worlds::Small || quarantined, || "no target was ever quarantined".to_owned());
    report
}

fn seeded_faults(worlds: Worlds) -> AreaReport {
    let mut report = AreaReport { area: "seeded faults", ..AreaReport::default() };
    for fault in SeededFault::ALL {
        let hunt = fault.hunt();
        let wanted = fault.breaks();
        let found = hunt.breaches.iter().find(|breach| breach.invariant == wanted);
        report.states += hunt.states;
        report
            .lines
            .extend(found.map(|breach| format!("{fault}: breaks {wanted} after {} actions", breach.depth)));
        report.expect(found.is_some(), || format!("{fault}: {wanted} was not seen to be broken"));
    }
    if worlds == Worlds::All {
        report.note(&guarded_rerun());
    }
    report
}

fn walks(first: u64, count: u64) -> AreaReport {
    let mut report = AreaReport { area: "random walks", ..AreaReport::default() };
    let mut entries = 0;
    for seed in first..first.saturating_add(count) {
        report.checks += 1;
        match walk(seed) {
            Ok(walk) => {
                report.states += walk.actions;
                entries += walk.entries;
            }
            Err(failure) => report.failures.push(failure.to_string()),
        }
    }
    report.lines.push(format!("{count} seeds from {first} on: {entries} journal entries, each resumed from"));
    report
}

impl AreaReport {
    fn note(&mut self, exploration: &Exploration) {
        self.states += exploration.states;
        self.lines.push(exploration.to_string());
        self.expect(exploration.holds(), || {
            let traces = exploration.breaches.iter().map(|breach| breach.trace.as_str());
            format!("{exploration}\n{}", traces.collect::<String>())
        });
    }

    fn expect(&mut self, holds: bool, failure: impl FnOnce() -> String) {
        self.checks += 1;
        if !holds {
            self.failures.push(failure());
        }
    }
}

fn timed(part: impl FnOnce() -> AreaReport) -> AreaReport {
    #[expect(clippy::disallowed_methods, reason = "how long a proof took is for people only")]
    let begun = Instant::now();
    let report = part();
    AreaReport { took: begun.elapsed(), ..report }
}
