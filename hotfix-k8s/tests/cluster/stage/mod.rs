//! A shop with customers and an engine: git and journal in memory, real pods, real requests.

mod metrics;

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use hotfix_core::communicate::Progress;
use hotfix_core::execute::Outcome;
use hotfix_core::memory::{MemoryStore, MemoryVersionControl};
use hotfix_core::model::{
    Artifact, BranchName, IssueKey, JudgeSettings, Period, Release, ServiceName, Severity, TagName,
    WorkerName,
};
use hotfix_core::plan::{Plan, Planned};
use hotfix_core::policy::{Policy, Settings};
use hotfix_core::port::{Deployer, IncidentStore};
use hotfix_core::request::{Fix, Goal, Request, Revision, RollbackTo, Staging, Strategy};
use hotfix_engine::{Engine, EngineBuilder, EngineError, RunHandle, SystemClock};
use hotfix_k8s::{Traffic, VirtualServiceTraffic};
use hotfix_testkit::cluster::{DemoPod, Gateway, Load, LoadPlan, TestCluster};
use serde_json::{Value, json};

pub(crate) use metrics::{Telling, ToldMetrics, pod_metrics};

use super::site::{Kind, Shop, app, deployment, service, slot, until, written};
use super::subsets;

/// How often metrics are looked at. Minutes pass in seconds here: in production it is 15 s.
pub(crate) const LOOK: Period = Period::from_millis(250);

/// How many pods the shop has.
const REPLICAS: u16 = 3;

/// How long a run may take in all.
const WHOLE_RUN: Duration = Duration::from_secs(90);

pub(crate) struct Stage {
    pub(crate) shop: Shop,
    pub(crate) gateway: Gateway,
    pub(crate) engine: Engine,
    pub(crate) load: Load,
    pub(crate) metrics: ToldMetrics,
    source: MemoryVersionControl,
    store: MemoryStore,
}

impl Stage {
    /// Release 1.0.1 is live on three healthy pods, and customers ask for it.
    pub(crate) async fn open(traffic: Traffic, settings: Settings) -> Self {
        let cluster = TestCluster::shared().await.expect("a cluster");
        Self::with(&deployment(cluster, REPLICAS), traffic, settings).await
    }

    /// The same with a Deployment of one's own.
    pub(crate) async fn with(deployment: &Value, traffic: Traffic, settings: Settings) -> Self {
        let cluster = TestCluster::shared().await.expect("a cluster");
        cluster.install_istio().await.expect("kinds of Istio");
        let routes = match &traffic {
            Traffic::Service | Traffic::Replicas(_) => Vec::new(),
            by if *by == subsets::traffic() => subsets::routes(),
            _ => routes(),
        };
        let shop = Shop::closed(cluster, traffic, deployment, &routes).await;
        Self::around(shop, settings).await
    }

    /// The same with a shop of one's own.
    pub(crate) async fn around(shop: Shop, settings: Settings) -> Self {
        shop.adopt().await.expect("adopted");
        let gateway = Gateway::start(shop.client.clone(), &shop.namespace).await.expect("a gateway");
        let load = Load::start(LoadPlan::to(gateway.address(), "shop"));
        let source = repository();
        let store = MemoryStore::new(Arc::new(SystemClock));
        let metrics = ToldMetrics::of(pod_metrics(shop.client.clone(), &shop.namespace));
        let engine = engine("first", &source, &store, &metrics, settings).deployer(shop.deployer.clone());
        let engine = engine.build().expect("a complete engine");
        Self { shop, gateway, engine, load, metrics, source, store }
    }

    /// An engine as another process of the same team would have it, without its deployer.
    pub(crate) fn builder(&self, worker: &str, settings: Settings) -> EngineBuilder {
        engine(worker, &self.source, &self.store, &self.metrics, settings)
    }

    /// The same with the deployer of the shop.
    pub(crate) fn other_engine(&self, worker: &str, settings: Settings) -> Engine {
        let builder = self.builder(worker, settings).deployer(self.shop.deployer.clone());
        builder.build().expect("a complete engine")
    }

    /// An engine as a replica would have it whose store is its own.
    pub(crate) fn engine_on(
        &self,
        worker: &str,
        store: impl IncidentStore + 'static,
        settings: Settings,
    ) -> Engine {
        let builder = self.builder(worker, settings).store(store).deployer(self.shop.deployer.clone());
        builder.build().expect("a complete engine")
    }

