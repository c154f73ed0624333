//! The planner alone: facts in, plan out. No backend, no runtime, no I/O; it depends on `hotfix-core` only.
//!
//! `cargo run --example plan_only`
//!
//! Use this when you have facts of your own (an inventory, a CI job, a chat bot) and want to see or check what a hotfix
//! would do. The planner says which facts it needs; here they are made up.

use std::collections::BTreeMap;
use std::error::Error;
use std::num::NonZeroU16;

use hotfix_core::model::{
    Artifact, BranchName, Calibration, IssueKey, ObjectId, Release, Rollout, ServiceName, Severity, SlotName,
    SlotState, Stamp, TagName, Timestamp, Version, Weights, Workload, WorkloadSnapshot,
};
use hotfix_core::observe::{Reading, Snapshot, readings};
use hotfix_core::plan::{Mermaid, Planned, check, plan};
use hotfix_core::policy::{Policy, Settings};
use hotfix_core::port::{
    Atomicity, Basis, ChangedPath, Composed, DeployerCapabilities, DiffSize, Fence, Instruction, KnownGood,
    Recipe, SourceFacts, SourceQuery, TagFact, TrafficSplit, VersionControlCapabilities,
};
use hotfix_core::request::{Approval, Fix, Goal, Request, Revision, Staging};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[expect(clippy::print_stdout, reason = "printing plans is what this example is for")]
fn main() -> Result<()> {
    let mut settings = Settings::default();
    settings.source.develop = Some(BranchName::new("develop")?);
    let policy = Policy::new(settings)?;

    let mut request = request()?;
    request.approvals.push(Approval { by: "kim@example.com".to_owned(), at: now()? });
    match plan(&request, &observe(&request, &policy)?, &policy)? {
        Planned::Plan(plan) => {
            println!("--- as text\n{plan}");
            println!("--- as a Mermaid flowchart\n{}", Mermaid(&plan));
            println!("--- as JSON\n{}", serde_json::to_string(&plan)?);
            // A second opinion that shares no code with the planner.
            println!("--- the checker finds {:?}", check(&plan));
        }
        Planned::NothingToDo(why) => println!("{why}"),
    }

    request.approvals.clear();
    if let Goal::Deploy { staging, .. } = &mut request.goal {
        *staging = Staging::Skip;
    }
    let Err(refused) = plan(&request, &observe(&request, &policy)?, &policy) else {
        return Err("without approval and staging there should be no plan".into());
    };
    println!("--- the same without approval and without staging\n{refused}");
    println!("{}", serde_json::to_string(&refused)?);
    Ok(())
}

fn request() -> Result<Request> {
    let goal = Goal::Deploy {
        fix: Fix::Commits(vec![Revision::new("fixes/PROD-2847")?]),
        from: None,
        image: None,
        strategy: None,
        staging: Staging::First,
    };
    let (issue, service) = (IssueKey::new("PROD-2847")?, ServiceName::new("shop")?);
    let title = "Payments fail with a null pointer";
    Ok(Request::new(issue, title, Severity::P1, service, "ana@example.com", goal))
}

/// Answers what the planner asks until it has no more questions.
fn observe(request: &Request, policy: &Policy) -> Result<Snapshot> {
    let mut snapshot = Snapshot::new(now()?, repository_capabilities());
    loop {
        let missing = readings(request, policy, &snapshot);
        if missing.is_empty() {
            return Ok(snapshot);
        }
        for reading in missing {
            answer(reading, &mut snapshot)?;
        }
    }
}

