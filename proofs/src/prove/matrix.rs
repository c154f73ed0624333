//! The kill matrix: a run without any kill tells where drivers can be stopped, every such cell is played, and one line
//! says what was checked.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::StreamExt as _;
use tempfile::TempDir;

use super::repository::Patch;
use super::successor::{Case, Verdict, ended, ending};
use super::world::World;
use super::{random, say, warn};

/// How much is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Every cell, and random kills.
    Whole,
    /// A few cells spread over the matrix.
    Sample,
    /// Random kills only.
    Random,
}

/// What taking a run over may take in 95 of 100 cases, counted from when that was possible. Nobody drives the run
/// meanwhile: two seconds more than the lease are about what customers of a bad release are asked to wait for a process
/// to start, to open its store and its connections and to read the journal. It holds while the cores are busy with
/// other worlds.
const RESUME_P95_MS: f64 = 2_000.0;

/// What a proof came to.
#[derive(Debug)]
pub struct Figures {
    /// What was proven.
    pub area: &'static str,
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
    /// Milliseconds from when a run could be taken over until it was.
    pub resume_ms: Vec<f64>,
}

/// The cells of a matrix.
#[derive(Debug)]
pub(super) struct Matrix {
    cases: Vec<Case>,
    /// How long the longest run takes without any kill.
    pub(super) longest: Duration,
}

impl Matrix {
    /// Runs each patch once without any kill, and finds the cells of both.
    pub(super) async fn of<W: World>(ground: &W::Ground, figures: &mut Figures) -> Result<Self, String> {
        let mut matrix = Self { cases: Vec::new(), longest: Duration::ZERO };
        for patch in [Patch::Good, Patch::Bad] {
            matrix.add::<W>(ground, patch, figures).await?;
        }
        Ok(matrix)
    }

    async fn add<W: World>(
        &mut self,
        ground: &W::Ground,
        patch: Patch,
        figures: &mut Figures,
    ) -> Result<(), String> {
        let mut verdict = Verdict::new(format!("{} without a kill", patch.name()));
        let mut world = W::open(ground, patch.name()).await?;
        let started = tokio::time::Instant::now();
        let mut driver = world.home().start("w1", patch, None)?;
        let played = ended(&mut driver, "the driver").await.map(|()| ending(patch));
        self.longest = self.longest.max(started.elapsed());
        verdict.close(&mut world, played).await;
        let spots = world.spots(patch)?;
        let log = verdict.evidence.as_ref().map(|_| std::fs::read_to_string(world.home().log("w1")));
        let found = verdict.findings.violations.join("\n");
        figures.add(verdict);
        if !found.is_empty() {
            return Err(format!("{found}\n{}", log.and_then(Result::ok).unwrap_or_default()));
        }
        self.cases.extend(Case::all(patch, &spots));
        Ok(())
    }

    /// How many cells there are.
    pub(super) fn cells(&self) -> usize {
        self.cases.len()
    }

    /// Plays as many of the cells as were asked for, a few at a time.
    pub(super) async fn play<W: World>(self, ground: &W::Ground, extent: Extent, figures: &mut Figures) {
        let mut cases = self.cases;
        match extent {
            Extent::Whole => {}
            Extent::Random => return,
            Extent::Sample => {
                let stride = cases.len().div_ceil(W::sample(ground)).max(1);
                // A stride that shares no factor with the moments and successors meets all of them.
                cases = cases.into_iter().step_by(stride | 1).collect();
            }
        }
        figures.cells += cases.len();
        let played = cases.into_iter().map(|case| async move { case.play::<W>(ground).await });
        figures.gather(played, W::AT_ONCE, extent).await;
    }
}

/// Makes the folder of all worlds of a proof.
pub(super) fn folder_of_worlds() -> Result<TempDir, String> {
    tempfile::Builder::new().prefix("hotfix-prove-").tempdir().map_err(|error| error.to_string())
}

