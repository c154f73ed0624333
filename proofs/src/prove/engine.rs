//! `prove engine`: the protocol explored, then the kill matrix and random kills of runs on this host.

use std::path::Path;
use std::process::ExitCode;

use hotfix_testkit::explore;

use super::cell::{Cell, Ground};
use super::matrix::{Extent, Figures, Matrix, folder_of_worlds, run};
use super::repository::Template;
use super::{say, warn};

/// How many runs are killed at random times.
const RANDOM_RUNS: u64 = 150;

pub(super) fn main(extent: Extent) -> ExitCode {
    let explored = extent != Extent::Whole || explored();
    let proven = run(async |program| kill_matrix(&program, extent).await);
    if explored { proven } else { ExitCode::FAILURE }
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
    let folder = folder_of_worlds()?;
    let template = Template::make(folder.path(), program)?;
    let ground = Ground { template, program: program.to_owned(), folder: folder.path().to_owned() };
    let mut figures = Figures::of("engine");
    let proven = prove(&ground, extent, &mut figures).await;
    figures.conclude(extent, proven, folder)
}

async fn prove(ground: &Ground, extent: Extent, figures: &mut Figures) -> Result<(), String> {
    let matrix = Matrix::of::<Cell>(ground, figures).await?;
    let longest = matrix.longest;
    if extent == Extent::Whole {
        warn(&format!("{} cells", matrix.cells()));
    }
    matrix.play::<Cell>(ground, extent, figures).await;
    if extent != Extent::Sample {
        figures.kill_at_random::<Cell>(ground, RANDOM_RUNS, longest).await;
    }
    Ok(())
}
