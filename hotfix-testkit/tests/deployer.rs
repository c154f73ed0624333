//! The reference deployer keeps the contract of its port, whole or narrowed, and the suite catches one that does not.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use hotfix_core::memory::{Behaviour, MemoryDeployer};
use hotfix_core::model::{
    Fault, IdempotencyKey, Precondition, Release, SlotName, Stamp, Target, Timestamp, Verb, VerbName,
    Workload, WorkloadSnapshot,
};
use hotfix_core::port::{
    Call, Deployer, DeployerCapabilities, Fence, Probe, Rejection, Reply, RoutedDeployer, Seal, Sealed,
    TrafficSplit, WorkloadWatch,
};
use hotfix_core::{ErrorKind, Result};
use hotfix_testkit::conformance::deployer::{self, DeployerFixture, DeployerSite};

pub(crate) fn release(digit: char) -> Release {
    serde_json::from_value(serde_json::json!({
        "version": format!("1.0.{digit}"),
        "tag": format!("v1.0.{digit}"),
        "artifact": {"tree": digit.to_string().repeat(40)},
    }))
    .unwrap()
}

fn slot(name: &str) -> SlotName {
    name.parse().unwrap()
}

/// Hands out targets of one memory deployer, seen through a wrapper.
pub(crate) struct Fixture {
    memory: MemoryDeployer,
    seen: Arc<dyn Deployer>,
    count: AtomicU32,
}

impl Fixture {
    pub(crate) fn new(
        memory: MemoryDeployer,
        wrap: impl FnOnce(MemoryDeployer) -> Arc<dyn Deployer>,
    ) -> Self {
        let instance = "broken-1".to_owned();
        let fault = Fault::CrashLoop { instance, restarts: 3 };
        memory.behave(release('3').artifact.id(), Behaviour::Broken(fault));
        Self { seen: wrap(memory.clone()), memory, count: AtomicU32::new(0) }
    }
}

#[async_trait]
impl DeployerFixture for Fixture {
    async fn site(&self) -> DeployerSite {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let target: Target = format!("staging/shop-{number}").parse().unwrap();
        self.memory.add_target(&target, [slot("blue"), slot("green")]);
        self.memory.install(&target, &slot("blue"), &release('1'), NonZeroU16::new(2).unwrap());
        DeployerSite {
            deployer: Arc::clone(&self.seen),
            target,
            live: release('1'),
            next: release('2'),
            never_ready: Some(release('3')),
        }
    }

    async fn fail(&self, site: &DeployerSite, slot: &SlotName) {
        self.memory.set_ready(&site.target, slot, 0);
    }
}

#[tokio::test]
async fn the_reference_deployer_keeps_every_case() {
    let fixture = Fixture::new(MemoryDeployer::new(), |memory| Arc::new(memory));
    deployer::all(&fixture).await;
    let skipped = deployer::report(&fixture).await.skipped();
    assert_eq!(
        skipped,
        [
            "traffic::stage_moves_the_share_of_its_instances",
            "traffic::shift_is_accepted_for_what_the_instances_give",
            "traffic::a_split_is_refused_where_traffic_only_switches",
        ]
    );
}

#[tokio::test]
async fn a_deployer_whose_slots_share_their_instances_keeps_every_case() {
    use VerbName::{Pause, Promote, Restore, Resume, Retire, Shift, Stage};
    for split in [TrafficSplit::Instances, TrafficSplit::AllInstances] {
        let in_place = MemoryDeployer::new().with_capabilities(DeployerCapabilities {
            verbs: [Stage, Shift, Promote, Retire, Restore, Pause, Resume].into(),
            split,
            fence: Fence::Checked,
        });
        let fixture = Fixture::new(in_place, |memory| Arc::new(memory));
        let report = deployer::report(&fixture).await;
        report.assert_kept();
        assert_eq!(
            report.skipped(),
            [
                "verbs::stage_fills_a_slot_and_sends_no_traffic",
                "traffic::shift_splits_the_traffic",
                "traffic::shift_moves_all_the_traffic",
                "traffic::a_split_is_refused_where_traffic_only_switches",
            ],
            "{split:?}"
        );
    }
}

