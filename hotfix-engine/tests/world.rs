//! A small world: a repository with a production tag, staging and production, traffic that follows the weights.

use std::collections::BTreeSet;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use hotfix_core::communicate::{Progress, ProgressKind};
use hotfix_core::memory::{
    ManualClock, MemoryDeployer, MemoryMetrics, MemoryNotifier, MemoryStore, MemoryVersionControl,
    SequentialIds, VerbEffect,
};
use hotfix_core::model::{
    Artifact, ArtifactId, BranchName, IssueKey, ObjectId, Period, Phase, Release, ServiceName, Severity,
    SlotName, TagName, Target, Timestamp, Version, WorkerName, Workload,
};
use hotfix_core::plan::{Plan, Planned};
use hotfix_core::policy::{Policy, Settings};
use hotfix_core::port::{Clock, Deployer as _, FetchMode, SourceQuery, VersionControl as _};
use hotfix_core::request::{Fix, Goal, Request, Revision, Staging};
use hotfix_engine::{Engine, EngineBuilder, RunHandle};

/// Requests per second to production.
const RATE: u64 = 50;

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) source: MemoryVersionControl,
    pub(crate) deployer: MemoryDeployer,
    pub(crate) metrics: MemoryMetrics,
    pub(crate) notifier: MemoryNotifier,
    pub(crate) store: MemoryStore,
    pub(crate) clock: ManualClock,
    pub(crate) ids: SequentialIds,
}

pub(crate) fn production() -> Target {
    "production/shop".parse().expect("a target")
}

pub(crate) fn staging() -> Target {
    "staging/shop".parse().expect("a target")
}

pub(crate) fn slot(name: &str) -> SlotName {
    SlotName::new(name).expect("a slot")
}

pub(crate) fn artifact_of(plan: &Plan) -> ArtifactId {
    plan.release().expect("a deploy has a release").artifact.id()
}

/// Reads on until the run comes to what is wanted.
pub(crate) async fn until(run: &mut RunHandle, wanted: impl Fn(&ProgressKind) -> bool) -> Progress {
    let mut seen = Vec::new();
    while let Some(progress) = run.next().await {
        let progress = progress.expect("a readable journal");
        if wanted(&progress.kind) {
            return progress;
        }
        seen.push(progress.to_string());
    }
    panic!("it never came to that:\n{}", seen.join("\n"));
}

/// Reads on until the run begins something in the phase.
pub(crate) async fn until_phase(run: &mut RunHandle, wanted: Phase) -> Progress {
    until(run, |kind| matches!(kind, ProgressKind::StepStarted { phase, .. } if *phase == wanted)).await
}

/// Reads on until the first judging gate of production is open.
pub(crate) async fn until_judged(run: &mut RunHandle) -> Progress {
    until(run, |kind| matches!(kind, ProgressKind::Looked { .. })).await
}

fn branch(name: &str) -> BranchName {
    BranchName::new(name).expect("a branch")
}

impl World {
    /// v2.1.0 is live on staging and production, and is the head of production and develop.
    pub(crate) async fn new() -> Self {
        Self::at("2026-03-01T03:00:00Z".parse().expect("a time")).await
    }

    /// The same world at a given time.
    pub(crate) async fn at(now: Timestamp) -> Self {
        let clock = ManualClock::at(now);
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let world = Self {
            source: MemoryVersionControl::new(),
            deployer: MemoryDeployer::new(),
            metrics: MemoryMetrics::new(Arc::clone(&shared), Period::from_secs(15)),
            notifier: MemoryNotifier::new("memory:incidents"),
            store: MemoryStore::new(shared),
            clock,
            ids: SequentialIds::default(),
        };
        let base = world.source.commit(&[], &[("app", Some("version 2.1.0"))], "release 2.1.0");
        let tag = TagName::new("v2.1.0").expect("a tag");
        world.source.set_tag(&tag, &base);
        for name in ["main", "develop"] {
            world.source.set_branch(&branch(name), Some(&base));
        }
        let release = world.release(&tag).await;
        for target in [staging(), production()] {
            world.deployer.add_target(&target, [slot("blue"), slot("green")]);
            world.deployer.install(&target, &slot("blue"), &release, NonZeroU16::new(2).expect("two"));
        }
        world
    }

    async fn release(&self, tag: &TagName) -> Release {
        let query = SourceQuery {
            service: ServiceName::new("shop").expect("a service"),
            refs: Vec::new(),
            revisions: Vec::new(),
            fetch: FetchMode::Local,
        };
        let facts = self.source.observe(&query).await.expect("a readable repository");
        let tree = facts.tags[tag].tree.clone();
        let version = Version::parse(tag.as_str().trim_start_matches('v')).expect("a version");
        Release { version, tag: tag.clone(), artifact: Artifact::Tree(tree) }
    }

    /// Returns the artifact that was live before any fix.
    pub(crate) async fn baseline(&self) -> ArtifactId {
        self.release(&TagName::new("v2.1.0").expect("a tag")).await.artifact.id()
    }

    /// Commits a fix on top of the production tag and returns it.
    pub(crate) fn fix(&self, content: &str) -> ObjectId {
        let base = self.source.resolve("v2.1.0").expect("the tag");
        self.source.commit(&[base], &[("app", Some(content))], "fix: the payment gateway")
    }

    pub(crate) fn engine(&self, worker: &str) -> Engine {
        self.builder(worker).build().expect("a complete engine")
    }

    /// An engine with something else in place of one of the world's parts.
    pub(crate) fn builder(&self, worker: &str) -> EngineBuilder {
        self.silent(worker).notifier(self.notifier.clone())
    }

