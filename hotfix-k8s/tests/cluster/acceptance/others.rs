//! Others who change the same objects meanwhile: what is theirs stays theirs, and is reported.

use hotfix_core::execute::Outcome;
use hotfix_core::model::Artifact;
use hotfix_core::request::Strategy;
use hotfix_engine::EngineError;
use kube::api::{Patch, PatchParams};
use kube::core::TypeMeta;
use serde_json::json;

use super::super::site::{Kind, deployment, release, written};
use super::super::stage::{Stage, end, mesh, quick, say};
use super::{live, until_ready};

/// Two engines at once: the second is told who holds the target, and writes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_is_refused_with_the_name_of_the_first_and_writes_nothing() {
    let stage = Stage::open(mesh(), quick()).await;
    let [first, second] = [2, 3].map(|patch| release(stage.shop.test_cluster, patch));
    let other = stage.other_engine("second", quick());
    let early = stage.plan(&other, &second, Strategy::Canary).await.expect("a plan");
    let run = stage.deploy(&first, Strategy::Canary).await;
    stage.until_share(10).await;
    match other.start(early).await {
        Err(EngineError::Busy(claim)) => {
            assert_eq!((claim.holder.as_str(), &claim.run), ("first", run.run()));
        }
        other => panic!("not refused: {other:?}"),
    }
    let late = stage.plan(&other, &second, Strategy::Canary).await.expect_err("refused").to_string();
    assert!(late.contains(&format!("held by run {} of first", run.run())), "{late}");
    let outcome = end(run).await;
    assert_eq!(live(outcome), first.artifact);
    stage.until_home(&first).await;
    let Artifact::Image(image) = &second.artifact else { unreachable!("it was pushed") };
    let patches = stage.shop.patches();
    assert!(!patches.iter().any(|patch| patch.contains(image.as_str())), "{patches:?}");
    assert_eq!(stage.load.stop().await.failed, 0);
}

/// Somebody scales the live Deployment while a canary is under way: the step is kept, the copy grows with it before it
/// gets its next share, and neither going back nor coming home takes the new size away.
#[tokio::test(flavor = "multi_thread")]
async fn a_size_that_somebody_sets_meanwhile_is_kept_and_the_copy_grows_with_it() {
    let stage = Stage::open(mesh(), quick()).await;
    let [old, fix] = [1, 2].map(|patch| release(stage.shop.test_cluster, patch));
    let run = stage.deploy(&fix, Strategy::Canary).await;
    stage.until_share(10).await;
    stage.scale(4).await;
    stage.engine.cancel(run.run(), "ada", "not now").await.expect("a run");
    let outcome = end(run).await;
    assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
    stage.until_home(&old).await;
    until_ready(&stage, 4).await;

    let run = stage.deploy(&fix, Strategy::Canary).await;
    stage.until_share(10).await;
    stage.scale(6).await;
    assert_eq!(live(end(run).await), fix.artifact);
    stage.until_home(&fix).await;
    assert_eq!(stage.shop.read(Kind::Deployment, "shop").await["spec"]["replicas"], 6);
    assert_eq!(stage.shares(), [10, 0, 10, 50, 100, 0]);
    let copy = stage.shop.patches_at("deployments", "shop-hotfix");
    let sizes: Vec<_> = copy.iter().filter_map(|patch| written(patch, "/spec/replicas")).collect();
    assert_eq!(sizes, [json!(3), json!(0), json!(4), json!(6), json!(0)]);
    let report = stage.load.stop().await;
    say(&format_args!("{} of {} failed", report.failed, report.sent));
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
}

/// A pipeline applies another image and another size to the live Deployment while a canary is under way: nobody knows
/// which of the two is wanted, so the run stops where it is, overwrites nothing and calls a human.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_somebody_applies_meanwhile_stops_the_run_and_is_left_alone() {
    let stage = Stage::open(mesh(), quick()).await;
    let cluster = stage.shop.test_cluster;
    let [fix, theirs, next] = [2, 3, 4].map(|patch| release(cluster, patch));
    let Artifact::Image(image) = &theirs.artifact else { unreachable!("it was pushed") };
    let run = stage.deploy(&fix, Strategy::Canary).await;
    stage.until_share(10).await;
    let mut template = deployment(cluster, 3)["spec"]["template"].take();
    template["spec"]["containers"][0]["image"] = json!(image.as_str());
    let applied = json!({"spec": {"replicas": 4, "template": template}});
    stage.shop.edit(Kind::Deployment, "shop", &applied).await;
    let outcome = end(run).await;
    let Outcome::Escalated { cause, .. } = &outcome else { panic!("{outcome}") };
    let found = format!("found live {}", theirs.artifact.id());
    assert!(cause.to_string().ends_with(&found), "{cause}");
    let main = stage.shop.read(Kind::Deployment, "shop").await;
    let spec = &main["spec"];
    assert_eq!(spec["template"]["spec"]["containers"][0]["image"], image.as_str());
    assert_eq!(spec["replicas"], 4);
    assert_eq!(stage.shares(), [10], "held");
    until_ready(&stage, 4).await;
    let refused = stage.plan(&stage.engine, &next, Strategy::Canary).await.expect_err("refused").to_string();
    assert!(refused.contains("hotfix 10 %"), "{refused}");
    let report = stage.load.stop().await;
    say(&format_args!("{outcome}; then: {refused}; {} of {} failed", report.failed, report.sent));
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
}

/// The route has a share that no plan knows: nothing is planned on top of it, least of all a jump to all of the traffic.
#[tokio::test(flavor = "multi_thread")]
async fn a_share_that_nobody_planned_is_refused_before_anything_is_written() {
    let stage = Stage::open(mesh(), quick()).await;
    let fix = release(stage.shop.test_cluster, 2);
    let weight = |place: u8, weight: u8| json!({"op": "replace", "path": format!("/spec/http/0/route/{place}/weight"), "value": weight});
    let patch = serde_json::from_value(json!([weight(0, 63), weight(1, 37)])).expect("a patch");
    let types =
        TypeMeta { api_version: "networking.istio.io/v1".to_owned(), kind: "VirtualService".to_owned() };
    let routes = stage.shop.api_of(&types);
    routes.patch("shop", &PatchParams::default(), &Patch::Json::<()>(patch)).await.expect("edited");
    let before = stage.shop.patches();
    let refused = stage.plan(&stage.engine, &fix, Strategy::Canary).await.expect_err("refused").to_string();
    assert!(refused.contains("hotfix 37 %"), "{refused}");
    assert_eq!(stage.share_of_the_copy().await, 37);
    assert_eq!(stage.shop.patches(), before);
    say(&refused);
}
