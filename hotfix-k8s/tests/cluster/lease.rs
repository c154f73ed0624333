//! Claims of stores that share nothing but the cluster, and what becomes of one that is left.

use std::num::NonZeroU16;
use std::sync::Arc;

use hotfix_core::ErrorKind;
use hotfix_core::memory::{MemoryStore, MemoryVersionControl};
use hotfix_core::model::{
    Fenced, IncidentId, IssueKey, Period, Precondition, RunId, Severity, SlotName, Stamp, Verb, WorkerName,
};
use hotfix_core::port::{
    Append, Appended, Call, Conflict, Deployer, IncidentStore, Lease, NewIncident, NewRun, Opened, Renewed,
    Reply, RunState, Seal,
};
use hotfix_engine::SystemClock;
use hotfix_k8s::{KubernetesDeployer, LeasedStore};
use hotfix_testkit::cluster::{Disturbance, FaultProxy, TestCluster, TestNamespace};
use hotfix_testkit::http::{Answer, Recorded};
use k8s_openapi::api::coordination::v1::Lease as LeaseObject;
use kube::api::DeleteParams;
use kube::{Api, Config};

use super::leased_store::{claimant, leases};
use super::site::{Shop, call, deployer, release, slot, until};

/// How long a claim lasts here without renewal.
const TERM: Period = Period::from_secs(2);

const TARGETS: [&str; 3] = ["production/shop", "source/shop", "staging/shop"];

/// A store on the Leases of a namespace, without an engine.
fn store(namespace: &str, user: Config) -> LeasedStore {
    LeasedStore::new(Arc::new(MemoryStore::new(Arc::new(SystemClock))), leases(namespace, user))
}

fn production() -> Fenced {
    target("production/shop")
}

fn target(text: &str) -> Fenced {
    text.parse().expect("a target")
}

fn new_run(run: &str, claims: &[&str]) -> NewRun {
    NewRun {
        run: RunId::new(run).expect("a run"),
        worker: WorkerName::new(format!("worker-of-{run}")).expect("a worker"),
        claims: claims.iter().map(|text| target(text)).collect(),
        ttl: TERM,
        epoch_above: 0,
        incident: NewIncident {
            id: IncidentId::new(format!("incident-{run}")).expect("an incident"),
            issue: IssueKey::new("PROD-1").expect("an issue"),
            title: "Wrong card charged".to_owned(),
            severity: Severity::P1,
        },
        body: "planned".to_owned(),
        timeline: Vec::new(),
        postings: Vec::new(),
    }
}

fn last(lease: &Lease) -> Append {
    Append {
        run: lease.run.clone(),
        epoch: lease.epoch,
        seq: 1,
        body: "end".to_owned(),
        state: RunState::Ended,
        timeline: Vec::new(),
        postings: Vec::new(),
        known_good: Vec::new(),
    }
}

async fn open(store: &LeasedStore, run: NewRun) -> Lease {
    match store.open_run(run).await.expect("opened") {
        Opened::Claimed { lease, .. } => lease,
        Opened::Busy(claim) => panic!("{claim:?}"),
    }
}

/// Opens a run as soon as the target is free, and returns who was in the way until then.
async fn open_when_free(store: &LeasedStore, run: &NewRun) -> (Lease, Vec<RunId>) {
    let mut busy = Vec::new();
    let opening = async {
        loop {
            match store.open_run(run.clone()).await.expect("opened") {
                Opened::Claimed { lease, .. } => break lease,
                Opened::Busy(claim) => busy.push(claim.run),
            }
        }
    };
    let lease =
        tokio::time::timeout(std::time::Duration::from_secs(20), opening).await.expect("free in time");
    busy.dedup();
    (lease, busy)
}

fn is_lease_patch(request: &Recorded) -> bool {
    request.method == "PATCH" && request.path.contains("/leases/")
}

fn gives_back(request: &Recorded) -> bool {
    is_lease_patch(request) && String::from_utf8_lossy(&request.body).contains("released")
}

/// A namespace with Leases and a proxy to them.
struct Place {
    namespace: TestNamespace,
    user: Config,
    proxy: FaultProxy,
}

