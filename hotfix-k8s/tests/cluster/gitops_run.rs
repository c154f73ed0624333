//! A whole run on what a GitOps controller owns, under traffic.

use std::sync::Arc;

use async_trait::async_trait;
use hotfix_core::execute::Outcome;
use hotfix_core::model::SlotName;
use hotfix_core::plan::{Finding, Level};
use hotfix_core::request::Strategy;
use hotfix_testkit::cluster::{Behaviour, Readiness, TestCluster};
use hotfix_testkit::conformance::deployer::{self, DeployerFixture, DeployerSite};
use tokio::sync::Mutex;

use super::gitops::Owned;
use super::gitops_controller::Tool;
use super::site::{config, deployer_with, pushed, release};
use super::stage::{Stage, end, quick};

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_refused_with_the_owner_or_runs_while_its_sync_is_off() {
    let Owned { shop, controller, place, .. } = Owned::open(Tool::ArgoCd).await;
    let (refusing, pausing) =
        (deployer_with(config(&shop.namespace), &shop.target, shop.user.clone()), shop.deployer.clone());
    let mut stage = Stage::around(shop, quick()).await;
    let fix = release(stage.shop.test_cluster, 2);

    stage.shop.deployer = refusing;
    let engine = stage.other_engine("refusing", quick());
    let refused = stage.plan(&engine, &fix, Strategy::BlueGreen).await.expect_err("refused").to_string();
    assert!(refused.contains("belongs to Argo CD application store (by its label"), "{refused}");
    stage.shop.deployer = pausing;

    let plan = stage.plan(&stage.engine, &fix, Strategy::BlueGreen).await.expect("a plan");
    let warned = plan.report().at(Level::Warning).find_map(|finding| match finding {
        Finding::Noticed { notice, .. } => Some(notice.clone()),
        _ => None,
    });
    let expected = format!("the sync of Application {place}/store is off during a run");
    assert!(warned.as_ref().is_some_and(|notice| notice.starts_with(&expected)), "{warned:?}");
    let outcome = end(stage.engine.start(plan).await.expect("a free target")).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome}");
    stage.until_home(&fix).await;
    assert_eq!((controller.reverts(), controller.is_on().await), (0, false));
    let report = stage.load.stop().await;
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
}

/// One shop per case, each under control.
#[derive(Default)]
struct Controlled(Mutex<Vec<Owned>>);

#[async_trait]
impl DeployerFixture for Controlled {
    async fn site(&self) -> DeployerSite {
        let cluster = TestCluster::shared().await.expect("a cluster");
        let owned = Owned::open(Tool::ArgoCd).await;
        let never = Behaviour { readiness: Readiness::Never, ..Behaviour::default() };
        let site = DeployerSite {
            deployer: Arc::new(owned.shop.deployer.clone()),
            target: owned.shop.target.clone(),
            live: release(cluster, 1),
            next: release(cluster, 2),
            never_ready: Some(pushed(cluster, 9, &never)),
        };
        self.0.lock().await.push(owned);
        site
    }

    async fn fail(&self, _site: &DeployerSite, slot: &SlotName) {
        self.0.lock().await.last().expect("a case has begun").shop.fail(slot).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds_under_control_as_well() {
    let controlled = Controlled::default();
    deployer::all(&controlled).await;
    for owned in controlled.0.lock().await.iter() {
        assert_eq!(owned.controller.reverts(), 0);
    }
}