    /// The repository.
    pub(crate) fn source(&self) -> &MemoryVersionControl {
        &self.source
    }

    /// Begins to deploy a release that fixes the one before.
    pub(crate) async fn deploy(&self, fix: &Release, strategy: Strategy) -> RunHandle {
        self.deploy_by(&self.engine, fix, strategy).await
    }

    /// The same by another engine.
    pub(crate) async fn deploy_by(&self, engine: &Engine, fix: &Release, strategy: Strategy) -> RunHandle {
        let plan = self.plan(engine, fix, strategy).await.expect("a plan");
        engine.start(plan).await.expect("a free target")
    }

    /// Plans to go back.
    pub(crate) async fn plan_back(&self, to: RollbackTo) -> Result<Plan, EngineError> {
        planned(&self.engine, &request(Goal::rollback(self.shop.target.clone(), to))).await
    }

    /// Plans how an engine would deploy it.
    pub(crate) async fn plan(
        &self,
        engine: &Engine,
        fix: &Release,
        strategy: Strategy,
    ) -> Result<Plan, EngineError> {
        let earlier = (1..fix.version.patch).rev().map(|patch| format!("v1.0.{patch}"));
        let base = earlier.filter_map(|tag| self.source.resolve(&tag)).next().expect("a release before");
        let content = fix.version.to_string();
        let commit = self.source.commit(&[base], &[("app", Some(&content))], "fix: charge the right card");
        let Artifact::Image(image) = &fix.artifact else { unreachable!("it was pushed") };
        let goal = Goal::Deploy {
            fix: Fix::Commits(vec![Revision::new(commit.as_str())?]),
            from: None,
            image: Some(image.clone()),
            strategy: Some(strategy),
            staging: Staging::First,
        };
        planned(engine, &request(goal)).await
    }

    /// Somebody else scales the main Deployment.
    pub(crate) async fn scale(&self, replicas: u16) {
        self.shop.edit(Kind::Deployment, "shop", &json!({"spec": {"replicas": replicas}})).await;
    }

    /// Somebody else pushes to the production branch.
    pub(crate) fn push_to_production(&self) {
        let head = self.source.resolve("main").expect("the branch");
        let theirs = self.source.commit(&[head], &[("readme", Some("theirs"))], "docs: say hello");
        self.source.set_branch(&branch("main"), Some(&theirs));
    }

    /// Every share of the traffic that the copy was given in turn, in percent, by the server's log.
    pub(crate) fn shares(&self) -> Vec<u64> {
        self.weights().into_iter().map(|[_, copy]| copy).collect()
    }

    /// The same with what the main Deployment was given.
    pub(crate) fn weights(&self) -> Vec<[u64; 2]> {
        let weight = |patch: &Value, place: u8| {
            written(patch, &format!("/spec/http/0/route/{place}/weight"))?.as_u64()
        };
        let patches = self.shop.patches_of("virtualservices");
        patches.iter().filter_map(|patch| Some([weight(patch, 0)?, weight(patch, 1)?])).collect()
    }

    /// Which part of the traffic the copy gets, in percent.
    pub(crate) async fn share_of_the_copy(&self) -> u8 {
        let workload = self.shop.deployer.observe(&self.shop.target).await.expect("a workload");
        workload.weights.map_or(0, |weights| weights.of(&slot("hotfix")))
    }

    /// Waits until the copy gets so many percent of the traffic.
    pub(crate) async fn until_share(&self, percent: u8) {
        let what = format!("the copy gets {percent} %");
        until(&what, || async { self.share_of_the_copy().await == percent }).await;
    }

    /// The services of the pods of a slot.
    pub(crate) async fn pods(&self, name: &str) -> Vec<DemoPod> {
        self.shop.pods(app(&slot(name))).await.iter().filter_map(DemoPod::of).collect()
    }

    /// Waits until everything is as before the run: 1.0.1 serves all from the main Deployment, the copy has no pods.
    pub(crate) async fn until_home(&self, live: &Release) {
        until("the copy has no pods", || async { self.shop.pods("shop-hotfix").await.is_empty() }).await;
        let workload = self.shop.deployer.observe(&self.shop.target).await.expect("a workload");
        let main = slot("main");
        assert_eq!(workload.live, Some(main.clone()));
        assert_eq!(workload.live_artifact(), Some(live.artifact.id()));
        assert_eq!(workload.weights.map(|weights| weights.of(&main)), Some(100));
    }
}

