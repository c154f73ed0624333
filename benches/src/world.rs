//! A small shop on the reference backends, whose version 2.1.0 is live and has a fix waiting.

use std::future::Future;
use std::num::NonZeroU16;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use hotfix_core::memory::{MemoryDeployer, MemoryVersionControl};
use hotfix_core::model::{
    Artifact, BranchName, Calibration, IssueKey, Period, Release, ServiceName, Severity, SlotName, TagName,
    Target, Timestamp, Version,
};
use hotfix_core::observe::{Reading, Snapshot, readings};
use hotfix_core::plan::{Plan, Planned, plan};
use hotfix_core::policy::{Policy, Settings};
use hotfix_core::port::{Deployer, FetchMode, SourceQuery, VersionControl};
use hotfix_core::request::{Fix, Goal, Request, Revision, Staging, Strategy};

use crate::Failure;

/// The shop's repository and workloads.
#[derive(Debug, Clone)]
pub struct Shop {
    /// Where the code is.
    pub source: MemoryVersionControl,
    /// Where releases run.
    pub deployer: MemoryDeployer,
    /// What is live.
    pub live: Release,
}

impl Shop {
    /// Sets the shop up, with three instances in production.
    ///
    /// # Errors
    /// [`Failure`] when a name is refused.
    pub fn open() -> Result<Self, Failure> {
        let source = MemoryVersionControl::new();
        let files = [("src/pay.rs", Some("broken")), ("src/cart.rs", Some("cart"))];
        let first = source.commit(&[], &files, "release");
        source.set_tag(&TagName::new("v2.1.0")?, &first);
        source.set_branch(&BranchName::new("main")?, Some(&first));
        let next = source.commit(std::slice::from_ref(&first), &[("src/new.rs", Some("feature"))], "feature");
        source.set_branch(&BranchName::new("develop")?, Some(&next));
        let fix = [("src/pay.rs", Some("fixed")), ("tests/pay.rs", Some("regression"))];
        let fix = source.commit(&[first], &fix, "fix the null pointer");
        source.set_branch(&BranchName::new("fixes")?, Some(&fix));
        let live = live_release(&source)?;
        let shop = Self { source, deployer: MemoryDeployer::new(), live };
        for environment in ["staging", "production"] {
            shop.add_target(&format!("{environment}/shop").parse()?)?;
        }
        Ok(shop)
    }

    /// Adds a workload in which the shop's release is live.
    ///
    /// # Errors
    /// [`Failure`] when a name is refused.
    pub fn add_target(&self, target: &Target) -> Result<(), Failure> {
        let (blue, green) = (SlotName::new("blue")?, SlotName::new("green")?);
        self.deployer.add_target(target, [blue.clone(), green]);
        self.deployer.install(target, &blue, &self.live, NonZeroU16::new(3).unwrap_or(NonZeroU16::MIN));
        Ok(())
    }

    /// Observes everything that a plan for the request is made of.
    #[must_use]
    pub fn observe(&self, request: &Request, policy: &Policy) -> Snapshot {
        let mut snapshot = Snapshot::new(noon(), self.source.capabilities());
        loop {
            let missing = readings(request, policy, &snapshot);
            if missing.is_empty() {
                return snapshot;
            }
            for reading in missing {
                self.read(reading, &mut snapshot);
            }
        }
    }

    fn read(&self, reading: Reading, snapshot: &mut Snapshot) {
        match reading {
            Reading::Source(query) => {
                snapshot.record_source(at_once(self.source.observe(&query)), noon());
            }
            Reading::Compose(recipe) => {
                let answer = at_once(self.source.compose(&recipe));
                snapshot.record_composition(recipe, answer, noon());
            }
            Reading::Workload(target) => {
                let capabilities = self.deployer.capabilities(&target);
                let answer = at_once(self.deployer.observe(&target));
                snapshot.record_workload(&target, capabilities, answer, noon());
            }
            Reading::Snapshot(target) => {
                snapshot.record_snapshot(&target, at_once(self.deployer.snapshot(&target)), noon());
            }
            Reading::KnownGood { target, .. } => {
                snapshot.record_known_good(&target, Ok(Vec::new()), noon());
            }
            Reading::Calibration(_) => snapshot.record_calibration(Ok(Calibration::default()), noon()),
            Reading::Runs => snapshot.record_runs(Ok(Vec::new()), noon()),
        }
    }

    /// Plans the request.
    ///
    /// # Errors
    /// [`Failure`] when it is refused or nothing is to be done.
    pub fn plan(&self, request: &Request, policy: &Policy) -> Result<Plan, Failure> {
        match plan(request, &self.observe(request, policy), policy)? {
            Planned::Plan(plan) => Ok(*plan),
            Planned::NothingToDo(nothing) => Err(Failure::new(nothing.to_string())),
        }
    }
}

/// The request for the fix, by a canary, so urgent that nobody has to agree.
///
/// # Errors
/// [`Failure`] when a name is refused.
pub fn request() -> Result<Request, Failure> {
    let goal = Goal::Deploy {
        fix: Fix::Commits(vec![Revision::new("fixes")?]),
        from: None,
        image: None,
        strategy: Some(Strategy::Canary),
        staging: Staging::First,
    };
    let mut request = Request::new(
        IssueKey::new("PROD-2847")?,
        "Payments fail with a null pointer",
        Severity::P0,
        ServiceName::new("shop")?,
        "ana@example.com",
        goal,
    );
    request.break_glass = Some("nobody can pay".to_owned());
    Ok(request)
}

/// The default policy with a develop branch, and whatever is changed about it.
///
/// # Errors
/// [`Failure`] when the policy makes no sense.
pub fn policy(change: impl FnOnce(&mut Settings)) -> Result<Policy, Failure> {
    let mut settings = Settings::default();
    settings.source.develop = Some(BranchName::new("develop")?);
    change(&mut settings);
    Ok(Policy::new(settings)?)
}

/// A policy without staging whose gates are short, with looks at the metrics at this pace.
///
/// # Errors
/// [`Failure`] when the policy makes no sense.
pub fn brisk_policy(look: Period) -> Result<Policy, Failure> {
    policy(|settings| {
        settings.environments.staging = None;
        settings.rollout.rollback_soak = Period::from_millis(10);
        settings.execution.look = look;
    })
}

/// When everything here happens that needs a time.
#[must_use]
pub fn noon() -> Timestamp {
    Timestamp::UNIX_EPOCH + Period::from_hours(12).to_delta()
}

/// Runs a future of the reference backends, which never wait.
fn at_once<T>(future: impl Future<Output = hotfix_core::Result<T>>) -> hotfix_core::Result<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => {
            let kind = hotfix_core::ErrorKind::Timeout;
            Err(hotfix_core::Error::new(kind, "world.observe", "a reference backend waits"))
        }
    }
}

fn live_release(source: &MemoryVersionControl) -> Result<Release, Failure> {
    let tag = TagName::new("v2.1.0")?;
    let query = SourceQuery {
        service: ServiceName::new("shop")?,
        refs: Vec::new(),
        revisions: Vec::new(),
        fetch: FetchMode::Local,
    };
    let facts = at_once(source.observe(&query))?;
    let tree = facts.tags.get(&tag).map(|fact| fact.tree.clone());
    let tree = tree.ok_or_else(|| Failure::new("the tag that was just set is not there"))?;
    Ok(Release { version: Version::new(2, 1, 0), tag, artifact: Artifact::Tree(tree) })
}
