//! Two engines on one Deployment whose stores are their own: one proceeds, the other hears who.

use std::sync::Arc;
use std::time::Duration;

use hotfix_core::execute::Outcome;
use hotfix_core::memory::MemoryStore;
use hotfix_core::model::{Fenced, Period, Release};
use hotfix_core::plan::Plan;
use hotfix_core::policy::Settings;
use hotfix_core::port::{Claim, IncidentStore, RunFilter};
use hotfix_core::request::Strategy;
use hotfix_engine::{Engine, EngineError, RunHandle, SystemClock};
use hotfix_k8s::{ClaimState, LeasedStore, Leases};
use hotfix_testkit::cluster::{Disturbance, FaultProxy};
use hotfix_testkit::http::Answer;
use kube::Config;

use super::leased_store::{claimant, leases};
use super::site::release;
use super::stage::{Stage, end, mesh, patient, quick};

/// A replica with a store of its own.
struct Replica {
    engine: Engine,
    leases: Leases,
    memory: MemoryStore,
}

impl Replica {
    fn new(stage: &Stage, worker: &str, user: &Config) -> Self {
        Self::on(stage, worker, user, MemoryStore::new(Arc::new(SystemClock)), short())
    }

    /// The same with a store that another one left.
    fn on(stage: &Stage, worker: &str, user: &Config, memory: MemoryStore, settings: Settings) -> Self {
        let leases = leases(&stage.shop.namespace, user.clone());
        let store = LeasedStore::new(Arc::new(memory.clone()), leases.clone());
        Self { engine: stage.engine_on(worker, store, settings), leases, memory }
    }
}

/// Two replicas that planned for one target before either had it.
struct Contest {
    first: Replica,
    second: Replica,
    /// What the second one wants to start.
    early: Plan,
    /// What the first one started.
    run: RunHandle,
}

impl Contest {
    async fn over(stage: &Stage, user: &Config, [one, two]: [&Release; 2]) -> Self {
        let [first, second] = ["first", "second"].map(|worker| Replica::new(stage, worker, user));
        let early = stage.plan(&second.engine, two, Strategy::Canary).await.expect("a plan");
        let plan = stage.plan(&first.engine, one, Strategy::Canary).await.expect("a plan");
        let run = first.engine.start(plan).await.expect("a free target");
        Self { first, second, early, run }
    }
}

/// Quick, with claims that are soon seen to be left.
fn short() -> Settings {
    let mut settings = quick();
    settings.execution.lease = Period::from_secs(2);
    settings
}

async fn stage() -> (Stage, Config) {
    let stage = Stage::open(mesh(), short()).await;
    let user =
        claimant(stage.shop.test_cluster, &stage.shop.namespace, &["production/shop", "source/shop"]).await;
    (stage, user)
}

