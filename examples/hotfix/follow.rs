//! Following runs: those that this process drives, and those that it only watches.

use std::pin::pin;

use futures_util::{Stream, StreamExt as _};
use hotfix::communicate::{Progress, ProgressKind};
use hotfix::execute::Outcome;
use hotfix::model::RunId;
use hotfix::port::{RunFilter, RunState, RunSummary};
use hotfix::{Engine, EngineError, RunHandle};

use crate::backends::{Session, flush};
use crate::exit::{Exit, Failure};
use crate::say;

/// Drives a run to its end, or until the user detaches, which leaves the run as it is.
pub(crate) async fn drive(session: &Session, engine: &Engine, mut run: RunHandle) -> Result<Exit, Failure> {
    let id = run.run().clone();
    say::line(format_args!("run {id}, incident {}", run.incident()));
    let seen = show(&mut run).await?;
    let outcome = match seen {
        Seen::Ended(_) => run.outcome().await?,
        Seen::Interrupted { next } => {
            // Dropping the handle stops the driver at once, which is the same as a crash by design.
            drop(run);
            detached(&id, next);
            say::line(format_args!("  go on with it  hotfix resume {id}   (when its lease has ended)"));
            return Ok(Exit::Detached);
        }
        // The stream ends without an outcome when somebody else took the run over, or the journal failed.
        Seen::Nothing => run.outcome().await?,
    };
    flush(engine).await;
    keep_postmortem(session, engine, &id).await?;
    Ok(Exit::from(&outcome))
}

/// `watch`.
pub(crate) async fn watch(session: &Session, run: &RunId, from: u64) -> Result<Exit, Failure> {
    let engine = session.engine().await?;
    find(&engine, run).await?;
    match show(engine.watch(run, from)).await? {
        Seen::Ended(outcome) => Ok(Exit::from(&outcome)),
        Seen::Interrupted { next } => {
            detached(run, next);
            Ok(Exit::Detached)
        }
        // Everything was before `from`: say how it ended all the same.
        Seen::Nothing => match show(engine.watch(run, 0)).await? {
            Seen::Ended(outcome) => Ok(Exit::from(&outcome)),
            _ => Ok(Exit::Done),
        },
    }
}

/// `cancel`.
pub(crate) async fn cancel(session: &Session, run: &RunId, reason: &str) -> Result<Exit, Failure> {
    open(session, run).await?.cancel(run, &session.person(), reason).await?;
    say::line(format_args!("run {run} was asked to stop; whoever drives it does so at its next step"));
    say::line(format_args!("  follow it  hotfix watch {run}"));
    Ok(Exit::Done)
}

/// `hasten`.
pub(crate) async fn hasten(session: &Session, run: &RunId, reason: &str) -> Result<Exit, Failure> {
    open(session, run).await?.hasten(run, &session.person(), reason).await?;
    say::line(format_args!("run {run} was asked to go to all of the traffic at once, and to prove it there"));
    say::line(format_args!("  follow it  hotfix watch {run}"));
    Ok(Exit::Done)
}

/// `approve`.
pub(crate) async fn approve(session: &Session, run: &RunId) -> Result<Exit, Failure> {
    open(session, run).await?.approve(run, &session.person()).await?;
    say::line(format_args!("{} agrees to run {run}; whoever drives it goes on at once", session.person()));
    say::line(format_args!("  drive it here  hotfix resume {run}   (when nobody does)"));
    Ok(Exit::Done)
}

/// `resume`.
pub(crate) async fn resume(session: &Session, run: Option<&RunId>) -> Result<Exit, Failure> {
    let engine = session.engine().await?;
    if let Some(run) = run {
        find(&engine, run).await?;
        let run = engine.resume(run).await?;
        return drive(session, &engine, run).await;
    }
    let mut runs = engine.resume_all().await?;
    if runs.is_empty() {
        return nothing_to_resume(&engine).await;
    }
    let mut worst = Exit::Done;
    // What follows a run is begun when it has ended: the watch of a release, the rollback of one that turned bad.
    while !runs.is_empty() {
        for run in runs {
            worst = worst.max(drive(session, &engine, run).await?);
            if worst == Exit::Detached {
                return Ok(worst);
            }
        }
        runs = engine.resume_all().await?;
    }
    Ok(worst)
}

async fn nothing_to_resume(engine: &Engine) -> Result<Exit, Failure> {
    let open = engine.runs(RunFilter::Open).await?;
    if open.is_empty() {
        say::line("no run was left");
        return Ok(Exit::Done);
    }
    for RunSummary { run, holder, expires_at, .. } in open {
        say::line(format_args!(
            "run {run} is driven by {holder}, whose lease lasts until {}",
            expires_at.format("%H:%M:%S UTC")
        ));
    }
    Ok(Exit::Busy)
}

/// How showing a run ended.
enum Seen {
    Ended(Outcome),
    Interrupted { next: u64 },
    Nothing,
}

async fn show(progress: impl Stream<Item = Result<Progress, EngineError>>) -> Result<Seen, Failure> {
    let (mut progress, mut interrupted) = (pin!(progress), pin!(tokio::signal::ctrl_c()));
    let mut next = 0;
    loop {
        let item = tokio::select! {
            item = progress.next() => item.transpose()?,
            pressed = &mut interrupted => {
                pressed?;
                return Ok(Seen::Interrupted { next });
            }
        };
        let Some(item) = item else { return Ok(Seen::Nothing) };
        say::line(format_args!("[{}] {item}", item.seq));
        next = item.seq + 1;
        if let ProgressKind::Ended(outcome) = item.kind {
            return Ok(Seen::Ended(outcome));
        }
    }
}

fn detached(run: &RunId, next: u64) {
    say::line(format_args!("\ndetached; run {run} is left as it is"));
    say::line(format_args!("  follow it      hotfix watch {run} --from {next}"));
    say::line(format_args!("  stop it        hotfix cancel {run} --reason '…'"));
}

/// Returns an engine to speak to a run with that has not ended.
async fn open(session: &Session, run: &RunId) -> Result<Engine, Failure> {
    let engine = session.engine().await?;
    if find(&engine, run).await?.state == RunState::Ended {
        return Err(EngineError::Ended { run: run.clone() }.into());
    }
    Ok(engine)
}

async fn find(engine: &Engine, run: &RunId) -> Result<RunSummary, Failure> {
    let mut runs = engine.runs(RunFilter::All).await?.into_iter();
    let found = runs.find(|summary| summary.run == *run);
    found.ok_or_else(|| EngineError::Unknown { run: run.clone() }.into())
}

async fn keep_postmortem(session: &Session, engine: &Engine, run: &RunId) -> Result<(), Failure> {
    let folder = session.config.state.join("postmortems");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{run}.md"));
    std::fs::write(&path, engine.postmortem(run).await?)?;
    say::line(format_args!("postmortem: {}", path.display()));
    Ok(())
}
