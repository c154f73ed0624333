//! `create`, `deploy`, `rollback`: plan, show, ask, drive. And `plan`, which ends after showing.

use hotfix::EngineError;
use hotfix::plan::{Baseline, Mermaid, Planned};
use hotfix::port::{Basis, IncidentStore as _, KnownGood};
use hotfix::request::Goal;

use crate::arguments::{Change, Format};
use crate::backends::{Session, flush};
use crate::exit::{Exit, Failure};
use crate::follow;
use crate::say::{self, Answer};

/// Carries a change out.
pub(crate) async fn run(session: &Session, what: &Change) -> Result<Exit, Failure> {
    let engine = session.engine().await?;
    let plan = match engine.plan(&what.request(session)).await? {
        Planned::Plan(plan) => plan,
        Planned::NothingToDo(why) => {
            say::line(why);
            return Ok(Exit::Done);
        }
    };
    say::line(&plan);
    if !what.is_confirmed() {
        match say::ask("Do this?").await? {
            Answer::Yes => {}
            Answer::No => return Ok(Exit::Cancelled),
            Answer::Nobody => {
                return Err(Failure::usage("nobody can be asked here; add --yes to carry the plan out"));
            }
        }
    }
    let before = plan.release().and(plan.baselines().last()).cloned();
    let is_watched = matches!(plan.request().goal, Goal::Deploy { .. });
    let run = engine.start(*plan).await?;
    let exit = follow::drive(session, &engine, run).await?;
    if let Some(before) = before.filter(|_| exit == Exit::Done) {
        show_way_back(session, &before).await?;
        let lasting = session.config.policy.after_success.lasting;
        if is_watched && lasting.as_millis() > 0 {
            say::line(format_args!("to watch it for {lasting}: hotfix resume   (Ctrl-C leaves it)"));
        }
    }
    Ok(exit)
}

/// Shows what would be done. Only reads.
pub(crate) async fn show(session: &Session, what: &Change, format: Format) -> Result<Exit, Failure> {
    let engine = session.engine().await?;
    let planned = engine.plan(&what.request(session)).await;
    flush(&engine).await;
    match (planned, format) {
        (Ok(Planned::Plan(plan)), Format::Text) => say::line(plan),
        (Ok(Planned::Plan(plan)), Format::Mermaid) => say::line(Mermaid(&plan)),
        (Ok(Planned::Plan(plan)), Format::Json) => say::line(serde_json::to_string_pretty(&*plan)?),
        (Ok(Planned::NothingToDo(why)), Format::Json) => say::line(serde_json::to_string_pretty(&why)?),
        (Ok(Planned::NothingToDo(why)), _) => say::line(why),
        (Err(EngineError::Refused(refused)), Format::Json) => {
            say::line(serde_json::to_string_pretty(&refused)?);
            return Ok(Exit::from(&EngineError::Refused(refused)));
        }
        (Err(error), _) => return Err(error.into()),
    }
    Ok(Exit::Done)
}

/// Says how to take a deploy back after it ended. Only what is known to be good can be gone back to.
async fn show_way_back(session: &Session, before: &Baseline) -> Result<(), Failure> {
    let Baseline { target, snapshot } = before;
    let (release, artifact) = (&snapshot.release, snapshot.release.artifact.id());
    let proven = session.store().await?.known_good(target, usize::MAX >> 1).await?;
    let is_trusted =
        |good: &KnownGood| good.basis != Basis::Withdrawn && good.release.artifact.id() == artifact;
    if proven.iter().any(is_trusted) {
        let (version, environment) = (&release.version, &target.environment);
        say::line(format_args!(
            "to go back: hotfix rollback --to {version} --environment {environment} --reason '…'"
        ));
    } else {
        say::line(format_args!(
            "{release} was not well on {target} and no run ever proved it, so there is no rollback to it"
        ));
    }
    Ok(())
}
