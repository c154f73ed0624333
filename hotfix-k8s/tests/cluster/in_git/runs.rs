//! Whole runs: the history that they leave, and what a crash or an owner that does not listen makes of them.

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::execute::Outcome;
use hotfix_core::model::{IdempotencyKey, ObjectId, Period, RefBatch, Release, ServiceName, Stamp};
use hotfix_core::policy::Settings;
use hotfix_core::port::{
    Call, Composed, Deployer, Probe, Recipe, Reply, Seal, SourceFacts, SourceQuery, VersionControl,
    VersionControlCapabilities,
};
use hotfix_core::request::Strategy;
use hotfix_testkit::cluster::{Behaviour, Gateway, Load, LoadPlan, Readiness};
use tokio::sync::Notify;

use super::super::pods::image;
use super::super::site::{pushed, release, slot};
use super::super::stage::{end, quick, say};
use super::shop::{FILE, GitShop, PODS, manifest};

/// What a run stages is a candidate until it is proven.
const PUT: &str = "Put v1.0.2-rc.1 on production/shop";

/// The shop with customers.
async fn served() -> (GitShop, Gateway, Load) {
    let shop = GitShop::open().await;
    let gateway = Gateway::start(shop.client.clone(), &shop.namespace).await.expect("a gateway");
    let load = Load::start(LoadPlan::to(gateway.address(), "shop"));
    (shop, gateway, load)
}

fn unready(shop: &GitShop) -> Release {
    pushed(shop.cluster, 9, &Behaviour { readiness: Readiness::Never, ..Behaviour::default() })
}

fn impatient() -> Settings {
    let mut settings = quick();
    settings.rollout.ready_deadline = Period::from_secs(3);
    settings
}

