//! The side that is not selected is looked at before anybody gets to it.

use std::sync::Arc;

use hotfix_core::model::Period;
use hotfix_core::request::Strategy;
use hotfix_engine::SystemClock;
use hotfix_k8s::Traffic;
use hotfix_metrics::{Endpoint, HealthCheck, HealthCheckConfig, ProbeConfig};
use hotfix_testkit::cluster::Behaviour;
use serde_json::Value;

use super::super::site::{Kind, pushed, release, service};
use super::super::stage::{Stage, end, quick, say};
use super::verdict;

/// All pods of the new side are ready, and none can do its work. A smoke test finds that by the Service of that side, and
/// no customer does.
#[tokio::test(flavor = "multi_thread")]
async fn a_side_that_fails_its_smoke_test_is_never_selected() {
    let stage = Stage::open(Traffic::Service, quick()).await;
    for (name, side) in [("shop-main", "shop"), ("shop-hotfix", "shop-hotfix")] {
        let mut own = service(side);
        own["metadata"]["name"] = name.into();
        stage.shop.create(Kind::Service, &own).await;
    }
    let probe = ProbeConfig {
        name: "smoke".to_owned(),
        endpoints: vec![Endpoint {
            at: "http://{service}-{slot}/pay".to_owned(),
            instance: Some(stage.gateway.address()),
        }],
        interval: Period::from_millis(100),
        ..ProbeConfig::default()
    };
    let config = HealthCheckConfig { probe, ..HealthCheckConfig::default() };
    let smoke = HealthCheck::new(config, Arc::new(SystemClock)).expect("a check");
    let builder = stage.builder("second", quick()).deployer(stage.shop.deployer.clone());
    let engine = builder.check(smoke).build().expect("a complete engine");
    let cluster = stage.shop.test_cluster;
    let bad = pushed(cluster, 2, &Behaviour { error_percent: 100, ..Behaviour::default() });

    let why = verdict(end(stage.deploy_by(&engine, &bad, Strategy::BlueGreen).await).await);
    assert!(why.starts_with("fail: canary instance ") && why.contains(": smoke: status 500"), "{why}");
    stage.until_home(&release(cluster, 1)).await;
    let patches = stage.shop.patches_of("services");
    let switches = patches.iter().filter_map(Value::as_array).flatten().filter(|change| {
        change["op"] != "test" && change["path"].as_str().is_some_and(|path| path.starts_with("/spec"))
    });
    assert_eq!(switches.collect::<Vec<_>>(), [&Value::Null; 0]);
    let report = stage.load.stop().await;
    say(&format_args!("{why}; {} of {} failed", report.failed, report.sent));
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
    assert_eq!(report.by_version.keys().collect::<Vec<_>>(), ["1.0.1"]);
}
