//! `prove engine`: the kill matrix, random kills, and one line that says what was checked.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use hotfix_core::execute::Record;
use hotfix_core::plan::{Plan, StepId};

use hotfix_testkit::explore;

use super::audit::Journal;
use super::cell::{Cell, Ground};
use super::kill::Moment;
use super::repository::{Patch, Template};
use super::successor::{Case, Successor, Verdict, ended, ending, site};
use super::{random, say, warn};

/// How much is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Every cell, and random kills.
    Whole,
    /// A dozen cells spread over the matrix.
    Sample,
    /// Random kills only.
    Random,
}

/// How many runs are killed at random times.
const RANDOM_RUNS: u64 = 150;
/// How many cells a sample has.
const SAMPLE: usize = 12;
/// How many worlds are alive at the same time.
const AT_ONCE: usize = 3;

/// What a proof came to.
#[derive(Debug, Default)]
pub struct Figures {
    /// Conditions that were looked at.
    pub checks: u64,
    /// Worlds in which one did not hold, with what it was.
    pub failed: Vec<String>,
    /// Worlds of the matrix.
    pub cells: usize,
    /// Worlds with kills at random times.
    pub random: usize,
    /// Drivers that were killed or frozen.
    pub kills: u64,
    /// Milliseconds from when a run could be taken over until it was, sorted.
    pub resume_ms: Vec<f64>,
}

