//! A thousand runs at once.

use std::collections::BTreeSet;
use std::time::Duration;

use hotfix_core::execute::Outcome;
use hotfix_core::model::{IssueKey, ServiceName};
use hotfix_core::plan::Planned;
use hotfix_core::policy::{BranchTemplate, Policy, Settings};
use hotfix_core::request::Goal;

use crate::world::{World, request};

const RUNS: usize = 1_000;

#[tokio::test(start_paused = true)]
async fn a_thousand_runs_are_taken_up_at_once() {
    let world = World::new().await;
    let mut settings = Settings::default();
    settings.source.branch = BranchTemplate::new("hotfix/{issue}").expect("a template");
    let policy = Policy::new(settings).expect("a policy that makes sense");
    let build =
        |worker: &str| world.builder(worker).policy(policy.clone()).build().expect("a complete engine");
    let engine = build("w1");
    // The first effect of each is lost on its way, so that all of them have something to find out.
    for _ in 0..RUNS {
        world.source.trouble(hotfix_core::memory::Trouble::RequestLost);
    }
    let mut runs = Vec::new();
    for number in 0..RUNS {
        let mut request = request(&world.fix("version 2.1.1"));
        request.issue = IssueKey::new(format!("FIX-{number}")).expect("an issue");
        request.service = ServiceName::new(format!("shop-{number}")).expect("a service");
        request.goal = Goal::Create { from: None };
        let plan = match engine.plan(&request).await {
            Ok(Planned::Plan(plan)) => *plan,
            other => panic!("no plan: {other:?}"),
        };
        runs.push(engine.start(plan).await.expect("a free target"));
    }
    drop((runs, engine));
    tokio::time::sleep(Duration::from_millis(1)).await;

    let handles = build("w1").resume_all().await.expect("a readable store");
    assert_eq!(handles.len(), RUNS);
    for handle in handles {
        let outcome = handle.outcome().await.expect("an end");
        assert!(matches!(outcome, Outcome::Succeeded { release: None }), "{outcome}");
    }

    let batches = world.source.accepted();
    let names: BTreeSet<_> =
        batches.iter().flat_map(|batch| &batch.batch.updates).map(|it| &it.name).collect();
    assert_eq!((batches.len(), names.len()), (RUNS, RUNS));
}