/// Prints a figure for whoever runs the tests with `--nocapture`.
#[expect(clippy::print_stdout, reason = "a test that passes has nowhere else to say how well")]
pub(crate) fn say(what: &dyn Display) {
    println!("{what}");
}

/// Reads a run to its end.
pub(crate) async fn end(run: RunHandle) -> Outcome {
    follow(run).await.1
}

/// The same with all that happened.
pub(crate) async fn follow(mut run: RunHandle) -> (Vec<Progress>, Outcome) {
    let reading = async {
        let mut all = Vec::new();
        while let Some(progress) = run.next().await {
            let progress = progress.expect("a readable journal");
            say(&progress);
            all.push(progress);
        }
        (all, run.outcome().await.expect("an end"))
    };
    tokio::time::timeout(WHOLE_RUN, reading).await.expect("the run ends in time")
}

/// Traffic that is split between the Services of the slots.
pub(crate) fn mesh() -> Traffic {
    Traffic::VirtualService(VirtualServiceTraffic::default())
}

/// Quick, and without staging.
pub(crate) fn quick() -> Settings {
    let mut settings = Settings::default();
    settings.source.develop = Some(branch("develop"));
    settings.environments.staging = None;
    settings.rollout.canary_steps = vec![10, 50, 100];
    settings.rollout.preview_soak = Period::from_secs(1);
    settings.rollout.rollback_soak = Period::from_secs(1);
    settings.execution.look = LOOK;
    settings.judging.judge = JudgeSettings::fast();
    settings.judging.pace.max_dwell = 12;
    settings.judging.pace.alone_dwell = 12;
    settings.judging.pace.quiet_limit = 40;
    settings.after_success.lasting = Period::default();
    settings
}

/// The same, but it stays at every share of the traffic for a long while.
pub(crate) fn patient() -> Settings {
    let mut settings = quick();
    let pace = &mut settings.judging.pace;
    (pace.quick_dwell, pace.min_dwell, pace.max_dwell, pace.alone_dwell) = (240, 240, 240, 240);
    settings
}

async fn planned(engine: &Engine, request: &Request) -> Result<Plan, EngineError> {
    match engine.plan(request).await? {
        Planned::Plan(plan) => Ok(*plan),
        other @ Planned::NothingToDo(_) => panic!("no plan: {other:?}"),
    }
}

fn engine(
    worker: &str,
    source: &MemoryVersionControl,
    store: &MemoryStore,
    metrics: &ToldMetrics,
    settings: Settings,
) -> EngineBuilder {
    Engine::builder()
        .version_control(source.clone())
        .metrics(metrics.clone())
        .store(store.clone())
        .policy(Policy::new(settings).expect("a policy that makes sense"))
        .worker(WorkerName::new(worker).expect("a worker"))
}

pub(crate) fn repository() -> MemoryVersionControl {
    let source = MemoryVersionControl::new();
    let base = source.commit(&[], &[("app", Some("1.0.1"))], "release 1.0.1");
    source.set_tag(&TagName::new("v1.0.1").expect("a tag"), &base);
    for name in ["main", "develop"] {
        source.set_branch(&branch(name), Some(&base));
    }
    source
}

pub(crate) fn request(goal: Goal) -> Request {
    let (issue, service) = (IssueKey::new("PROD-2847"), ServiceName::new("shop"));
    let (issue, service) = (issue.expect("an issue"), service.expect("a service"));
    Request {
        break_glass: Some("customers cannot pay".to_owned()),
        ..Request::new(issue, "Wrong card charged", Severity::P0, service, "ada", goal)
    }
}

pub(crate) fn routes() -> Vec<Value> {
    let route = json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "shop"},
        "spec": {"hosts": ["shop"], "http": [{"route": [
            {"destination": {"host": "shop"}, "weight": 100},
            {"destination": {"host": "shop-hotfix"}, "weight": 0},
        ]}]},
    });
    vec![service("shop-hotfix"), route]
}

fn branch(name: &str) -> BranchName {
    BranchName::new(name).expect("a branch")
}