fn busy(started: Result<RunHandle, EngineError>) -> Claim {
    match started {
        Err(EngineError::Busy(claim)) => claim,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_with_a_store_of_its_own_is_refused_with_who_has_the_target() {
    let (stage, user) = stage().await;
    let [one, two] = [2, 3].map(|patch| release(stage.shop.test_cluster, patch));
    let Contest { first: _first, second, early, run } = Contest::over(&stage, &user, [&one, &two]).await;
    let claim = busy(second.engine.start(early).await);
    assert_eq!((claim.holder.as_str(), &claim.run), ("first", run.run()));
    let shown = second.leases.claim_on(&production()).await.expect("a lease").expect("a claim");
    assert_eq!((shown.claim.run.clone(), shown.state), (run.run().clone(), ClaimState::Held));
    assert!(shown.to_string().ends_with(", which renews its claim"), "{shown}");

    let outcome = end(run).await;
    assert!(
        matches!(&outcome, Outcome::Succeeded { release: Some(live) } if live.artifact == one.artifact),
        "{outcome}"
    );
    stage.until_home(&one).await;
    assert_eq!(second.leases.claim_on(&production()).await.expect("a lease"), None, "it was given back");
    // No change of the refused one is between those of the other, or anywhere.
    let patches = stage.shop.patches();
    let of = |release: &Release| {
        let digest = release.artifact.id().to_string().replace("image:", "");
        patches.iter().filter(|patch| patch.contains(&digest)).count()
    };
    assert!(of(&one) > 0, "{patches:?}");
    assert_eq!(of(&two), 0, "{patches:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_left_is_resumed_where_its_journal_is_and_nowhere_else() {
    let (stage, user) = stage().await;
    let [one, two] = [2, 3].map(|patch| release(stage.shop.test_cluster, patch));
    let Contest { first, second, early, run } = Contest::over(&stage, &user, [&one, &two]).await;
    let id = run.run().clone();
    stage.until_share(10).await;
    // As a kill: nothing is given back.
    drop(run);
    let Replica { engine, memory, .. } = first;
    drop(engine);

    assert_eq!(busy(second.engine.start(early.clone()).await).run, id);
    let left = loop {
        let shown = second.leases.claim_on(&production()).await.expect("a lease").expect("a claim");
        if shown.state == ClaimState::Expired {
            break shown;
        }
    };
    let mend = "resume the run where its journal is, or give the claim back with release_orphan";
    assert!(left.to_string().contains(mend), "{left}");
    assert_eq!(busy(second.engine.start(early).await).run, id, "an expired claim is no free target");

    let heir = Replica::on(&stage, "heir", &user, memory, short());
    let mut resumed = heir.engine.resume_all().await.expect("a readable store");
    let outcome = end(resumed.pop().expect("the run")).await;
    assert!(
        matches!(&outcome, Outcome::Succeeded { release: Some(live) } if live.artifact == one.artifact),
        "{outcome}"
    );
    let runs = heir.memory.runs(RunFilter::All).await.expect("runs");
    assert_eq!((runs.len(), runs[0].epoch, runs[0].holder.as_str()), (1, 2, "heir"));
    stage.until_home(&one).await;
}

/// A replica that is cut off from the Leases, and not from the workload, drives on until it hears that it lost them.
#[tokio::test(flavor = "multi_thread")]
async fn a_driver_whose_claim_was_released_changes_nothing_more() {
    let (stage, user) = stage().await;
    let fix = release(stage.shop.test_cluster, 2);
    let proxy = FaultProxy::start(&user).await.expect("a proxy");
    let settings = Settings { execution: short().execution, ..patient() };
    let memory = MemoryStore::new(Arc::new(SystemClock));
    let cut_off = Replica::on(&stage, "cut-off", &proxy.through(&user), memory, settings);
    let plan = stage.plan(&cut_off.engine, &fix, Strategy::Canary).await.expect("a plan");
    let run = cut_off.engine.start(plan).await.expect("a free target");
    let id = run.run().clone();
    stage.until_share(10).await;

    proxy.every(|_| true, Disturbance::Instead(Answer::hang()));
    let operator = leases(&stage.shop.namespace, user);
    let why = "its node is partitioned";
    let released =
        operator.release_orphan(&production(), stage.source(), &stage.shop.deployer, "ada", why).await;
    assert_eq!(released.expect("released").run, Some(id.clone()));
    let patches = stage.shop.patches();
    proxy.clear();
    proxy.cut_connections();
    match tokio::time::timeout(Duration::from_secs(30), run.outcome()).await.expect("an end") {
        Err(EngineError::TakenOver { run }) => assert_eq!(run, id),
        other => panic!("not stopped: {other:?}"),
    }
    assert_eq!(stage.shop.patches(), patches, "nothing was changed after the seal");
    assert_eq!(stage.share_of_the_copy().await, 10, "what had arrived stays for the next run to see");
}

fn production() -> Fenced {
    "production/shop".parse().expect("a target")
}