/// Each answer could also be an error: a gap is a fact like any other, and the plan says what it means.
fn answer(reading: Reading, snapshot: &mut Snapshot) -> Result<()> {
    let at = now()?;
    match reading {
        Reading::Source(query) => snapshot.record_source(Ok(repository(&query)?), at),
        Reading::Compose(recipe) => {
            let results = composed(&recipe)?;
            snapshot.record_composition(recipe, Ok(results), at);
        }
        Reading::Workload(target) => {
            snapshot.record_workload(&target, deployer_capabilities(), Ok(workload()?), at);
        }
        Reading::Snapshot(target) => {
            let (slot, release) = (SlotName::new("blue")?, live()?);
            let backend = serde_json::Value::Null;
            let restorable = WorkloadSnapshot { slot, release, replicas: THREE, backend };
            snapshot.record_snapshot(&target, Ok(restorable), at);
        }
        Reading::KnownGood { target, .. } => {
            let good = KnownGood { target: target.clone(), release: live()?, at, basis: Basis::Proven };
            snapshot.record_known_good(&target, Ok(vec![good]), at);
        }
        Reading::Calibration(_) => snapshot.record_calibration(Ok(Calibration::default()), at),
        Reading::Runs => snapshot.record_runs(Ok(Vec::new()), at),
    }
    Ok(())
}

const THREE: NonZeroU16 = NonZeroU16::MIN.saturating_add(2);

fn now() -> Result<Timestamp> {
    Ok("2026-11-21T04:00:00Z".parse()?)
}

fn object(number: usize) -> Result<ObjectId> {
    Ok(ObjectId::new(format!("{number:0<40x}"))?)
}

const fn repository_capabilities() -> VersionControlCapabilities {
    VersionControlCapabilities { atomic: Atomicity::AllOrNothing, remote: None }
}

fn deployer_capabilities() -> DeployerCapabilities {
    use hotfix_core::model::VerbName::{Promote, Restore, Retire, Shift, Stage};
    DeployerCapabilities {
        verbs: [Stage, Shift, Promote, Retire, Restore].into(),
        split: TrafficSplit::Percent,
        fence: Fence::Checked,
    }
}

/// Production runs v2.1.0, which is what `main` holds; `develop` has gone on.
fn repository(query: &SourceQuery) -> Result<SourceFacts> {
    let known = BTreeMap::from([
        ("main", object(0x210)?),
        ("develop", object(0x211)?),
        ("fixes/PROD-2847", object(0x2847)?),
    ]);
    let refs = query.refs.iter().map(|name| (name.clone(), known.get(name.short()).cloned()));
    let revisions = query.revisions.iter().map(|text| (text.clone(), known.get(text.as_str()).cloned()));
    let released = TagFact { commit: object(0x210)?, tree: object(0xb100)? };
    Ok(SourceFacts {
        refs: refs.collect(),
        revisions: revisions.collect(),
        diverged: BTreeMap::new(),
        tags: BTreeMap::from([(TagName::new("v2.1.0")?, released)]),
        checked_out: Vec::new(),
        stamp: Stamp::ZERO,
    })
}

/// What picking, merging and tagging would give: content is made before any reference moves.
fn composed(recipe: &Recipe) -> Result<Vec<Composed>> {
    let made = |(index, instruction): (usize, &Instruction)| {
        Ok(match instruction {
            Instruction::Pick { .. } | Instruction::Merge { .. } | Instruction::Write { .. } => {
                Composed::Commit { id: object(0xc000 + index)?, tree: object(0xb200)? }
            }
            Instruction::Tag { .. } => Composed::Tag { id: object(0xa000 + index)? },
            Instruction::Diff { .. } => Composed::Diff(DiffSize {
                paths: vec![ChangedPath { path: "src/pay.rs".to_owned(), added: 2, removed: 1 }],
            }),
        })
    };
    recipe.instructions.iter().enumerate().map(made).collect()
}

fn live() -> Result<Release> {
    let artifact = Artifact::Tree(object(0xb100)?);
    Ok(Release { version: Version::new(2, 1, 0), tag: TagName::new("v2.1.0")?, artifact })
}

fn workload() -> Result<Workload> {
    let (blue, green) = (SlotName::new("blue")?, SlotName::new("green")?);
    let held = SlotState { release: live()?, replicas: THREE, ready: 3, faults: Vec::new() };
    Ok(Workload {
        slots: BTreeMap::from([(blue.clone(), Some(held)), (green, None)]),
        live: Some(blue.clone()),
        weights: Some(Weights::all(blue)),
        rollout: Rollout::Active,
        stamp: Stamp::ZERO,
        home: None,
        notices: Vec::new(),
    })
}
