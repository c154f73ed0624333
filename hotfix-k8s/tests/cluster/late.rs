//! Answers of the API server that come late, or after nobody waits for them any more.

use std::time::Duration;

use chrono::TimeDelta;
use hotfix_core::model::{Period, Precondition, Stamp, Verb};
use hotfix_core::port::{Ambiguity, Deployer, Probe, Reply, Seal, Sealed};
use hotfix_testkit::cluster::{Disturbance, Happened};
use hotfix_testkit::http::Recorded;
use serde_json::Value;
use tokio::time::Instant;

use super::faults::{Behind, fills, instances, is_watch, stage_by};
use super::site::{Kind, call, slot, until, written};

const LATE: Period = Period::from_secs(2);

/// The read of the object that has the highest fence first.
fn reads_route(request: &Recorded) -> bool {
    request.method == "GET" && request.path.ends_with("/services/shop")
}

fn is_disturbed(happened: &Happened) -> bool {
    happened.disturbance.is_some()
}

/// How often the copy was given an image, by the server's log.
fn fillings(behind: &Behind) -> usize {
    let patches = behind.shop.patches_at("deployments", "shop-hotfix");
    patches.iter().filter(|patch| written(patch, "/spec/replicas") == Some(Value::from(1))).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_and_not_heard_in_time_is_found_done_and_is_not_done_again() {
    let behind = Behind::open().await;
    behind.proxy.next(fills, Disturbance::HoldAnswer);
    let mut call = call("stage", 1);
    call.deadline -= TimeDelta::seconds(17);
    assert_eq!(behind.stage(&call).await, Reply::Ambiguous(Ambiguity::Timeout));

    let (deployer, target) = (&behind.deployer, &behind.shop.target);
    let seal = Seal::Sealed(Sealed { previous: call.stamp });
    assert_eq!(deployer.seal(target, Stamp::new(1, 2)).await, seal);
    let probe = deployer.probe(target, &call.key).await;
    assert!(matches!(probe, Probe::Applied(_)), "{probe:?}");
    // Whoever asks for the same again, knowing no better, is told so.
    let again = super::site::call("stage", 3);
    assert!(matches!(behind.stage(&again).await, Reply::Applied(_)));
    assert_eq!(fillings(&behind), 1);

    let before = behind.shop.read(Kind::Deployment, "shop-hotfix").await;
    assert_eq!(behind.proxy.release().await, [200]);
    let after = behind.shop.read(Kind::Deployment, "shop-hotfix").await;
    assert_eq!(after["spec"], before["spec"]);
    assert_eq!(after["metadata"]["annotations"], before["metadata"]["annotations"]);
}

/// What a seal has read can be old by the time it hears of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_seal_that_hears_late_what_it_read_seals_what_was_done_meanwhile() {
    let behind = Behind::open().await;
    let (shop, sealed) = (&behind.shop, Stamp::new(1, 5));
    behind.proxy.next(reads_route, Disturbance::HoldAnswer);
    let meanwhile = async {
        behind.proxy.held(1).await;
        let reply = stage_by(&shop.deployer, shop, &call("stage", 1)).await;
        assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
        assert_eq!(behind.proxy.release().await, [200]);
    };
    let (seal, ()) = tokio::join!(behind.deployer.seal(&shop.target, sealed), meanwhile);
    assert_eq!(seal, Seal::Sealed(Sealed { previous: Stamp::new(1, 1) }));
    let probe = behind.deployer.probe(&shop.target, &call("stage", 1).key).await;
    assert!(matches!(probe, Probe::Applied(_)), "{probe:?}");
    let late = stage_by(&shop.deployer, shop, &call("late", 4)).await;
    assert!(matches!(late, Reply::Conflict(_)), "{late:?}");

    // The same when somebody is above it by then.
    behind.proxy.next(reads_route, Disturbance::HoldAnswer);
    let meanwhile = async {
        behind.proxy.held(1).await;
        let retire = Verb::Retire { slot: slot("hotfix") };
        let above = call("above", 9);
        let reply = shop.deployer.apply(&above, &shop.target, &retire, &Precondition::default()).await;
        assert!(matches!(reply, Reply::Applied(_)), "{reply:?}");
        behind.proxy.release().await;
    };
    let (seal, ()) = tokio::join!(behind.deployer.seal(&shop.target, Stamp::new(1, 8)), meanwhile);
    assert_eq!(seal, Seal::Overtaken { current: Stamp::new(1, 9) });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seal_waits_for_a_read_that_is_slow_and_not_for_ever() {
    let behind = Behind::open().await;
    let (deployer, target) = (&behind.deployer, &behind.shop.target);
    behind.proxy.next(reads_route, Disturbance::DelayAnswer(LATE));
    let begun = Instant::now();
    let seal = Seal::Sealed(Sealed { previous: Stamp::ZERO });
    assert_eq!(deployer.seal(target, Stamp::new(1, 1)).await, seal);
    assert!(begun.elapsed() >= LATE.to_duration());

    behind.proxy.next(reads_route, Disturbance::HoldAnswer);
    let seal = deployer.seal(target, Stamp::new(1, 2)).await;
    assert!(matches!(&seal, Seal::Unreachable { cause } if cause.contains("no answer in time")), "{seal:?}");
    assert_eq!(behind.shop.deployer.observe(target).await.expect("a workload").stamp, Stamp::new(1, 1));
    assert_eq!(behind.proxy.release().await, [200]);
}

/// What happens before a watch begins to answer is told by it all the same, and nothing is listed again for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_answers_late_tells_everything() {
    let behind = Behind::open().await;
    behind.proxy.every(is_watch, Disturbance::DelayAnswer(LATE));
    let mut watch = behind.deployer.watch(&behind.shop.target).await.expect("a watch");
    // Of the pods and of the Deployments.
    until("both watches are asked for", || async {
        behind.proxy.happened().iter().filter(|happened| is_disturbed(happened)).count() == 2
    })
    .await;
    assert!(matches!(behind.stage(&call("stage", 1)).await, Reply::Applied(_)));
    tokio::time::timeout(Duration::from_secs(20), instances(&mut watch, (1, 1))).await.expect("it is told");
    let lists = |happened: &Happened| {
        let Recorded { method, path, query, .. } = &happened.request;
        let of_a_watch = !query.contains("labelSelector") && !is_watch(&happened.request);
        method == "GET" && of_a_watch && (path.ends_with("/pods") || path.ends_with("/deployments"))
    };
    let listed = behind.proxy.happened();
    let listed: Vec<_> =
        listed.iter().filter(|happened| lists(happened)).map(|it| &it.request.path).collect();
    assert_eq!(listed.len(), 2, "{listed:?}");
}
