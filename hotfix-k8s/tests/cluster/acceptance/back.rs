//! Going back by hand: to a side that is warm, to what was proven before, and to nothing else.

use hotfix_core::execute::Outcome;
use hotfix_core::plan::{Action, Gate, Plan};
use hotfix_core::request::{RollbackTo, Strategy};
use hotfix_k8s::Traffic;
use tokio::time::Instant;

use super::super::site::release;
use super::super::stage::{Stage, end, quick, say};
use super::{live, main_pods};

/// A run that could not be finished leaves the fix live and the release before it warm: going back is one switch.
#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_finds_the_release_before_warm_and_starts_no_pod() {
    let stage = Stage::open(Traffic::Service, quick()).await;
    let [good, late] = [2, 3].map(|patch| release(stage.shop.test_cluster, patch));
    assert_eq!(live(end(stage.deploy(&good, Strategy::Direct).await).await), good.artifact);
    stage.until_home(&good).await;
    let pods = main_pods(&stage).await;
    let run = stage.deploy(&late, Strategy::Direct).await;
    stage.push_to_production();
    let outcome = end(run).await;
    let Outcome::Escalated { cause, .. } = &outcome else { panic!("{outcome}") };
    assert!(cause.to_string().contains("refs/heads/main"), "{cause}");
    assert_eq!(stage.share_of_the_copy().await, 100);

    let plan = stage.plan_back(RollbackTo::LastKnownGood).await.expect("a plan");
    assert_eq!(verdicts(&plan), 0, "{plan}");
    let began = Instant::now();
    let run = stage.engine.start(plan).await.expect("a free target");
    stage.until_share(0).await;
    let took = began.elapsed();
    assert_eq!(live(end(run).await), good.artifact);
    stage.until_home(&good).await;
    assert_eq!(main_pods(&stage).await, pods, "none was started");
    let report = stage.load.stop().await;
    say(&format_args!("back after {took:?}; {} of {} failed", report.failed, report.sent));
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
}

/// A release that a run proved is gone back to without a verdict, however long ago; one that nobody proved is not gone
/// back to at all: it is a fix like any other, with all that a fix has to pass.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_proven_once_is_not_judged_again_and_what_never_was_is_refused() {
    let stage = Stage::open(Traffic::Service, quick()).await;
    let fixes = [2, 3, 4].map(|patch| release(stage.shop.test_cluster, patch));
    for fix in &fixes {
        assert_eq!(live(end(stage.deploy(fix, Strategy::Direct).await).await), fix.artifact);
        stage.until_home(fix).await;
    }
    let [older, _, _] = &fixes;
    let unproven = RollbackTo::Version(release(stage.shop.test_cluster, 9).version);
    let refused = stage.plan_back(unproven).await.expect_err("nobody proved it").to_string();
    assert!(refused.contains("1.0.9") && refused.contains("v1.0.3"), "{refused}");
    let plan = stage.plan_back(RollbackTo::Version(older.version.clone())).await.expect("a plan");
    assert_eq!(verdicts(&plan), 0, "{plan}");
    assert!(plan.steps().iter().any(|step| matches!(step.action, Action::Gate(Gate::Soak { .. }))), "{plan}");
    let outcome = end(stage.engine.start(plan).await.expect("a free target")).await;
    assert_eq!(live(outcome), older.artifact);
    stage.until_home(older).await;
    let report = stage.load.stop().await;
    say(&format_args!("{} of {} failed", report.failed, report.sent));
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
}

/// How many gates of a plan judge traffic.
fn verdicts(plan: &Plan) -> usize {
    let judges = |action: &Action| matches!(action, Action::Gate(Gate::Verify { .. }));
    plan.steps().iter().filter(|step| judges(&step.action)).count()
}