impl Place {
    async fn new() -> Self {
        let cluster = TestCluster::shared().await.expect("a cluster");
        let namespace = cluster.namespace("leases").await.expect("a namespace");
        let user = claimant(cluster, &namespace, &TARGETS).await;
        let proxy = FaultProxy::start(&user).await.expect("a proxy");
        Self { namespace, user, proxy }
    }

    fn store(&self) -> LeasedStore {
        store(&self.namespace, self.user.clone())
    }

    fn behind_the_proxy(&self) -> LeasedStore {
        store(&self.namespace, self.proxy.through(&self.user))
    }

    async fn objects(&self) -> Api<LeaseObject> {
        let client = TestCluster::shared().await.expect("a cluster").client().expect("a client");
        Api::namespaced(client, &self.namespace)
    }
}

async fn stages(deployer: &KubernetesDeployer, shop: &Shop, call: &Call, patch: u8) -> Reply {
    let (slot, release): (SlotName, _) = (slot("hotfix"), release(shop.test_cluster, patch));
    let verb = Verb::Stage { slot, release, replicas: NonZeroU16::MIN };
    deployer.apply(call, &shop.target, &verb, &Precondition::default()).await
}

fn under(key: &str, epoch: u64) -> Call {
    Call { stamp: Stamp::new(epoch, 2), ..call(key, 2) }
}

/// The holder sleeps, somebody releases its claim and another run works; when it wakes up it changes nothing any more.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_sleeper_sent_arrives_too_late_once_its_claim_was_released() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let shop = Shop::open(cluster).await;
    let user = claimant(cluster, &shop.namespace, &TARGETS).await;
    let proxy = FaultProxy::start(&shop.user).await.expect("a proxy");
    let sleeper = store(&shop.namespace, proxy.through(&user));
    let old = open(&sleeper, new_run("sleeper", &["production/shop", "source/shop"])).await;
    assert_eq!(old.epoch, 1);
    let slow = deployer(&shop.namespace, &shop.target, proxy.through(&shop.user));
    proxy.every(|request| request.method == "PATCH", Disturbance::Hold);
    let sending = {
        let (slow, shop, call) = (slow.clone(), &shop, under("late", old.epoch));
        async move { stages(&slow, shop, &call, 2).await }
    };
    let renewing = sleeper.renew(&old.run, old.epoch, TERM);
    let awake = async {
        proxy.held(2).await;
        // Meanwhile an operator releases the claim by the name of one target.
        let (operator, source) = (leases(&shop.namespace, user.clone()), MemoryVersionControl::new());
        let released =
            operator.release_orphan(&production(), &source, &shop.deployer, "ada", "the node is gone").await;
        let released = released.expect("released");
        assert_eq!(released.run, Some(old.run.clone()));
        assert_eq!(released.targets, [production(), target("source/shop")]);
        let next = open(&store(&shop.namespace, user.clone()), new_run("next", &["production/shop"])).await;
        assert!(next.epoch > released.epoch && released.epoch > old.epoch, "{next:?} {released:?}");
        // Nothing has changed the target yet: it is the seal that keeps out what arrives now.
        proxy.clear();
        let answers = proxy.release().await;
        let reply = stages(&shop.deployer, &shop, &under("next", next.epoch), 3).await;
        assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
        answers
    };
    let (reply, renewed, answers) = tokio::join!(sending, renewing, awake);
    assert!(answers.iter().all(|answer| *answer == 422), "{answers:?}");
    // The deployer looks again, and the claim is known to be lost.
    assert!(matches!(reply, Reply::Conflict(Conflict::Fenced { .. })), "{reply:?}");
    let renewed = match renewed {
        Ok(renewed) => renewed,
        Err(_in_time) => sleeper.renew(&old.run, old.epoch, TERM).await.expect("an answer"),
    };
    assert!(matches!(renewed, Renewed::Lost { epoch } if epoch > old.epoch), "{renewed:?}");
    let ended = sleeper.append(last(&old)).await.expect("an answer");
    assert!(matches!(ended, Appended::Lost { epoch } if epoch > old.epoch), "{ended:?}");
    let workload = shop.deployer.observe(&shop.target).await.expect("a workload");
    let held = workload.slot(&slot("hotfix")).map(|held| held.release.clone());
    assert_eq!(held, Some(release(cluster, 3)));
}

