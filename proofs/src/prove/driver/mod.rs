//! The part of the process that drives a run: the production engine, with a trap in front of its ports.

pub(super) mod cluster;
pub(super) mod local;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hotfix_core::model::{
    BranchName, ImageReference, InvalidValue, IssueKey, JudgeSettings, Pace, Period, ServiceName, Severity,
    WorkerName,
};
use hotfix_core::plan::Planned;
use hotfix_core::policy::{Execution, Policy, RolloutPolicy, Settings};
use hotfix_core::port::{Claim, Clock, RunFilter};
use hotfix_core::request::{Fix, Goal, Request, Revision, Staging, Strategy};
use hotfix_engine::{Engine, EngineBuilder, EngineError, RunHandle, SystemClock};
use hotfix_git::{GitConfig, GitVersionControl};
use hotfix_k8s::{LeasedStore, Leases};
use hotfix_store::SqliteStore;

use super::kill::KillPoint;
use super::trap::{Trap, Trapped};
use super::world::JOURNAL;
use super::{repository, say};

/// How long the lease of a driver lasts: how long a second process waits at the least.
const LEASE: Period = Period::from_secs(1);

/// What runs deploy to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backend {
    /// This host.
    Local,
    /// A namespace of a cluster.
    Cluster,
}

/// How a release gets there.
struct Route {
    strategy: Strategy,
    staging: Staging,
    image: Option<ImageReference>,
}

impl Backend {
    const ALL: [Self; 2] = [Self::Local, Self::Cluster];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Cluster => "cluster",
        }
    }

    fn parse(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|backend| backend.name() == name);
        found.ok_or_else(|| format!("{name:?} is nothing that runs deploy to"))
    }

    /// Gives an engine what it deploys with and what it judges by.
    async fn attach(
        self,
        engine: EngineBuilder,
        folder: &Path,
        trap: &Arc<Trap>,
    ) -> Result<EngineBuilder, String> {
        match self {
            Self::Local => Ok(local::attach(engine, folder, trap)),
            Self::Cluster => cluster::attach(engine, folder, trap).await,
        }
    }

    /// What runs claim beside what their store has.
    async fn leases(self, folder: &Path) -> Result<Option<Leases>, String> {
        match self {
            Self::Local => Ok(None),
            Self::Cluster => cluster::leases(folder).await,
        }
    }

    fn settings(self) -> Settings {
        match self {
            Self::Local => settings(),
            Self::Cluster => cluster::settings(settings()),
        }
    }

    fn route(self, folder: &Path, revision: &str) -> Result<Route, String> {
        match self {
            Self::Local => Ok(Route { strategy: Strategy::Canary, staging: Staging::First, image: None }),
            Self::Cluster => cluster::route(folder, revision),
        }
    }
}

/// `BACKEND FOLDER WORKER start REVISION [POINT]`, `BACKEND FOLDER WORKER wait REVISION`, or
/// `BACKEND FOLDER WORKER resume`.
pub(super) fn main(words: &[&str]) -> Result<(), String> {
    let usage = "a driver takes BACKEND FOLDER WORKER, and start REVISION [POINT], wait REVISION or resume";
    let [backend, folder, worker, ref rest @ ..] = *words else { return Err(usage.to_owned()) };
    let (backend, folder) = (Backend::parse(backend)?, Path::new(folder));
    let point = match *rest {
        [_, _, point] => Some(point.parse()?),
        _ => None,
    };
    super::runtime()?.block_on(async {
        let engine = engine(backend, folder, worker, point).await?;
        match *rest {
            ["resume"] => resume(&engine).await,
            ["start", revision] | ["start", revision, _] => {
                start(&engine, &request(revision, backend.route(folder, revision)?)?).await
            }
            ["wait", revision] => {
                start_when_free(&engine, &request(revision, backend.route(folder, revision)?)?).await
            }
            _ => Err(usage.to_owned()),
        }
    })
}

async fn start(engine: &Engine, request: &Request) -> Result<(), String> {
    let begun = begin(engine, request).await?;
    see_through(begun.map_err(|claim| EngineError::Busy(claim).to_string())?).await
}

