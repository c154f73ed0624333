//! A small world on the strict reference backends: observed as an engine would, changed as a plan says.

use std::collections::BTreeMap;
use std::future::Future;
use std::num::NonZeroU16;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use hotfix_core::memory::{MemoryDeployer, MemoryVersionControl};
use hotfix_core::model::{
    Artifact, BranchName, Calibration, Effect, IdempotencyKey, IssueKey, ObjectId, Release, ServiceName,
    Severity, SlotName, Stamp, TagName, Target, Timestamp, Version, Workload,
};
use hotfix_core::observe::{Reading, Snapshot, readings};
use hotfix_core::plan::{Action, Gate, Plan, Planned, Refused, StepId, check, plan};
use hotfix_core::policy::{Policy, Settings};
use hotfix_core::port::{
    Basis, Call, Deployer, FetchMode, KnownGood, Reply, RunSummary, SourceQuery, TagFact, VersionControl,
};
use hotfix_core::request::{Approval, Fix, Goal, Request, Revision, RollbackTo, Staging, Strategy};

/// When everything in these tests happens.
pub(super) fn now() -> Timestamp {
    "2026-11-21T04:00:00Z".parse().unwrap()
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Runs a future of the reference backends, which never wait.
pub(super) fn ready<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a reference backend waits"),
    }
}

pub(super) fn slot(name: &str) -> SlotName {
    SlotName::new(name).unwrap()
}

pub(super) fn branch(name: &str) -> BranchName {
    BranchName::new(name).unwrap()
}

pub(super) fn tag(name: &str) -> TagName {
    TagName::new(name).unwrap()
}

pub(super) fn staging() -> Target {
    "staging/shop".parse().unwrap()
}

pub(super) fn production() -> Target {
    "production/shop".parse().unwrap()
}

fn replicas(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).unwrap()
}

/// The default policy, with a develop branch.
pub(super) fn policy() -> Policy {
    policy_with(|_| {})
}

pub(super) fn policy_with(change: impl FnOnce(&mut Settings)) -> Policy {
    let mut settings = Settings::default();
    settings.source.develop = Some(branch("develop"));
    change(&mut settings);
    Policy::new(settings).unwrap()
}

pub(super) fn request(severity: Severity, goal: Goal) -> Request {
    Request::new(
        IssueKey::new("PROD-2847").unwrap(),
        "Payments fail with a null pointer",
        severity,
        ServiceName::new("shop").unwrap(),
        "ana@example.com",
        goal,
    )
}

/// A P1 deploy of the fix on the branch `fixes`, approved by one person.
pub(super) fn deploy(strategy: Option<Strategy>) -> Request {
    let mut request = request(
        Severity::P1,
        Goal::Deploy {
            fix: Fix::Commits(vec![Revision::new("fixes").unwrap()]),
            from: None,
            image: None,
            strategy,
            staging: Staging::First,
        },
    );
    request.approvals = vec![approval("kim@example.com", "2026-11-21T03:50:00Z")];
    request
}

pub(super) fn rollback(to: RollbackTo) -> Request {
    request(Severity::P1, Goal::rollback(production(), to))
}

pub(super) fn approval(by: &str, when: &str) -> Approval {
    Approval { by: by.to_owned(), at: at(when) }
}

/// A repository, workloads, and what the store remembers.
pub(super) struct World {
    pub(super) git: MemoryVersionControl,
    pub(super) deployer: MemoryDeployer,
    pub(super) proven: BTreeMap<Target, Vec<KnownGood>>,
    pub(super) runs: Vec<RunSummary>,
    pub(super) first: ObjectId,
    seq: u32,
}

impl World {
    /// Version 2.1.0 of a shop is live on staging and production, develop has gone on, and there is a fix of two
    /// files on the branch `fixes`.
    pub(super) fn shop() -> Self {
        Self::with_replicas(3)
    }