/// Three stores that share nothing take turns at one target. In the server's log, the changes of no run are between those
/// of another, and the epochs rise from one run to the next.
#[tokio::test(flavor = "multi_thread")]
async fn stores_that_share_nothing_take_turns() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let shop = Shop::open(cluster).await;
    let user = claimant(cluster, &shop.namespace, &TARGETS).await;
    let before = shop.patches().len();
    let replica = async |name: &str| {
        let store = store(&shop.namespace, user.clone());
        let mut epochs = Vec::new();
        for round in 1..=3 {
            let run = new_run(&format!("{name}-{round}"), &["production/shop"]);
            let (lease, _) = open_when_free(&store, &run).await;
            let reply =
                stages(&shop.deployer, &shop, &under(&format!("stage-{}", run.run), lease.epoch), 2).await;
            assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
            let retire = Verb::Retire { slot: slot("hotfix") };
            let stamp = Stamp::new(lease.epoch, 3);
            let call = Call { stamp, ..call(&format!("retire-{}", run.run), 3) };
            let reply = shop.deployer.apply(&call, &shop.target, &retire, &Precondition::default()).await;
            assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
            assert_eq!(store.append(last(&lease)).await.expect("an answer"), Appended::Written);
            epochs.push(lease.epoch);
        }
        epochs
    };
    let (one, two, three) = tokio::join!(replica("one"), replica("two"), replica("three"));
    let mut given: Vec<u64> = [one, two, three].concat();
    given.sort_unstable();
    assert_eq!(given, (1..=9).collect::<Vec<u64>>());
    let mut written: Vec<u64> = shop.patches()[before..].iter().map(|patch| epoch_in(patch)).collect();
    assert!(written.is_sorted(), "{written:?}");
    written.dedup();
    assert_eq!(written, given);
}

