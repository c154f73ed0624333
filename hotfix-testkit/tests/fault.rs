//! The wrappers pass everything through when nothing is scripted, and do exactly what is scripted otherwise.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use hotfix_core::ErrorKind;
use hotfix_core::memory::{ManualClock, MemoryDeployer, MemoryStore};
use hotfix_core::model::{Precondition, SlotName, Stamp, Target, Timestamp, Verb};
use hotfix_core::port::{
    Ambiguity, Call, Conflict, Deployer, IncidentStore, Notifier, Offered, Probe, Rejection, Reply,
    RunFilter, Seal, Sealed,
};
use hotfix_testkit::conformance::{deployer, incident_store, metrics_source, notifier, version_control};
use hotfix_testkit::fault::{
    Faults, FaultyDeployer, FaultyMetricsSource, FaultyNotifier, FaultyStore, FaultyVersionControl, Mishap,
    Operation, Rates,
};

use crate::deployer::{Fixture as Deployers, release};
use crate::incident_store::Fixture as Stores;
use crate::metrics_source::Fixture as Sources;
use crate::notifier::offering;
use crate::version_control::Fixture as Repositories;

#[tokio::test]
async fn every_wrapper_keeps_the_contract_of_its_port_when_nothing_is_scripted() {
    let deployers = Deployers::new(MemoryDeployer::new(), |inner| {
        Arc::new(FaultyDeployer::new(Arc::new(inner), Faults::none()))
    });
    deployer::all(&deployers).await;
    let repositories =
        Repositories { wrap: |inner| Arc::new(FaultyVersionControl::new(inner, Faults::none())) };
    version_control::all(&repositories).await;
    let clock = ManualClock::default();
    incident_store::all(&Stores { clock, wrap: |inner| Arc::new(FaultyStore::new(inner, Faults::none())) })
        .await;
    let wrap: fn(Arc<dyn Notifier>) -> Arc<dyn Notifier> =
        |inner| Arc::new(FaultyNotifier::new(inner, Faults::none()));
    notifier::all(&offering(Offered::Yes, wrap)).await;
    let sources = Sources::new(|inner| Arc::new(FaultyMetricsSource::new(inner, Faults::none())));
    metrics_source::all(&sources).await;
}

/// A target of a memory deployer behind faults, with calls to make.
struct Bench {
    memory: MemoryDeployer,
    faults: Faults,
    deployer: FaultyDeployer,
    target: Target,
}

fn green() -> SlotName {
    "green".parse().unwrap()
}

fn stage() -> Verb {
    Verb::Stage { slot: green(), release: release('2'), replicas: NonZeroU16::MIN }
}

fn retire() -> Verb {
    Verb::Retire { slot: green() }
}

fn call(key: &str, seq: u32) -> Call {
    Call { key: key.parse().unwrap(), stamp: Stamp::new(1, seq), deadline: Timestamp::UNIX_EPOCH }
}

impl Bench {
    fn new(faults: Faults) -> Self {
        let memory = MemoryDeployer::new();
        let target: Target = "production/shop".parse().unwrap();
        memory.add_target(&target, ["blue".parse().unwrap(), green()]);
        memory.install(&target, &"blue".parse().unwrap(), &release('1'), NonZeroU16::MIN);
        let deployer = FaultyDeployer::new(Arc::new(memory.clone()), faults.clone());
        Self { memory, faults, deployer, target }
    }

    async fn apply(&self, call: &Call, verb: &Verb) -> Reply {
        self.deployer.apply(call, &self.target, verb, &Precondition::default()).await
    }

    fn accepted(&self) -> Vec<String> {
        let accepted = self.memory.accepted(&self.target).into_iter();
        accepted.map(|accepted| accepted.key.to_string()).collect()
    }
}

fn silence() -> Reply {
    Reply::Ambiguous(Ambiguity::Interrupted { cause: "no answer (injected)".to_owned() })
}