/// Asks until nobody else has the targets, and says who has them: once while the claim is renewed, and once more when it
/// has expired and is in the way still.
async fn start_when_free(engine: &Engine, request: &Request) -> Result<(), String> {
    let mut told = String::new();
    loop {
        let refusal = match begin(engine, request).await {
            Ok(Ok(run)) => return see_through(run).await,
            Ok(Err(claim)) if claim.expires_at < SystemClock.now() => {
                format!("run {} of {} has {} still: {EXPIRED}", claim.run, claim.holder, claim.target)
            }
            Ok(Err(claim)) => format!("run {} of {} has {}", claim.run, claim.holder, claim.target),
            // Whoever has the target is in the middle of something.
            Err(error) => error,
        };
        if refusal != told {
            say(&refusal);
            told = refusal;
        }
        tokio::time::sleep(LEASE.to_duration() / 4).await;
    }
}

/// Plans and begins a run; `Err` inside is who is in the way.
async fn begin(engine: &Engine, request: &Request) -> Result<Result<RunHandle, Claim>, String> {
    let plan = match engine.plan(request).await {
        Ok(Planned::Plan(plan)) => *plan,
        Ok(other) => return Err(format!("nothing to do: {other:?}")),
        Err(error) => return Err(error.to_string()),
    };
    match engine.start(plan).await {
        Ok(run) => Ok(Ok(run)),
        Err(EngineError::Busy(claim)) => Ok(Err(claim)),
        Err(error) => Err(error.to_string()),
    }
}

async fn see_through(run: RunHandle) -> Result<(), String> {
    let outcome = run.outcome().await.map_err(|error| error.to_string())?;
    say(&outcome.to_string());
    Ok(())
}

/// What a driver that waits says of a claim that nobody renews any more, and that keeps it out nevertheless.
pub(super) const EXPIRED: &str = "the claim has expired";

/// How often a process that waits for somebody's lease to end looks again.
const AGAIN: Duration = Duration::from_millis(25);

/// Takes up whatever is open and drives it to its end.
async fn resume(engine: &Engine) -> Result<(), String> {
    loop {
        for run in engine.resume_all().await.map_err(|error| error.to_string())? {
            see_through(run).await?;
        }
        let open = engine.runs(RunFilter::Open).await.map_err(|error| error.to_string())?;
        if open.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn engine(
    backend: Backend,
    folder: &Path,
    worker: &str,
    point: Option<KillPoint>,
) -> Result<Engine, String> {
    let trap = Trap::new(point);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let source = GitConfig {
        path: folder.join(repository::WORK),
        remote: Some("origin".to_owned()),
        timeout: Period::from_secs(20),
        ..GitConfig::default()
    };
    let source = GitVersionControl::new(source, Arc::clone(&clock)).map_err(|error| error.to_string())?;
    let store = SqliteStore::open(folder.join(JOURNAL), clock).await;
    let store = store.map_err(|error| error.to_string())?;
    let engine = Engine::builder()
        .version_control(Trapped { inner: source, trap: Arc::clone(&trap) })
        .policy(Policy::new(backend.settings()).map_err(|error| error.to_string())?)
        .worker(WorkerName::new(worker).map_err(text)?);
    let engine = match backend.leases(folder).await? {
        None => engine.store(Trapped { inner: store, trap: Arc::clone(&trap) }),
        Some(leases) => {
            let store = LeasedStore::new(Arc::new(store), leases);
            engine.store(Trapped { inner: store, trap: Arc::clone(&trap) })
        }
    };
    backend.attach(engine, folder, &trap).await?.build().map_err(|error| error.to_string())
}

/// Everything as fast as it makes sense on a busy machine.
fn settings() -> Settings {
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
    settings.source.develop = BranchName::new("develop").ok();
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
    settings
}

fn request(revision: &str, route: Route) -> Result<Request, String> {
    let goal = Goal::Deploy {
        fix: Fix::Commits(vec![Revision::new(revision).map_err(text)?]),
        from: None,
        image: route.image,
        strategy: Some(route.strategy),
        staging: route.staging,
    };
    let service = ServiceName::new("shop").map_err(text)?;
    let issue = IssueKey::new("PROD-2847").map_err(text)?;
    let mut request = Request::new(issue, "Payments are down", Severity::P0, service, "ada", goal);
    request.break_glass = Some("payments are down".to_owned());
    Ok(request)
}

fn text(error: InvalidValue) -> String {
    error.to_string()
}