/// Routes to every target that a fixture hands out.
fn routed(to: &[MemoryDeployer]) -> RoutedDeployer {
    let route = |number: usize| {
        let deployer: Arc<dyn Deployer> = Arc::new(to[number % to.len()].clone());
        (format!("staging/shop-{number}").parse().unwrap(), deployer)
    };
    RoutedDeployer::new((0..100).map(route).collect())
}

#[tokio::test]
async fn a_deployer_that_routes_keeps_the_contract_of_those_behind_it() {
    let fixture = Fixture::new(MemoryDeployer::new(), |memory| Arc::new(routed(&[memory])));
    deployer::all(&fixture).await;
}

#[tokio::test]
async fn each_target_is_handed_to_its_deployer_and_an_unknown_one_to_none() {
    let [even, odd] = [0, 1].map(|number| {
        let (memory, target) = (MemoryDeployer::new(), format!("staging/shop-{number}").parse().unwrap());
        memory.add_target(&target, [slot("blue")]);
        memory.install(&target, &slot("blue"), &release('1'), NonZeroU16::MIN);
        memory
    });
    let deployer = routed(&[even.clone(), odd]);
    let [first, second, unknown]: [Target; 3] =
        ["staging/shop-0", "staging/shop-1", "production/shop"].map(|text| text.parse().unwrap());
    for target in [&first, &second] {
        assert_eq!(deployer.observe(target).await.unwrap().live, Some(slot("blue")));
    }
    assert_eq!(even.observe(&second).await.unwrap_err().kind(), ErrorKind::NotFound, "it is another one's");

    let error = deployer.observe(&unknown).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let mend = "no deployer is given for production/shop; add it to the routes".to_owned();
    assert!(error.to_string().contains(&mend), "{error}");
    let (key, stamp) = (IdempotencyKey::new("k").unwrap(), Stamp::new(1, 1));
    let call = Call { key: key.clone(), stamp, deadline: Timestamp::default() };
    let reply = deployer.apply(&call, &unknown, &Verb::Pause, &Precondition::default()).await;
    assert_eq!(reply, Reply::Rejected(Rejection::Permanent { reason: mend.clone() }));
    assert_eq!(deployer.seal(&unknown, stamp).await, Seal::Unreachable { cause: mend.clone() });
    assert_eq!(deployer.probe(&unknown, &key).await, Probe::Unreadable { cause: mend });
}

#[tokio::test]
async fn a_deployer_that_routes_can_do_on_a_target_what_its_deployer_can() {
    use VerbName::{Shift, Stage};
    let narrow = DeployerCapabilities {
        verbs: [Stage, Shift].into(),
        split: TrafficSplit::Switch,
        fence: Fence::Checked,
    };
    let deployers = [MemoryDeployer::new(), MemoryDeployer::new().with_capabilities(narrow.clone())];
    let [first, second, unknown] =
        ["staging/shop-0", "staging/shop-1", "production/shop"].map(|text| text.parse().unwrap());
    let wide = deployers[0].capabilities(&first);
    let deployer = routed(&deployers);
    assert_eq!((deployer.capabilities(&first), deployer.capabilities(&second)), (wide, narrow));
    assert_eq!(deployer.capabilities(&unknown).verbs, [].into());
}

