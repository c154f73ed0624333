//! The part of the process that drives a run: the production engine, with a trap in front of its ports.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hotfix_core::model::{
    BranchName, IssueKey, JudgeSettings, Pace, Period, ServiceName, Severity, WorkerName,
};
use hotfix_core::plan::Planned;
use hotfix_core::policy::{Execution, Policy, RolloutPolicy, Settings};
use hotfix_core::port::{Clock, RunFilter};
use hotfix_core::request::{Fix, Goal, Request, Revision, Staging, Strategy};
use hotfix_engine::{Engine, SystemClock};
use hotfix_git::{GitConfig, GitVersionControl};
use hotfix_local::{GitTreeSource, LocalConfig, LocalDeployer, LocalMetrics};
use hotfix_store::SqliteStore;

use super::kill::KillPoint;
use super::trap::{Trap, Trapped};
use super::{repository, say};

/// How long the lease of a driver lasts: how long a second process waits at the least.
pub(super) const LEASE: Period = Period::from_secs(1);

/// The journal of a cell.
pub(super) const JOURNAL: &str = "journal.db";
/// The state directory of the agent of a cell.
pub(super) const STATE: &str = "state";

/// `FOLDER WORKER start REVISION [POINT]`, or `FOLDER WORKER resume`.
pub(super) fn main(words: &[&str]) -> Result<(), String> {
    super::runtime()?.block_on(async {
        match *words {
            [folder, worker, "resume"] => resume(&engine(Path::new(folder), worker, None).await?).await,
            [folder, worker, "start", revision] => {
                start(&engine(Path::new(folder), worker, None).await?, revision).await
            }
            [folder, worker, "start", revision, point] => {
                start(&engine(Path::new(folder), worker, Some(point.parse()?)).await?, revision).await
            }
            _ => {
                Err("a driver takes FOLDER WORKER start REVISION [POINT], or FOLDER WORKER resume".to_owned())
            }
        }
    })
}

async fn start(engine: &Engine, revision: &str) -> Result<(), String> {
    let plan = match engine.plan(&request(revision)?).await {
        Ok(Planned::Plan(plan)) => *plan,
        Ok(other) => return Err(format!("nothing to do: {other:?}")),
        Err(error) => return Err(error.to_string()),
    };
    let run = engine.start(plan).await.map_err(|error| error.to_string())?;
    let outcome = run.outcome().await.map_err(|error| error.to_string())?;
    say(&outcome.to_string());
    Ok(())
}

/// How often a process that waits for somebody's lease to end looks again.
const AGAIN: Duration = Duration::from_millis(25);

/// Takes up whatever is open and drives it to its end.
async fn resume(engine: &Engine) -> Result<(), String> {
    loop {
        for run in engine.resume_all().await.map_err(|error| error.to_string())? {
            let outcome = run.outcome().await.map_err(|error| error.to_string())?;
            say(&outcome.to_string());
        }
        let open = engine.runs(RunFilter::Open).await.map_err(|error| error.to_string())?;
        if open.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn engine(folder: &Path, worker: &str, point: Option<KillPoint>) -> Result<Engine, String> {
    let trap = Trap::new(point);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let work = folder.join(repository::WORK);
    let source = GitConfig {
        path: work.clone(),
        remote: Some("origin".to_owned()),
        timeout: Period::from_secs(20),
        ..GitConfig::default()
    };
    let source = GitVersionControl::new(source, Arc::clone(&clock)).map_err(|error| error.to_string())?;
    let state = LocalConfig { state: folder.join(STATE) };
    let trees = Arc::new(GitTreeSource::new(work));
    let deployer = LocalDeployer::new(state.clone(), trees, Arc::clone(&clock));
    let store = SqliteStore::open(folder.join(JOURNAL), Arc::clone(&clock)).await;
    let store = store.map_err(|error| error.to_string())?;
    Engine::builder()
        .version_control(Trapped { inner: source, trap: Arc::clone(&trap) })
        .deployer(Trapped { inner: deployer, trap: Arc::clone(&trap) })
        .metrics(LocalMetrics::new(state, clock))
        .store(Trapped { inner: store, trap })
        .policy(policy()?)
        .worker(WorkerName::new(worker).map_err(|error| error.to_string())?)
        .build()
        .map_err(|error| error.to_string())
}

/// Everything as fast as it makes sense on a busy machine.
fn policy() -> Result<Policy, String> {
    let mut settings = Settings {
        execution: Execution {
            attempts: 5,
            attempt_deadline: Period::from_secs(10),
            backoff: Period::from_millis(50),
            backoff_limit: Period::from_millis(400),
            quarantine_retry: Period::from_millis(200),
            lease: LEASE,
            look: Period::from_millis(100),
        },
        rollout: RolloutPolicy {
            canary_steps: vec![50, 100],
            staging_soak: Period::from_millis(0),
            ready_deadline: Period::from_secs(30),
            step_deadline: Period::from_secs(30),
            undo_deadline: Period::from_secs(30),
            ..RolloutPolicy::default()
        },
        ..Settings::default()
    };
    settings.source.develop = Some(BranchName::new("develop").map_err(|error| error.to_string())?);
    settings.after_success.lasting = Period::default();
    settings.judging.judge = JudgeSettings::fast();
    settings.judging.pace = Pace {
        min_dwell: 1,
        quick_dwell: 1,
        max_dwell: 3,
        alone_dwell: 2,
        min_requests: 1,
        blind_limit: 100,
        quiet_limit: 100,
        starved_limit: 100,
        hold_limit: 300,
        ..Pace::default()
    };
    Policy::new(settings).map_err(|error| error.to_string())
}

fn request(revision: &str) -> Result<Request, String> {
    let text = |error: hotfix_core::model::InvalidValue| error.to_string();
    let goal = Goal::Deploy {
        fix: Fix::Commits(vec![Revision::new(revision).map_err(text)?]),
        from: None,
        image: None,
        strategy: Some(Strategy::Canary),
        staging: Staging::First,
    };
    let service = ServiceName::new("shop").map_err(text)?;
    let issue = IssueKey::new("PROD-2847").map_err(text)?;
    let mut request = Request::new(issue, "Payments are down", Severity::P0, service, "ada", goal);
    request.break_glass = Some("payments are down".to_owned());
    Ok(request)
}