pub(super) fn main(extent: Extent) -> ExitCode {
    let explored = extent != Extent::Whole || explored();
    let program = std::env::current_exe().map_err(|error| format!("this program has no path: {error}"));
    let proven = program.and_then(|program| super::runtime()?.block_on(kill_matrix(&program, extent)));
    match proven {
        Err(error) => {
            warn(&error);
            ExitCode::from(2)
        }
        Ok(figures) => {
            say(&figures.to_string());
            if figures.failed.is_empty() && explored { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
    }
}

/// Explores the protocol before anything real is killed, and returns whether it holds.
fn explored() -> bool {
    let reports = explore::prove(&explore::Options::default());
    for report in &reports {
        say(&report.to_string());
        report.lines.iter().chain(&report.failures).for_each(|line| say(&format!("  {line}")));
    }
    reports.iter().all(|report| report.failures.is_empty())
}

/// Plays the matrix with drivers, agents and services that are processes of `program`, which is `prove`.
///
/// # Errors
/// A sentence when the proof cannot be set up: no folder, no git, a run without interruption that does not end well.
pub async fn kill_matrix(program: &Path, extent: Extent) -> Result<Figures, String> {
    let folder =
        tempfile::Builder::new().prefix("hotfix-prove-").tempdir().map_err(|error| error.to_string())?;
    let template = Template::make(folder.path(), program)?;
    let ground = Ground { template, program: program.to_owned(), folder: folder.path().to_owned() };
    let ground = Arc::new(ground);
    let mut figures = Figures::default();
    let mut cases = Vec::new();
    let mut longest = Duration::ZERO;
    for patch in [Patch::Good, Patch::Bad] {
        let (effects, took) = match reference(&ground, patch, &mut figures).await {
            Ok(found) => found,
            Err(error) => {
                let _kept = folder.keep();
                return Err(error);
            }
        };
        longest = longest.max(took);
        cases.extend(effects.into_iter().flat_map(|(step, what)| cells(patch, step, &what)));
    }
    match extent {
        Extent::Whole => {}
        Extent::Random => cases.clear(),
        Extent::Sample => {
            let stride = cases.len().div_ceil(SAMPLE).max(1);
            // A stride that shares no factor with the moments and successors meets all of them.
            cases = cases.into_iter().step_by(stride | 1).collect();
        }
    }
    figures.cells = cases.len();
    let played = cases.into_iter().map(|case| {
        let ground = Arc::clone(&ground);
        async move { case.play(&ground).await }
    });
    figures.gather(played, extent).await;
    if extent != Extent::Sample {
        figures.random = usize::try_from(RANDOM_RUNS).unwrap_or(usize::MAX);
        let played = (0..RANDOM_RUNS).map(|seed| {
            let ground = Arc::clone(&ground);
            async move { random::play(&ground, seed, longest).await }
        });
        figures.gather(played, extent).await;
    }
    if !figures.failed.is_empty() {
        warn(&format!("the evidence is kept in {}", folder.keep().display()));
    }
    figures.resume_ms.sort_by(f64::total_cmp);
    Ok(figures)
}

fn cells(patch: Patch, step: u16, what: &str) -> Vec<Case> {
    let case = |moment, successor| Case { patch, step, what: what.to_owned(), moment, successor };
    let all = Moment::ALL.into_iter().flat_map(|moment| Successor::ALL.map(|successor| (moment, successor)));
    all.map(|(moment, successor)| case(moment, successor)).collect()
}

/// Runs once without any kill and returns the effects that it had: all of them for the good fix, those of the way back
/// for the bad one.
async fn reference(
    ground: &Ground,
    patch: Patch,
    figures: &mut Figures,
) -> Result<(Vec<(u16, String)>, Duration), String> {
    let mut verdict = Verdict::new(format!("{} without a kill", patch.name()));
    let mut cell = Cell::open(ground, patch.name()).await?;
    let started = tokio::time::Instant::now();
    let mut driver = cell.start("w1", patch, None)?;
    let played = ended(&mut driver, "the driver").await.map(|()| ending(patch));
    let took = started.elapsed();
    let journal = site(&cell).journal;
    let effects = effects(&Journal::read(&journal)?, patch);
    verdict.close(&mut cell, played).await;
    let log = verdict.evidence.as_ref().map(|folder| std::fs::read_to_string(folder.join("driver-w1.log")));
    figures.add(verdict);
    match figures.failed.first() {
        Some(failure) => Err(format!("{failure}\n{}", log.and_then(Result::ok).unwrap_or_default())),
        None => Ok((effects, took)),
    }
}

fn effects(journal: &Journal, patch: Patch) -> Vec<(u16, String)> {
    let records: Vec<_> =
        journal.entries.iter().filter_map(|entry| Record::decode(&entry.text).ok()).collect();
    let Some(Record::Planned(planned)) = records.first() else { return Vec::new() };
    let plan: &Plan = &planned.plan;
    let steps = records.iter().filter_map(|record| match record {
        Record::Intent(intent) if intent.attempt == 1 => Some(intent.step),
        _ => None,
    });
    let wanted = |step: &StepId| patch == Patch::Good || plan.undo(*step).is_some();
    let named = |step: StepId| (step.0, plan.effect(step).map(ToString::to_string).unwrap_or_default());
    steps.filter(wanted).map(named).collect()
}

impl Figures {
    async fn gather(&mut self, played: impl Iterator<Item = impl Future<Output = Verdict>>, extent: Extent) {
        let mut playing = futures_util::stream::iter(played).buffer_unordered(AT_ONCE);
        let mut done = 0_u32;
        while let Some(verdict) = playing.next().await {
            done += 1;
            if extent != Extent::Sample && done.is_multiple_of(20) {
                warn(&format!("{done} worlds done"));
            }
            self.add(verdict);
        }
    }

    fn add(&mut self, verdict: Verdict) {
        self.checks += u64::from(verdict.findings.checks);
        self.kills += u64::from(verdict.kills);
        self.resume_ms.extend(verdict.resume_ms);
        if !verdict.findings.violations.is_empty() {
            let evidence = verdict.evidence.map(|folder| format!("\n  evidence: {}", folder.display()));
            let all = verdict.findings.violations.join("\n  ");
            let failure = format!("{}:\n  {all}{}", verdict.name, evidence.unwrap_or_default());
            warn(&failure);
            self.failed.push(failure);
        }
    }

    /// The time within which 95 of 100 runs were taken over, once that was possible.
    fn resume_p95(&self) -> f64 {
        let place = (self.resume_ms.len() * 95).div_ceil(100).saturating_sub(1);
        self.resume_ms.get(place).copied().unwrap_or_default()
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (failed, p95) = (self.failed.len(), self.resume_p95());
        let Self { checks, cells, random, kills, .. } = self;
        write!(
            f,
            "prove engine: checks={checks} failed={failed} cells={cells} random={random} kills={kills} resume_p95_ms={p95:.0}"
        )
    }
}