fn subjects(shop: &GitShop) -> Vec<String> {
    shop.fleet.log().into_iter().map(|told| told.subject).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_goes_live_by_one_commit() {
    let (shop, _gateway, load) = served().await;
    let engine = shop.engine("first", shop.deployer.clone(), quick());
    let fix = release(shop.cluster, 2);
    for strategy in [Strategy::Canary, Strategy::Rolling, Strategy::BlueGreen] {
        let refused = shop.plan(&engine, &fix, Some(strategy)).await.expect_err("refused").to_string();
        assert!(
            refused.contains("it replaces all instances of the live one at once; use direct"),
            "{refused}"
        );
    }
    let plan = shop.plan(&engine, &fix, None).await.expect("a plan");
    let outcome = end(engine.start(plan).await.expect("a free target")).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome}");

    shop.until_running(&fix, PODS).await;
    assert_eq!(shop.fleet.show(FILE), manifest(image(&fix), PODS), "only the image differs");
    let log = shop.fleet.log();
    assert_eq!(subjects(&shop), ["Begin", PUT]);
    assert_eq!(log[1].paths, [FILE]);
    let trailers: Vec<&str> = log[1].message.lines().filter(|line| line.starts_with("Hotfix-")).collect();
    assert_eq!(trailers[..2], ["Hotfix-target: production/shop", "Hotfix-release: v1.0.2-rc.1"]);
    assert!(trailers[2].starts_with("Hotfix-step: "), "{trailers:?}");
    let workload = shop.deployer.observe(&shop.target).await.expect("a workload");
    assert_eq!((workload.live.clone(), workload.slot(&slot("main"))), (Some(slot("hotfix")), None));
    let live = shop.read().await;
    assert_eq!(live.pointer("/spec/template/metadata/labels"), Some(&serde_json::json!({"app": "shop"})));
    assert!(!shop.applier.asked().is_empty(), "the owner was asked to look");
    let report = load.stop().await;
    say(&format_args!("{report:?}"));
    assert!(report.by_version["1.0.2"] > 20, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_release_is_taken_back_by_a_commit() {
    let shop = GitShop::open().await;
    let engine = shop.engine("first", shop.deployer.clone(), impatient());
    let plan = shop.plan(&engine, &unready(&shop), Some(Strategy::Direct)).await.expect("a plan");
    let outcome = end(engine.start(plan).await.expect("a free target")).await;
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
    let old = release(shop.cluster, 1);
    shop.until_running(&old, PODS).await;
    assert_eq!(subjects(&shop), ["Begin", PUT, "Put v1.0.1 back on production/shop"]);
    assert_eq!(shop.fleet.show(FILE), manifest(image(&old), PODS));
    let workload = shop.deployer.observe(&shop.target).await.expect("a workload");
    assert_eq!((workload.live.clone(), workload.slot(&slot("hotfix"))), (Some(slot("main")), None));
}

/// An owner that does not listen is no reason to leave git ahead of what runs.
#[tokio::test(flavor = "multi_thread")]
async fn what_no_owner_applies_in_time_is_taken_back() {
    let shop = GitShop::open().await;
    let engine = shop.engine("first", shop.deployer.clone(), impatient());
    let plan = shop.plan(&engine, &release(shop.cluster, 2), Some(Strategy::Direct)).await.expect("a plan");
    shop.applier.be_deaf(true);
    let before = shop.read().await["spec"].clone();
    let outcome = end(engine.start(plan).await.expect("a free target")).await;
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
    assert_eq!(subjects(&shop), ["Begin", PUT, "Put v1.0.1 back on production/shop"]);
    assert_eq!(shop.fleet.show(FILE), manifest(image(&release(shop.cluster, 1)), PODS));
    assert_eq!(shop.read().await["spec"], before, "nothing else ever ran");
}

/// A repository that pushes and never says so: the process dies between the push and its record.
#[derive(Debug)]
struct Mute {
    inner: Arc<dyn VersionControl>,
    pushed: Notify,
}

#[async_trait]
impl VersionControl for Mute {
    fn capabilities(&self) -> VersionControlCapabilities {
        self.inner.capabilities()
    }
    async fn observe(&self, query: &SourceQuery) -> hotfix_core::Result<SourceFacts> {
        self.inner.observe(query).await
    }
    async fn read_file(&self, commit: &ObjectId, path: &str) -> hotfix_core::Result<Option<String>> {
        self.inner.read_file(commit, path).await
    }
    async fn compose(&self, recipe: &Recipe) -> hotfix_core::Result<Vec<Composed>> {
        self.inner.compose(recipe).await
    }
    async fn apply(&self, call: &Call, service: &ServiceName, batch: &RefBatch) -> Reply {
        self.inner.apply(call, service, batch).await;
        self.pushed.notify_one();
        std::future::pending().await
    }
    async fn seal(&self, service: &ServiceName, stamp: Stamp) -> Seal {
        self.inner.seal(service, stamp).await
    }
    async fn probe(&self, service: &ServiceName, key: &IdempotencyKey) -> Probe {
        self.inner.probe(service, key).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_the_push_and_its_record_is_gone_on_from() {
    let (shop, _gateway, _load) = served().await;
    let mute = Arc::new(Mute { inner: shop.fleet.clone_for("second"), pushed: Notify::new() });
    let settings = || {
        let mut settings = quick();
        settings.execution.lease = Period::from_secs(2);
        settings
    };
    let fix = release(shop.cluster, 2);
    // A runtime of its own, which dies as a process does.
    let doomed = tokio::runtime::Runtime::new().expect("a runtime");
    let dying = shop.deployer_with(shop.user.clone(), Arc::clone(&mute) as Arc<dyn VersionControl>);
    let engine = shop.engine("doomed", dying, settings());
    let plan = shop.plan(&engine, &fix, Some(Strategy::Direct)).await.expect("a plan");
    doomed.spawn(async move {
        let run = engine.start(plan).await.expect("a free target");
        run.detach();
        std::future::pending::<()>().await;
    });
    mute.pushed.notified().await;
    doomed.shutdown_background();
    assert_eq!(subjects(&shop), ["Begin", PUT]);

    let second = shop.engine("second", shop.deployer.clone(), settings());
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(50));
    let run = loop {
        ticks.tick().await;
        if let Some(run) = second.resume_all().await.expect("a readable store").pop() {
            break run;
        }
    };
    let outcome = end(run).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome}");
    shop.until_running(&fix, PODS).await;
    assert_eq!(subjects(&shop), ["Begin", PUT], "it was not committed twice");
}