#[tokio::test]
async fn a_narrowed_deployer_keeps_what_it_offers() {
    use VerbName::{Promote, Retire, Shift, Stage};
    let narrow = MemoryDeployer::new().with_capabilities(DeployerCapabilities {
        verbs: [Stage, Shift, Promote, Retire].into(),
        split: TrafficSplit::Switch,
        fence: Fence::Checked,
    });
    let fixture = Fixture::new(narrow, |memory| Arc::new(memory));
    let report = deployer::report(&fixture).await;
    report.assert_kept();
    assert_eq!(
        report.skipped(),
        [
            "verbs::pause_keeps_changes_out_until_resume",
            "traffic::shift_splits_the_traffic",
            "traffic::stage_moves_the_share_of_its_instances",
            "traffic::shift_is_accepted_for_what_the_instances_give",
            "restore::it_takes_a_half_done_change_back",
            "restore::it_takes_a_promoted_release_back",
            "restore::a_dead_baseline_does_not_block_it",
            "restore::what_is_as_it_was_stays_so",
            "restore::a_pause_does_not_block_it",
        ]
    );
}

/// One instance of the live slot ends whenever a watch is opened.
#[derive(Debug)]
struct Settling(MemoryDeployer);

#[async_trait]
impl Deployer for Settling {
    fn capabilities(&self, target: &Target) -> DeployerCapabilities {
        self.0.capabilities(target)
    }

    async fn observe(&self, target: &Target) -> Result<Workload> {
        self.0.observe(target).await
    }

    async fn watch(&self, target: &Target) -> Result<WorkloadWatch> {
        let live = slot("blue");
        let ready = self.0.observe(target).await?.slot(&live).map_or(0, |held| held.ready);
        self.0.set_ready(target, &live, ready.saturating_sub(1));
        self.0.watch(target).await
    }

    async fn snapshot(&self, target: &Target) -> Result<WorkloadSnapshot> {
        self.0.snapshot(target).await
    }

    async fn apply(&self, call: &Call, target: &Target, verb: &Verb, precondition: &Precondition) -> Reply {
        self.0.apply(call, target, verb, precondition).await
    }

    async fn seal(&self, target: &Target, stamp: Stamp) -> Seal {
        self.0.seal(target, stamp).await
    }

    async fn probe(&self, target: &Target, key: &IdempotencyKey) -> Probe {
        self.0.probe(target, key).await
    }
}

#[tokio::test]
async fn what_changes_while_a_watch_is_opened_is_held_against_nobody() {
    let fixture = Fixture::new(MemoryDeployer::new(), |memory| Arc::new(Settling(memory)));
    let outcome = deployer::observe::a_watch_gives_the_present_state_first(&fixture).await;
    assert_eq!(outcome, Ok(()));
}

/// Defects that a real backend could have.
#[derive(Debug, Clone, Copy)]
enum Defect {
    /// The stamp is not compared.
    NoFence,
    /// The key is not remembered.
    ForgetsKeys,
    /// The precondition is dropped.
    NoPrecondition,
    /// A seal is acknowledged and not stored.
    IdleSeal,
    /// The probe looks only at the last key.
    ProbesOnlyNow,
    /// A restore waits for a healthy baseline.
    TimidRestore,
    /// A watch begins with the next change.
    LateWatch,
}

#[derive(Debug)]
struct Defective {
    inner: MemoryDeployer,
    defect: Defect,
    count: AtomicU32,
}

impl Defective {
    async fn above(&self, call: &Call, target: &Target) -> Call {
        let stamp = self.inner.observe(target).await.map_or(call.stamp, |workload| workload.stamp.next());
        Call { stamp, ..call.clone() }
    }
}

#[async_trait]
impl Deployer for Defective {
    fn capabilities(&self, target: &Target) -> DeployerCapabilities {
        self.inner.capabilities(target)
    }

    async fn observe(&self, target: &Target) -> Result<Workload> {
        self.inner.observe(target).await
    }

    async fn watch(&self, target: &Target) -> Result<WorkloadWatch> {
        let mut watch = self.inner.watch(target).await?;
        if matches!(self.defect, Defect::LateWatch) {
            let filled = self.inner.observe(target).await?.slots.values().flatten().count();
            for _ in 0..filled {
                std::future::poll_fn(|cx| watch.as_mut().poll_next(cx)).await;
            }
        }
        Ok(watch)
    }

