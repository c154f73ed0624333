//! `create`, `deploy`, `rollback`: plan, show, ask, drive. And `plan`, which ends after showing.

use hotfix::EngineError;
use hotfix::plan::{Mermaid, Plan, Planned};

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
    let back = way_back(&plan);
    let run = engine.start(*plan).await?;
    let exit = follow::drive(session, &engine, run).await?;
    if exit == Exit::Done
        && let Some(back) = back
    {
        say::line(format_args!("to go back: {back}"));
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

/// The command that takes a deploy back after it ended.
fn way_back(plan: &Plan) -> Option<String> {
    plan.release()?;
    let before = plan.baselines().last()?;
    let version = &before.snapshot.release.version;
    Some(format!("hotfix rollback --to {version} --reason '…' --environment {}", before.target.environment))
}
