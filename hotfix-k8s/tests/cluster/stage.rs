//! A shop with customers and an engine: git and journal in memory, real pods, real requests.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hotfix_core::Result;
use hotfix_core::execute::Outcome;
use hotfix_core::memory::{MemoryStore, MemoryVersionControl};
use hotfix_core::model::{
    Artifact, BranchName, IssueKey, JudgeSettings, Period, Release, ServiceName, Severity, TagName,
    WorkerName,
};
use hotfix_core::plan::{Plan, Planned};
use hotfix_core::policy::{Policy, Settings};
use hotfix_core::port::{
    Clock, CounterSeries, Deployer, History, HistoryQuery, Latency, MetricsCapabilities, MetricsQuery,
    MetricsSource, Scrape,
};
use hotfix_core::request::{Fix, Goal, Request, Revision, Staging, Strategy};
use hotfix_engine::{Engine, EngineError, RunHandle, SystemClock};
use hotfix_k8s::{Traffic, VirtualServiceTraffic};
use hotfix_testkit::cluster::{DemoPod, Gateway, Load, LoadPlan, TestCluster};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use super::site::{Shop, app, deployment, service, slot, until};

/// How often metrics are looked at. Minutes pass in seconds here: in production it is 15 s.
pub(crate) const LOOK: Period = Period::from_millis(250);

/// How many pods the shop has.
const REPLICAS: u16 = 3;

/// How long a run may take in all.
const WHOLE_RUN: Duration = Duration::from_secs(90);

pub(crate) struct Stage {
    pub(crate) shop: Shop,
    _gateway: Gateway,
    pub(crate) engine: Engine,
    pub(crate) load: Load,
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
        let routes = if traffic == Traffic::Service { Vec::new() } else { routes() };
        let shop = Shop::closed(cluster, traffic, deployment, &routes).await;
        shop.deployer.adopt(&shop.target).await.expect("adopted");
        let gateway = Gateway::start(shop.client.clone(), &shop.namespace).await.expect("a gateway");
        let load = Load::start(LoadPlan::to(gateway.address(), "shop"));
        let source = repository();
        let store = MemoryStore::new(Arc::new(SystemClock));
        let engine = engine("first", &source, &store, &shop, settings);
        Self { shop, _gateway: gateway, engine, load, source, store }
    }

    /// An engine as another process of the same team would have it.
    pub(crate) fn other_engine(&self, worker: &str, settings: Settings) -> Engine {
        engine(worker, &self.source, &self.store, &self.shop, settings)
    }

    /// Begins to deploy a release that fixes 1.0.1.
    pub(crate) async fn deploy(&self, fix: &Release, strategy: Strategy) -> RunHandle {
        let plan = self.plan(&self.engine, fix, strategy).await.expect("a plan");
        self.engine.start(plan).await.expect("a free target")
    }

    /// Plans how an engine would deploy it.
    pub(crate) async fn plan(
        &self,
        engine: &Engine,
        fix: &Release,
        strategy: Strategy,
    ) -> std::result::Result<Plan, EngineError> {
        let base = self.source.resolve("v1.0.1").expect("the tag");
        let content = fix.version.to_string();
        let commit = self.source.commit(&[base], &[("app", Some(&content))], "fix: charge the right card");
        match engine.plan(&request(&Revision::new(commit.as_str())?, fix, strategy)).await? {
            Planned::Plan(plan) => Ok(*plan),
            other @ Planned::NothingToDo(_) => panic!("no plan: {other:?}"),
        }
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
pub(crate) async fn end(mut run: RunHandle) -> Outcome {
    let reading = async {
        while let Some(progress) = run.next().await {
            say(&progress.expect("a readable journal"));
        }
        run.outcome().await.expect("an end")
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

fn engine(
    worker: &str,
    source: &MemoryVersionControl,
    store: &MemoryStore,
    shop: &Shop,
    settings: Settings,
) -> Engine {
    let pods = Api::namespaced(shop.client.clone(), &shop.namespace);
    Engine::builder()
        .version_control(source.clone())
        .deployer(shop.deployer.clone())
        .metrics(PodMetrics { pods })
        .store(store.clone())
        .policy(Policy::new(settings).expect("a policy that makes sense"))
        .worker(WorkerName::new(worker).expect("a worker"))
        .build()
        .expect("a complete engine")
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

pub(crate) fn request(commit: &Revision, fix: &Release, strategy: Strategy) -> Request {
    let Artifact::Image(image) = &fix.artifact else { unreachable!("it was pushed") };
    let goal = Goal::Deploy {
        fix: Fix::Commits(vec![commit.clone()]),
        from: None,
        image: Some(image.clone()),
        strategy: Some(strategy),
        staging: Staging::Skip,
    };
    let (issue, service) = (IssueKey::new("PROD-2847"), ServiceName::new("shop"));
    let (issue, service) = (issue.expect("an issue"), service.expect("a service"));
    Request {
        break_glass: Some("customers cannot pay".to_owned()),
        ..Request::new(issue, "Wrong card charged", Severity::P0, service, "ada", goal)
    }
}

fn routes() -> Vec<Value> {
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

/// What the pods count themselves, read from each.
#[derive(Debug)]
struct PodMetrics {
    pods: Api<Pod>,
}

#[async_trait]
impl MetricsSource for PodMetrics {
    fn capabilities(&self) -> MetricsCapabilities {
        MetricsCapabilities { interval: LOOK, latency: Latency::Unknown }
    }

    async fn scrape(&self, query: &MetricsQuery) -> Result<Scrape> {
        let mut scrape = Scrape::default();
        for slot in &query.slots {
            let params = ListParams::default().labels(&format!("app={}", app(slot)));
            for pod in self.pods.list(&params).await.expect("a list").items {
                let Some(demo) = DemoPod::of(&pod) else { continue };
                // What is down has no series, as in any system that scrapes.
                let Ok((200, page)) = demo.get("/metrics").await else { continue };
                let (requests, errors) = counters(&String::from_utf8_lossy(&page));
                scrape.series.push(CounterSeries {
                    slot: slot.clone(),
                    series: pod.metadata.name.unwrap_or_default(),
                    at: SystemClock.now(),
                    requests,
                    errors: Some(errors),
                    slow: BTreeMap::new(),
                });
            }
        }
        Ok(scrape)
    }

    async fn history(&self, _query: &HistoryQuery) -> Result<History> {
        Ok(History::default())
    }
}

/// Returns the requests and the errors of a page of metrics.
pub(crate) fn counters(page: &str) -> (f64, f64) {
    let series = page.lines().filter_map(|line| line.strip_prefix("http_requests_total{code=\""));
    series.fold((0.0, 0.0), |(requests, errors), series| {
        let (code, count) = series.split_once("\"} ").expect("a series");
        let count: f64 = count.parse().expect("a count");
        (requests + count, if code.starts_with('5') { errors + count } else { errors })
    })
}