    pub(super) fn with_replicas(count: u16) -> Self {
        let git = MemoryVersionControl::new();
        let old = git.commit(&[], &[("src/pay.rs", Some("v0"))], "begin");
        git.set_tag(&tag("v2.0.9"), &old);
        let files =
            [("src/pay.rs", Some("broken")), ("src/cart.rs", Some("cart")), ("Cargo.lock", Some("1"))];
        let first = git.commit(&[old], &files, "release");
        git.set_tag(&tag("v2.1.0"), &first);
        git.set_branch(&branch("main"), Some(&first));
        let next = git.commit(std::slice::from_ref(&first), &[("src/new.rs", Some("feature"))], "feature");
        git.set_branch(&branch("develop"), Some(&next));
        let fix = [("src/pay.rs", Some("fixed\nguard")), ("tests/pay.rs", Some("regression"))];
        let fix = git.commit(std::slice::from_ref(&first), &fix, "fix the null pointer");
        git.set_branch(&branch("fixes"), Some(&fix));

        let deployer = MemoryDeployer::new();
        let mut world = Self { git, deployer, proven: BTreeMap::new(), runs: Vec::new(), first, seq: 0 };
        let live = world.release("v2.1.0");
        for (target, count) in [(staging(), 1), (production(), count)] {
            world.deployer.add_target(&target, [slot("blue"), slot("green")]);
            world.deployer.install(&target, &slot("blue"), &live, replicas(count));
            world.prove(&target, "v2.0.9", "2026-11-01T10:00:00Z");
            world.prove(&target, "v2.1.0", "2026-11-15T10:00:00Z");
        }
        world
    }

    /// Says which slot others deploy to, on every workload.
    pub(super) fn come_home_to(&self, name: &str) {
        [staging(), production()].iter().for_each(|target| self.deployer.set_home(target, &slot(name)));
    }

    /// Commits the fix in another way.
    pub(super) fn fix_with(&self, files: &[(&str, Option<&str>)]) {
        let fix = self.git.commit(std::slice::from_ref(&self.first), files, "another fix");
        self.git.set_branch(&branch("fixes"), Some(&fix));
    }

    pub(super) fn tag_fact(&self, name: &str) -> TagFact {
        let query = SourceQuery {
            service: ServiceName::new("shop").unwrap(),
            refs: Vec::new(),
            revisions: Vec::new(),
            fetch: FetchMode::Local,
        };
        ready(self.git.observe(&query)).unwrap().tags[&tag(name)].clone()
    }

    /// The release that is the tree of a tag.
    pub(super) fn release(&self, name: &str) -> Release {
        let tree = self.tag_fact(name).tree;
        let version = Version::parse(name.trim_start_matches('v')).unwrap();
        Release { version, tag: tag(name), artifact: Artifact::Tree(tree) }
    }

    pub(super) fn prove(&mut self, target: &Target, name: &str, when: &str) {
        let basis = Basis::Proven;
        let good = KnownGood { target: target.clone(), release: self.release(name), at: at(when), basis };
        self.proven.entry(target.clone()).or_default().insert(0, good);
    }

    pub(super) fn begin(&self) -> Snapshot {
        Snapshot::new(now(), self.git.capabilities())
    }

    /// Observes until nothing is missing.
    pub(super) fn observe(&self, request: &Request, policy: &Policy) -> Snapshot {
        let mut snapshot = self.begin();
        for _ in 0..8 {
            let missing = readings(request, policy, &snapshot);
            if missing.is_empty() {
                return snapshot;
            }
            missing.into_iter().for_each(|reading| self.read(reading, &mut snapshot));
        }
        panic!("observing does not come to an end");
    }

    fn read(&self, reading: Reading, snapshot: &mut Snapshot) {
        match reading {
            Reading::Source(query) => snapshot.record_source(ready(self.git.observe(&query)), now()),
            Reading::Compose(recipe) => {
                let answer = ready(self.git.compose(&recipe));
                snapshot.record_composition(recipe, answer, now());
            }
            Reading::Workload(target) => {
                let capabilities = self.deployer.capabilities(&target);
                let answer = ready(self.deployer.observe(&target));
                snapshot.record_workload(&target, capabilities, answer, now());
            }
            Reading::Snapshot(target) => {
                snapshot.record_snapshot(&target, ready(self.deployer.snapshot(&target)), now());
            }
            Reading::KnownGood { target, limit } => {
                let good = self.proven.get(&target).into_iter().flatten().take(limit).cloned().collect();
                snapshot.record_known_good(&target, Ok(good), now());
            }
            Reading::Calibration(query) => {
                assert_eq!(query.target, production());
                snapshot.record_calibration(Ok(Calibration::default()), now());
            }
            Reading::Runs => snapshot.record_runs(Ok(self.runs.clone()), now()),
        }
    }