/// The epoch that a patch raises a fence to.
fn epoch_in(patch: &str) -> u64 {
    let operations: Vec<serde_json::Value> = serde_json::from_str(patch).expect("a patch");
    let fence = operations
        .iter()
        .rev()
        .find(|operation| operation["path"] == "/metadata/annotations/hotfix.dev~1fence");
    let note = fence.and_then(|operation| operation["value"].as_str()).expect("a fence");
    let note: serde_json::Value = serde_json::from_str(note).expect("a note");
    let stamp = note["stamp"].as_str().expect("a stamp");
    stamp.split_once('.').expect("an epoch").0.parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_is_renewed_is_not_released() {
    let place = Place::new().await;
    let holder = place.store();
    let lease = open(&holder, new_run("busy", &["production/shop"])).await;
    let (operator, source) = (leases(&place.namespace, place.user.clone()), MemoryVersionControl::new());
    let nobody = hotfix_core::memory::MemoryDeployer::new();
    let target = production();
    let mut releasing =
        std::pin::pin!(operator.release_orphan(&target, &source, &nobody, "ada", "it looks dead"));
    let refused = loop {
        tokio::select! {
            released = &mut releasing => break released.expect_err("refused"),
            renewed = holder.renew(&lease.run, lease.epoch, TERM) => {
                assert!(matches!(renewed, Ok(Renewed::Until(_))), "{renewed:?}");
            }
        }
    };
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert!(refused.to_string().contains("run busy of worker-of-busy renewed its claim"), "{refused}");
    assert_eq!(holder.append(last(&lease)).await.expect("an answer"), Appended::Written);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_run_whose_leases_were_not_given_back_keeps_nobody_out_for_long() {
    let place = Place::new().await;
    let (cut_off, other) = (place.behind_the_proxy(), place.store());
    let ended = open(&cut_off, new_run("ended", &["production/shop", "staging/shop"])).await;
    place.proxy.every(gives_back, Disturbance::Instead(Answer::hang()));
    assert_eq!(cut_off.append(last(&ended)).await.expect("an answer"), Appended::Written);
    place.proxy.clear();

    // The store that has its journal knows at once, another one when the Lease has expired.
    let own = open(&cut_off, new_run("own", &["staging/shop"])).await;
    assert_eq!(own.epoch, ended.epoch + 1);
    let (lease, busy) = open_when_free(&other, &new_run("next", &["production/shop"])).await;
    assert_eq!((lease.epoch, busy), (ended.epoch + 1, vec![ended.run]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_that_was_cut_off_needs_no_human() {
    let place = Place::new().await;
    let (cut_off, other) = (place.behind_the_proxy(), place.store());
    let run = new_run("cut-off", &["production/shop", "staging/shop"]);
    place.proxy.next(
        |request| {
            request.method == "POST" && String::from_utf8_lossy(&request.body).contains("hotfix.staging.shop")
        },
        Disturbance::Instead(Answer::hang()),
    );
    let opening = tokio::spawn({
        let (cut_off, run) = (cut_off.clone(), run.clone());
        async move { cut_off.open_run(run).await }
    });
    let objects = place.objects().await;
    until("the first lease is claimed", || async {
        objects.get_opt("hotfix.production.shop").await.expect("an answer").is_some()
    })
    .await;
    opening.abort();
    let (lease, busy) = open_when_free(&other, &new_run("next", &["production/shop", "staging/shop"])).await;
    assert_eq!((lease.epoch, busy), (2, vec![run.run]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_store_itself_refuses_holds_no_lease() {
    let place = Place::new().await;
    let twice = new_run("twice", &["production/shop", "staging/shop", "production/shop"]);
    let refused = place.store().open_run(twice).await.expect_err("refused");
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    let lease = open(&place.store(), new_run("next", &["production/shop", "staging/shop"])).await;
    assert_eq!(lease.epoch, 2, "the epochs stay used");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_somebody_removed_is_put_back_by_its_holder() {
    let place = Place::new().await;
    let holder = place.store();
    let lease = open(&holder, NewRun { epoch_above: 6, ..new_run("holder", &["production/shop"]) }).await;
    assert_eq!(lease.epoch, 7);
    let objects = place.objects().await;
    objects.delete("hotfix.production.shop", &DeleteParams::default()).await.expect("deleted");
    let renewed = holder.renew(&lease.run, lease.epoch, TERM).await.expect("an answer");
    assert!(matches!(renewed, Renewed::Until(_)), "{renewed:?}");
    let object = objects.get("hotfix.production.shop").await.expect("it is back");
    let mark = object.metadata.annotations.unwrap_or_default()["hotfix.dev/lease"].clone();
    assert_eq!(mark, r#"{"epoch":7,"beat":0}"#);
    match place.store().open_run(new_run("other", &["production/shop"])).await.expect("an answer") {
        Opened::Busy(claim) => assert_eq!(claim.run, lease.run),
        other @ Opened::Claimed { .. } => panic!("{other:?}"),
    }
}

/// The Leases are gone, and with them the epochs; what the targets accepted before is found by sealing them.
#[tokio::test(flavor = "multi_thread")]
async fn leases_that_are_behind_the_fences_catch_up_by_a_release() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let shop = Shop::open(cluster).await;
    let user = claimant(cluster, &shop.namespace, &TARGETS).await;
    let sealed = shop.deployer.seal(&shop.target, Stamp::new(9, 4)).await;
    assert!(matches!(sealed, Seal::Sealed(_)), "{sealed:?}");
    let (operator, source) = (leases(&shop.namespace, user.clone()), MemoryVersionControl::new());
    let released =
        operator.release_orphan(&production(), &source, &shop.deployer, "ada", "epochs were lost").await;
    let released = released.expect("released");
    assert_eq!((released.run, released.epoch), (None, 10));
    let next = open(&store(&shop.namespace, user), new_run("next", &["production/shop"])).await;
    assert_eq!(next.epoch, 11);
    let reply = stages(&shop.deployer, &shop, &under("next", next.epoch), 2).await;
    assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
}