/// Runs a proof with this program in all parts, and says what came of it.
pub(super) fn run(proof: impl AsyncFnOnce(PathBuf) -> Result<Figures, String>) -> ExitCode {
    let program = std::env::current_exe().map_err(|error| format!("this program has no path: {error}"));
    let proven = program.and_then(|program| super::runtime()?.block_on(proof(program)));
    match proven {
        Err(error) => {
            warn(&error);
            ExitCode::from(2)
        }
        Ok(figures) => {
            say(&figures.to_string());
            if figures.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
    }
}

impl Figures {
    pub(super) fn of(area: &'static str) -> Self {
        let (failed, resume_ms) = (Vec::new(), Vec::new());
        Self { area, checks: 0, failed, cells: 0, random: 0, kills: 0, resume_ms }
    }

    /// Plays runs that are killed at random times.
    pub(super) async fn kill_at_random<W: World>(
        &mut self,
        ground: &W::Ground,
        runs: u64,
        longest: Duration,
    ) {
        self.random += usize::try_from(runs).unwrap_or(usize::MAX);
        let played = (0..runs).map(|seed| async move { random::play::<W>(ground, seed, longest).await });
        self.gather(played, W::AT_ONCE, Extent::Random).await;
    }

    async fn gather(
        &mut self,
        played: impl Iterator<Item = impl Future<Output = Verdict>>,
        at_once: usize,
        extent: Extent,
    ) {
        let mut playing = futures_util::stream::iter(played).buffer_unordered(at_once);
        let mut done = 0_u32;
        while let Some(verdict) = playing.next().await {
            done += 1;
            if extent != Extent::Sample && done.is_multiple_of(20) {
                warn(&format!("{done} worlds done"));
            }
            self.add(verdict);
        }
    }

    pub(super) fn add(&mut self, verdict: Verdict) {
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

    /// Ends a proof. Where something was found, the folder of the worlds is left with the evidence.
    pub(super) fn conclude(
        mut self,
        extent: Extent,
        proven: Result<(), String>,
        folder: TempDir,
    ) -> Result<Self, String> {
        // A few worlds tell nothing of the worst twentieth.
        if extent != Extent::Sample && proven.is_ok() {
            self.check_resume();
        }
        if proven.is_err() || !self.failed.is_empty() {
            warn(&format!("the evidence is kept in {}", folder.keep().display()));
        }
        proven.map(|()| self)
    }

    fn check_resume(&mut self) {
        let p95 = self.resume_p95();
        self.checks += 1;
        if p95 > RESUME_P95_MS {
            self.failed
                .push(format!("95 of 100 runs were taken over within {p95:.0} ms, not {RESUME_P95_MS}"));
        }
    }

    /// The time within which 95 of 100 runs were taken over, once that was possible.
    fn resume_p95(&self) -> f64 {
        let mut sorted = self.resume_ms.clone();
        sorted.sort_by(f64::total_cmp);
        let place = (sorted.len() * 95).div_ceil(100).saturating_sub(1);
        sorted.get(place).copied().unwrap_or_default()
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (failed, p95) = (self.failed.len(), self.resume_p95());
        let Self { area, checks, cells, random, kills, .. } = self;
        write!(
            f,
            "prove {area}: checks={checks} failed={failed} cells={cells} random={random} kills={kills} resume_p95_ms={p95:.0}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_in_which_runs_were_taken_over_too_late_has_failed() {
        let concluded = |extent, late: usize| {
            let mut figures = Figures::of("test");
            figures.resume_ms = vec![150.0; 100 - late];
            figures.resume_ms.extend(vec![2_500.0; late]);
            let folder = folder_of_worlds().expect("a folder");
            let kept = folder.path().to_owned();
            let figures = figures.conclude(extent, Ok(()), folder).expect("proven");
            // Left as the evidence where something was found.
            let _gone = std::fs::remove_dir_all(kept);
            figures.failed
        };
        assert_eq!(concluded(Extent::Whole, 5), Vec::<String>::new());
        assert_eq!(concluded(Extent::Whole, 6), ["95 of 100 runs were taken over within 2500 ms, not 2000"]);
        assert_eq!(concluded(Extent::Sample, 6), Vec::<String>::new());
    }
}