    pub(super) fn try_plan(&self, request: &Request, policy: &Policy) -> Result<Planned, Refused> {
        plan(request, &self.observe(request, policy), policy)
    }

    /// Plans, and has the plan checked.
    pub(super) fn plan(&self, request: &Request, policy: &Policy) -> Plan {
        match self.try_plan(request, policy) {
            Ok(Planned::Plan(plan)) => {
                assert_eq!(check(&plan), Ok(()), "{plan}");
                *plan
            }
            Ok(Planned::NothingToDo(nothing)) => panic!("{nothing}"),
            Err(refused) => panic!("{refused}"),
        }
    }

    /// Carries out the forward steps before `end`; the strict backends refuse whatever is not allowed.
    pub(super) fn run(&mut self, plan: &Plan, end: usize) {
        for step in &plan.steps()[..end] {
            match &step.action {
                Action::Effect(effect) => self.apply(step.id, effect),
                Action::Gate(gate) => self.pass(gate),
            }
        }
    }

    /// Carries out a whole plan.
    pub(super) fn finish(&mut self, plan: &Plan) {
        self.run(plan, plan.steps().len());
        if let (Some(release), Some(baseline)) = (plan.release(), plan.baselines().last()) {
            let (target, release, at) = (baseline.target.clone(), release.clone(), now());
            let good = KnownGood { target: target.clone(), release, at, basis: Basis::Proven };
            self.proven.entry(target).or_default().insert(0, good);
        }
    }

    /// Takes back the first `done` steps of a plan.
    pub(super) fn take_back(&mut self, plan: &Plan, done: usize) {
        let begun = |id: &StepId| usize::from(id.0) < done;
        for undo in plan.rollback().iter().filter(|undo| undo.covers.iter().any(begun)) {
            self.apply(undo.id, &undo.effect);
        }
    }

    fn apply(&mut self, step: StepId, effect: &Effect) {
        self.seq += 1;
        let call = Call {
            key: IdempotencyKey::new(format!("key-{}", self.seq)).unwrap(),
            stamp: Stamp::new(1, self.seq),
            deadline: now(),
        };
        let reply = match effect {
            Effect::Source { service, batch } => ready(self.git.apply(&call, service, batch)),
            Effect::Workload { target, verb, precondition } => {
                ready(self.deployer.apply(&call, target, verb, precondition))
            }
        };
        assert!(matches!(reply, Reply::Applied(_)), "step {step}, {effect}: {reply:?}");
    }

    fn pass(&self, gate: &Gate) {
        let workload = ready(self.deployer.observe(gate.target())).unwrap();
        let state = workload.slot(gate.slot()).unwrap_or_else(|| panic!("{gate}: the slot is empty"));
        assert_eq!(state.release.artifact.id(), *gate.artifact(), "{gate}");
        if !matches!(gate, Gate::Approval { .. } | Gate::Watch { .. }) {
            assert_eq!(state.ready, state.replicas.get(), "{gate}");
        }
        if let Gate::Verify { canary, weight, .. } = gate {
            assert_eq!(workload.weights.unwrap().of(canary), *weight, "{gate}");
        }
    }

    pub(super) fn workload(&self, target: &Target) -> Workload {
        ready(self.deployer.observe(target)).unwrap()
    }

    pub(super) fn live(&self, target: &Target) -> (SlotName, TagName) {
        let workload = self.workload(target);
        let tag = workload.live_state().unwrap().release.tag.clone();
        (workload.live.unwrap(), tag)
    }
}
