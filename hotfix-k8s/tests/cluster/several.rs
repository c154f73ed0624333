//! Two clusters, each with an API server of its own: one run goes over targets in both, and goes back in both.

use std::collections::BTreeMap;
use std::sync::Arc;

use hotfix_core::execute::Outcome;
use hotfix_core::model::{Artifact, Period, Release, Target};
use hotfix_core::policy::Settings;
use hotfix_core::port::{Deployer, RoutedDeployer};
use hotfix_core::request::Strategy;
use hotfix_engine::Engine;
use hotfix_k8s::Traffic;
use hotfix_testkit::cluster::Behaviour;

use super::acceptance::{live, verdict};
use super::set::nodes;
use super::site::{Shop, config, deployer_with, pushed, release};
use super::stage::{Stage, end, quick};

/// Staging on one cluster, production on the other.
struct Both {
    staging: Shop,
    production: Stage,
    engine: Engine,
}

impl Both {
    async fn open() -> Self {
        let staging = Shop::open(nodes().await).await;
        let production = Stage::open(Traffic::Service, settings()).await;
        let tried: Target = "staging/shop".parse().expect("a target");
        let deployer = deployer_with(config(&staging.namespace), &tried, staging.user.clone());
        let routes: BTreeMap<_, Arc<dyn Deployer>> = BTreeMap::from([
            (tried, Arc::new(deployer) as Arc<dyn Deployer>),
            (production.shop.target.clone(), Arc::new(production.shop.deployer.clone()) as Arc<dyn Deployer>),
        ]);
        let engine = production.builder("both", settings()).deployer(RoutedDeployer::new(routes));
        let engine = engine.build().expect("a complete engine");
        Self { staging, production, engine }
    }

    fn shops(&self) -> [&Shop; 2] {
        [&self.staging, &self.production.shop]
    }

    /// Pushes an image to the registries of both.
    fn push(&self, patch: u8, behaviour: &Behaviour) -> Release {
        let [release, same] = self.shops().map(|shop| pushed(shop.test_cluster, patch, behaviour));
        assert_eq!(release, same);
        release
    }

    async fn run(&self, release: &Release) -> Outcome {
        end(self.production.deploy_by(&self.engine, release, Strategy::BlueGreen).await).await
    }

    /// What is live in each, and how often each was told to run a release.
    async fn live(&self, release: &Release) -> [(Artifact, bool); 2] {
        let mut live = Vec::new();
        for shop in self.shops() {
            let workload = shop.deployer.observe(&shop.target).await.expect("a workload");
            let artifact = workload.live_state().expect("something is live").release.artifact.clone();
            let digest = release.artifact.id().to_string().replace("image:", "");
            live.push((artifact, shop.patches().iter().any(|patch| patch.contains(&digest))));
        }
        live.try_into().expect("two shops")
    }
}

fn settings() -> Settings {
    let mut settings = quick();
    settings.environments.staging = Some("staging".parse().expect("an environment"));
    settings.rollout.staging_soak = Period::from_secs(1);
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn one_run_takes_a_fix_live_in_two_clusters_and_another_goes_back_in_both() {
    let both = Both::open().await;
    assert_ne!(both.staging.user.cluster_url, both.production.shop.user.cluster_url);
    let old = release(both.staging.test_cluster, 1);
    let fix = both.push(2, &Behaviour::default());
    assert_eq!(both.live(&fix).await, [(old.artifact.clone(), false), (old.artifact, false)]);

    assert_eq!(live(both.run(&fix).await), fix.artifact);
    assert_eq!(both.live(&fix).await, [(fix.artifact.clone(), true), (fix.artifact.clone(), true)]);

    // Nobody asks staging for anything, so it is found out in production.
    let bad = both.push(3, &Behaviour { error_percent: 60, ..Behaviour::default() });
    let summary = verdict(both.run(&bad).await);
    assert_eq!(both.live(&bad).await, [(fix.artifact.clone(), true), (fix.artifact, true)], "{summary}");
}
