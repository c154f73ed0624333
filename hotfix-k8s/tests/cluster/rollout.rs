//! What is said of a Deployment that somebody is rolling out when a fix is planned.

use hotfix_core::model::{Artifact, Fault};
use hotfix_core::plan::Finding;
use hotfix_core::port::Deployer;
use hotfix_core::request::Strategy;
use hotfix_testkit::cluster::{Behaviour, Readiness};
use serde_json::json;

use super::site::{Kind, pushed, release, slot, until};
use super::stage::{Stage, mesh, quick};

/// The pipeline's release hangs at its first pod, and the pods of the one before serve everything: the one that hangs is
/// not well, and what serves is not down.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_hangs_in_its_rollout_is_not_taken_for_one_that_is_well() {
    let stage = Stage::open(mesh(), quick()).await;
    let (shop, cluster) = (&stage.shop, stage.shop.test_cluster);
    let hangs = pushed(cluster, 1, &Behaviour { readiness: Readiness::Never, ..Behaviour::default() });
    let Artifact::Image(image) = &hangs.artifact else { unreachable!("it was pushed") };
    let mut spec = shop.read(Kind::Deployment, "shop").await["spec"]["template"]["spec"].clone();
    spec["containers"][0]["image"] = json!(image.as_str());
    shop.edit(Kind::Deployment, "shop", &json!({"spec": {"template": {"spec": spec}}})).await;
    until("the rollout hangs", || async {
        let status = shop.read(Kind::Deployment, "shop").await["status"].clone();
        [&status["replicas"], &status["updatedReplicas"], &status["readyReplicas"]]
            == [&json!(4), &json!(1), &json!(3)]
    })
    .await;

    let workload = shop.deployer.observe(&shop.target).await.expect("a workload");
    let held = workload.slot(&slot("main")).expect("it holds something");
    let reason = "a rollout is under way, 1 of 4 pods are of its template".to_owned();
    let faults = vec![Fault::ReadinessLost { instance: "shop".to_owned(), reason }];
    assert_eq!((&held.release.artifact, held.ready, &held.faults), (&hangs.artifact, 1, &faults));

    let plan = stage.plan(&stage.engine, &release(cluster, 2), Strategy::Canary).await.expect("a plan");
    let findings = &plan.report().findings;
    let short = Finding::BaselineShort { target: shop.target.clone(), ready: 1, replicas: 3, faults };
    assert!(findings.contains(&short), "{plan}");
    let is_canary = |found: &Finding| matches!(found, Finding::Strategy { strategy: Strategy::Canary, .. });
    assert!(findings.iter().any(is_canary), "{plan}");
}