    /// An engine without a notifier.
    pub(crate) fn silent(&self, worker: &str) -> EngineBuilder {
        Engine::builder()
            .version_control(self.source.clone())
            .deployer(self.deployer.clone())
            .metrics(self.metrics.clone())
            .store(self.store.clone())
            .clock(self.clock.clone())
            .ids(self.ids.clone())
            .policy(policy())
            .worker(WorkerName::new(worker).expect("a worker"))
    }

    pub(crate) async fn plan(&self, engine: &Engine, fix: &ObjectId) -> Plan {
        match engine.plan(&request(fix)).await {
            Ok(Planned::Plan(plan)) => *plan,
            other => panic!("no plan: {other:?}"),
        }
    }

    /// Plans and starts the fix.
    pub(crate) async fn start(&self, engine: &Engine, fix: &ObjectId) -> RunHandle {
        let plan = self.plan(engine, fix).await;
        engine.start(plan).await.expect("a free target")
    }

    /// Lets the world's clock follow tokio's, without any traffic.
    pub(crate) fn time(&self) -> Traffic {
        let clock = self.clock.clone();
        Traffic(tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                clock.advance(Period::from_secs(1));
            }
        }))
    }

    /// Asserts that production and staging serve the artifact, with all the traffic.
    pub(crate) async fn serves(&self, artifact: &ArtifactId) {
        for target in [staging(), production()] {
            let workload = self.deployer.observe(&target).await.expect("a known target");
            assert_eq!(workload.live_artifact().as_ref(), Some(artifact), "{target}");
            let live = workload.live.expect("a live slot");
            assert_eq!(workload.weights.map(|weights| weights.of(&live)), Some(100), "{target}");
        }
    }

    /// Asserts what must hold whatever went wrong on the way: no target applied a key twice or took a stamp that was
    /// not above the one before.
    pub(crate) fn applied_once(&self) {
        for target in [staging(), production()] {
            let accepted = self.deployer.accepted(&target);
            let stamps: Vec<_> = accepted.iter().map(|verb| verb.stamp).collect();
            assert!(stamps.is_sorted_by(|a, b| a < b), "{target}: {stamps:?}");
            let changed = accepted.iter().filter(|verb| verb.effect == VerbEffect::Changed);
            let keys: Vec<_> = changed.map(|verb| verb.key.clone()).collect();
            assert_eq!(keys.len(), keys.iter().collect::<BTreeSet<_>>().len(), "{target}: {keys:?}");
        }
        let batches = self.source.accepted();
        let keys: BTreeSet<_> = batches.iter().map(|batch| &batch.key).collect();
        assert_eq!(batches.len(), keys.len(), "{batches:?}");
        assert!(batches.is_sorted_by(|a, b| a.stamp < b.stamp), "{batches:?}");
    }

    /// Sends traffic for as long as the guard lives: by the weights of production, with `errors` of each thousand
    /// requests failing on instances of `bad`. The world's clock follows tokio's.
    pub(crate) fn traffic(&self, bad: Option<ArtifactId>, errors: u64) -> Traffic {
        let mut owed = 0;
        self.each_second(move |world, workload, slot, requests| {
            let artifact = workload.slot(slot).map(|state| state.release.artifact.id());
            let is_bad = artifact.is_some() && artifact == bad;
            owed += if is_bad { requests * errors } else { 0 };
            world.metrics.count(&production(), slot, "instance", requests, owed / 1000);
            owed %= 1000;
        })
    }

    /// The same without errors; on the live slot some 5 of 100 requests take 400 ms, on any other some 40.
    pub(crate) fn slow_traffic(&self) -> Traffic {
        let mut owed = 0;
        self.each_second(move |world, workload, slot, requests| {
            owed += requests * if Some(slot) == workload.live.as_ref() { 5 } else { 40 };
            let slow = (owed / 100).min(requests);
            owed -= slow * 100;
            world.metrics.count_slow(&production(), slot, "instance", slow, Period::from_millis(400));
            world.metrics.count(&production(), slot, "instance", requests - slow, 0);
        })
    }

    /// Shares the requests of each second among the slots of production by their weights, and lets time pass.
    fn each_second(
        &self,
        mut answer: impl FnMut(&Self, &Workload, &SlotName, u64) + Send + 'static,
    ) -> Traffic {
        let world = self.clone();
        Traffic(tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                world.clock.advance(Period::from_secs(1));
                let Ok(workload) = world.deployer.observe(&production()).await else { continue };
                for (slot, weight) in workload.weights.iter().flat_map(|weights| weights.iter()) {
                    answer(&world, &workload, slot, RATE * u64::from(weight) / 100);
                }
            }
        }))
    }
}

/// Traffic that ends with this guard.
pub(crate) struct Traffic(tokio::task::JoinHandle<()>);

impl Traffic {
    pub(crate) fn of(traffic: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(traffic))
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Nothing is watched after a success, unless a test is about that.
fn policy() -> Policy {
    let settings = settings();
    Policy::new(settings).expect("a policy that makes sense")
}

pub(crate) fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.source.develop = Some(branch("develop"));
    settings.after_success.lasting = Period::default();
    settings
}

pub(crate) fn request(fix: &ObjectId) -> Request {
    Request {
        issue: IssueKey::new("PROD-2847").expect("an issue"),
        title: "Payment Gateway Down".to_owned(),
        severity: Severity::P0,
        service: ServiceName::new("shop").expect("a service"),
        requested_by: "ada".to_owned(),
        goal: Goal::Deploy {
            fix: Fix::Commits(vec![Revision::new(fix.as_str()).expect("a revision")]),
            from: None,
            image: None,
            strategy: None,
            staging: Staging::First,
        },
        approvals: Vec::new(),
        break_glass: Some("payments are down".to_owned()),
        unfenced: Default::default(),
    }
}