#[tokio::test]
async fn a_lost_request_never_arrives_and_a_lost_reply_did() {
    let bench = Bench::new(Faults::none());
    bench.faults.add(Operation::Apply, Mishap::RequestLost);
    bench.faults.add(Operation::Apply, Mishap::ReplyLost);
    bench.faults.add(Operation::Apply, Mishap::Busy);
    assert_eq!(bench.apply(&call("a", 1), &stage()).await, silence());
    assert_eq!(bench.accepted(), [""; 0]);
    assert_eq!(bench.apply(&call("b", 2), &stage()).await, silence());
    assert_eq!(bench.accepted(), ["b"]);
    let busy = bench.apply(&call("c", 3), &stage()).await;
    assert!(matches!(busy, Reply::Rejected(Rejection::Busy { retry_after: Some(_), .. })), "{busy:?}");
    assert_eq!(bench.accepted(), ["b"]);
    assert_eq!(
        bench.faults.happened(),
        [
            (Operation::Apply, Mishap::RequestLost),
            (Operation::Apply, Mishap::ReplyLost),
            (Operation::Apply, Mishap::Busy),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_held_request_arrives_after_its_caller_gave_up_and_finds_the_seal() {
    let bench = Bench::new(Faults::none());
    bench.faults.add(Operation::Apply, Mishap::Held);
    let late = call("late", 1);
    let verb = stage();
    let patience = Duration::from_secs(30);
    assert!(tokio::time::timeout(patience, bench.apply(&late, &verb)).await.is_err());
    let sealed = bench.deployer.seal(&bench.target, Stamp::new(1, 2)).await;
    assert_eq!(sealed, Seal::Sealed(Sealed { previous: Stamp::ZERO }));
    assert_eq!(bench.faults.release().await, 1);
    assert_eq!(bench.accepted(), [""; 0]);
    assert_eq!(bench.deployer.probe(&bench.target, &late.key).await, Probe::NotApplied);
}

#[tokio::test(start_paused = true)]
async fn a_held_request_that_is_released_in_time_is_answered() {
    let bench = Bench::new(Faults::none());
    bench.faults.add(Operation::Apply, Mishap::Held);
    let (late, verb) = (call("late", 1), stage());
    let release = async {
        // The call is polled first, so it is held by the time this runs.
        tokio::task::yield_now().await;
        bench.faults.release().await
    };
    let (reply, released) = tokio::join!(bench.apply(&late, &verb), release);
    assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
    assert_eq!(released, 1);
}

#[tokio::test]
async fn a_duplicate_of_a_deploy_does_not_come_back_after_its_rollback() {
    let bench = Bench::new(Faults::none());
    bench.faults.add(Operation::Apply, Mishap::Duplicated);
    let reply = bench.apply(&call("deploy", 1), &stage()).await;
    assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
    let reply = bench.apply(&call("rollback", 2), &retire()).await;
    assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
    assert_eq!(bench.faults.release().await, 1);
    assert_eq!(bench.accepted(), ["deploy", "rollback"]);
    let refused = bench.apply(&call("deploy", 1), &stage()).await;
    assert_eq!(refused, Reply::Conflict(Conflict::Fenced { current: Stamp::new(1, 2) }));
    assert_eq!(bench.memory.observe(&bench.target).await.unwrap().slot(&green()), None);
}

#[tokio::test]
async fn a_store_that_does_not_answer_may_have_written() {
    let memory = MemoryStore::new(Arc::new(ManualClock::default()));
    let faults = Faults::none();
    let store = FaultyStore::new(Arc::new(memory.clone()), faults.clone());
    faults.add(Operation::Runs, Mishap::Busy);
    assert_eq!(store.runs(RunFilter::All).await.unwrap_err().kind(), ErrorKind::Unavailable);
    faults.add(Operation::Runs, Mishap::ReplyLost);
    assert_eq!(store.runs(RunFilter::All).await.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(store.runs(RunFilter::All).await.unwrap(), []);
}

/// An engine in small: each step is repeated until it is known to be applied, with seal and probe after silence.
async fn persist(bench: &Bench, stamp: &mut Stamp, key: &str, verb: &Verb) {
    loop {
        *stamp = stamp.next();
        let call = Call { stamp: *stamp, ..call(key, 0) };
        match bench.apply(&call, verb).await {
            Reply::Applied(_) => return,
            Reply::Rejected(Rejection::Busy { .. }) => {}
            Reply::Ambiguous(_) => {
                let sealed = loop {
                    *stamp = stamp.next();
                    if let Seal::Sealed(_) = bench.deployer.seal(&bench.target, *stamp).await {
                        break bench.memory.probe(&bench.target, &call.key).await;
                    }
                };
                if matches!(sealed, Probe::Applied(_)) {
                    return;
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn under_any_seed_every_step_is_applied_exactly_once() {
    for seed in 0..200 {
        let rates = Rates { duplicated: 200, request_lost: 200, reply_lost: 200, ..Rates::default() };
        let bench = Bench::new(Faults::seeded(seed, rates));
        let mut stamp = Stamp::new(1, 0);
        let mut expected = Vec::new();
        for round in 0..5 {
            for (name, verb) in [("deploy", stage()), ("rollback", retire())] {
                let key = format!("{name}-{round}");
                persist(&bench, &mut stamp, &key, &verb).await;
                expected.push(key);
            }
            bench.faults.release().await;
        }
        assert_eq!(bench.accepted(), expected, "seed {seed}");
    }
}
