//! Whole runs.

use hotfix_core::execute::{Cause, Outcome};
use hotfix_core::port::Deployer as _;

use crate::world::{World, artifact_of, production, slot, staging};

#[tokio::test(start_paused = true)]
async fn a_good_fix_goes_live_and_is_merged_back() {
    let world = World::new().await;
    let engine = world.engine("w1");
    let plan = world.plan(&engine, &world.fix("version 2.1.1")).await;
    let fix = artifact_of(&plan);
    let _traffic = world.traffic(None, 0);

    let mut run = engine.start(plan).await.expect("a free target");
    let mut lines = Vec::new();
    while let Some(progress) = run.next().await {
        lines.push(progress.expect("a readable journal").kind.to_string());
    }
    let outcome = run.outcome().await.expect("an end");

    assert!(matches!(outcome, Outcome::Succeeded { release: Some(_) }), "{outcome}\n{}", lines.join("\n"));
    for target in [staging(), production()] {
        let workload = world.deployer.observe(&target).await.expect("a known target");
        assert_eq!(workload.live_artifact(), Some(fix.clone()), "{target}");
    }
    assert_eq!(world.source.read("main", "app").as_deref(), Some("version 2.1.1"));
    assert_eq!(world.source.read("develop", "app").as_deref(), Some("version 2.1.1"));
    assert_eq!(world.source.resolve("v2.1.1"), world.source.resolve("main"));
    assert_eq!(world.source.resolve("hotfix/2.1.1"), None, "the branch is gone");
}

#[tokio::test(start_paused = true)]
async fn a_bad_fix_takes_itself_back() {
    let world = World::new().await;
    let engine = world.engine("w1");
    let plan = world.plan(&engine, &world.fix("version 2.1.1 with a mistake")).await;
    let baseline = plan.baselines()[0].snapshot.release.artifact.id();
    let _traffic = world.traffic(Some(artifact_of(&plan)), 200);

    let run = engine.start(plan).await.expect("a free target");
    let outcome = run.outcome().await.expect("an end");

    let Outcome::RolledBack { cause: Cause::Verdict { summary, .. }, left } = outcome else {
        panic!("not rolled back by verdict: {outcome}");
    };
    assert!(summary.starts_with("fail: canary "), "{summary}");
    assert_eq!(left, []);
    for target in [staging(), production()] {
        let workload = world.deployer.observe(&target).await.expect("a known target");
        assert_eq!(workload.live_artifact(), Some(baseline.clone()), "{target}");
        assert_eq!(workload.weights.map(|weights| weights.of(&slot("blue"))), Some(100), "{target}");
    }
    assert_eq!(world.source.resolve("v2.1.1"), None);
    assert_eq!(world.source.resolve("hotfix/2.1.1"), None, "the branch is gone");
    assert!(world.source.resolve("v2.1.1-rc.1").is_some(), "what ran stays on record");
}

#[tokio::test(start_paused = true)]
async fn a_fix_comes_home_to_the_slot_that_others_deploy_to_and_is_judged_there() {
    let world = World::new().await;
    for target in [staging(), production()] {
        world.deployer.set_home(&target, &slot("blue"));
    }
    let engine = world.engine("w1");
    let plan = world.plan(&engine, &world.fix("version 2.1.1")).await;
    let fixed = artifact_of(&plan);
    let _traffic = world.traffic(None, 0);

    let run = engine.start(plan).await.expect("a free target");
    let id = run.run().clone();
    let outcome = run.outcome().await.expect("an end");

    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome}");
    for target in [staging(), production()] {
        let workload = world.deployer.observe(&target).await.expect("a known target");
        assert_eq!(
            (workload.live.as_ref(), workload.live_artifact()),
            (Some(&slot("blue")), Some(fixed.clone()))
        );
        assert_eq!(workload.slot(&slot("green")), None, "{target}");
    }
    let document = engine.postmortem(&id).await.expect("a postmortem");
    let verdicts =
        document.lines().filter(|line| line.contains("judge blue at 100 %") && line.contains("pass: "));
    assert_eq!(verdicts.count(), 1, "{document}");
    world.applied_once();
}