    async fn snapshot(&self, target: &Target) -> Result<WorkloadSnapshot> {
        self.inner.snapshot(target).await
    }

    async fn apply(&self, call: &Call, target: &Target, verb: &Verb, precondition: &Precondition) -> Reply {
        let mut call = call.clone();
        let mut precondition = precondition.clone();
        match self.defect {
            Defect::NoFence => call = self.above(&call, target).await,
            Defect::ForgetsKeys => {
                let number = self.count.fetch_add(1, Ordering::Relaxed);
                call.key = format!("{}-{number}", call.key).parse().unwrap();
            }
            Defect::NoPrecondition => precondition = Precondition::default(),
            Defect::TimidRestore => {
                let healthy =
                    |workload: Workload| workload.slots.values().flatten().all(|held| held.ready > 0);
                let ready = self.inner.observe(target).await.is_ok_and(healthy);
                if matches!(verb, Verb::Restore { .. }) && !ready {
                    let reason = "the baseline is not ready".to_owned();
                    return Reply::Rejected(hotfix_core::port::Rejection::Permanent { reason });
                }
            }
            Defect::IdleSeal | Defect::ProbesOnlyNow | Defect::LateWatch => {}
        }
        self.inner.apply(&call, target, verb, &precondition).await
    }

    async fn seal(&self, target: &Target, stamp: Stamp) -> Seal {
        match (self.defect, self.inner.observe(target).await) {
            (Defect::IdleSeal, Ok(workload)) => Seal::Sealed(Sealed { previous: workload.stamp }),
            _ => self.inner.seal(target, stamp).await,
        }
    }

    async fn probe(&self, target: &Target, key: &IdempotencyKey) -> Probe {
        let last = self.inner.accepted(target).pop().map(|accepted| accepted.key);
        match self.defect {
            Defect::ProbesOnlyNow if last.as_ref() != Some(key) => Probe::NotApplied,
            _ => self.inner.probe(target, key).await,
        }
    }
}

async fn broken_by(defect: Defect) -> Vec<&'static str> {
    let fixture = Fixture::new(MemoryDeployer::new(), |inner| {
        Arc::new(Defective { inner, defect, count: AtomicU32::new(0) })
    });
    deployer::report(&fixture).await.broken()
}

#[tokio::test(start_paused = true)]
async fn each_defect_breaks_the_cases_that_are_about_it() {
    assert_eq!(
        broken_by(Defect::NoFence).await,
        [
            "fence::stale_and_equal_stamps_are_refused",
            "fence::a_late_duplicate_is_refused",
            "fence::a_seal_raises_the_fence_and_nothing_else",
            "fence::nothing_older_passes_a_seal",
            "fence::of_two_equal_stamps_one_wins",
        ]
    );
    assert_eq!(
        broken_by(Defect::ForgetsKeys).await,
        ["fence::a_repeated_key_is_not_applied_again", "fence::a_probe_tells_applied_from_not_applied"]
    );
    assert_eq!(
        broken_by(Defect::NoPrecondition).await,
        [
            "fence::a_precondition_on_the_live_release_is_checked",
            "fence::a_precondition_on_a_slot_is_checked"
        ]
    );
    assert_eq!(
        broken_by(Defect::IdleSeal).await,
        [
            "fence::a_seal_raises_the_fence_and_nothing_else",
            "fence::a_seal_can_be_repeated_and_overtaken",
            "fence::nothing_older_passes_a_seal",
        ]
    );
    assert_eq!(broken_by(Defect::ProbesOnlyNow).await, ["fence::a_probe_tells_applied_from_not_applied"]);
    assert_eq!(broken_by(Defect::TimidRestore).await, ["restore::a_dead_baseline_does_not_block_it"]);
    assert_eq!(broken_by(Defect::LateWatch).await, ["observe::a_watch_gives_the_present_state_first"]);
}
