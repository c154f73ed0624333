//! Rolling a Deployment: batch by batch, and never a second batch of pods before the first was judged.

use hotfix_core::communicate::{Progress, ProgressKind};
use hotfix_core::model::{Artifact, Release, Timestamp, VerdictOutcome};
use hotfix_core::policy::Settings;
use hotfix_core::request::Strategy;
use hotfix_testkit::cluster::Behaviour;
use serde_json::json;

use super::super::site::{pushed, release};
use super::super::stage::{Stage, follow, mesh, quick, say};
use super::{live, only_its_own_errors, verdict};

const PODS: u16 = 3;

fn one_by_one() -> Settings {
    let mut settings = quick();
    settings.rollout.rolling_batch = 1;
    settings
}

/// Three pods, one by one, then home to the Deployment that the team owns, where they are replaced by a proven release.
#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_rolled_pod_by_pod_and_each_pod_is_judged_before_the_next_is_made() {
    let stage = Stage::open(mesh(), one_by_one()).await;
    let fix = release(stage.shop.test_cluster, 2);
    let (told, outcome) = follow(stage.deploy(&fix, Strategy::Rolling).await).await;
    assert_eq!(live(outcome), fix.artifact);
    stage.until_home(&fix).await;
    let all: Vec<_> = (1..=PODS).map(|pod| (pod, PODS)).collect();
    assert_eq!(instances(&told), [all.clone(), all].concat(), "in the copy, and at home");
    let (made, most) = unjudged(&stage, &fix, &told);
    assert_eq!((made, most), (PODS.into(), 1), "{told:?}");
    assert_eq!(stage.shares(), [33, 66, 100, 0]);
    let report = stage.load.stop().await;
    say(&format_args!("{report:?}"));
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
}

/// The first pod of a bad release is the last one.
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_release_of_a_deployment_never_has_more_pods_than_one_batch() {
    let stage = Stage::open(mesh(), one_by_one()).await;
    let cluster = stage.shop.test_cluster;
    let bad = pushed(cluster, 2, &Behaviour { error_percent: 50, ..Behaviour::default() });
    let (told, outcome) = follow(stage.deploy(&bad, Strategy::Rolling).await).await;
    let why = verdict(outcome);
    stage.until_home(&release(cluster, 1)).await;
    assert_eq!(instances(&told), [(1, PODS)]);
    assert_eq!(unjudged(&stage, &bad, &told), (1, 1));
    assert_eq!(stage.shares(), [33, 0]);
    let report = stage.load.stop().await;
    say(&format_args!("{why}; {} of {} failed", report.failed, report.sent));
    only_its_own_errors(&report);
}

/// Which instances were told as healthy, and of how many, in turn.
fn instances(told: &[Progress]) -> Vec<(u16, u16)> {
    let instance = |progress: &Progress| match progress.kind {
        ProgressKind::InstanceReady { instance, of, .. } => Some((instance, of)),
        _ => None,
    };
    told.iter().filter_map(instance).collect()
}

/// How many pods of the copy the server made for a release, and the most of them that nobody had judged, at any time.
/// Both the server and the journal tell the time of this machine.
fn unjudged(stage: &Stage, of: &Release, told: &[Progress]) -> (usize, usize) {
    let Artifact::Image(image) = &of.artifact else { unreachable!("it was pushed") };
    let log = stage.shop.test_cluster.audit_log().expect("a log");
    let made = log.iter().filter(|event| {
        let is_of_copy = |pod: &serde_json::Value| {
            pod.pointer("/spec/containers/0/image") == Some(&json!(image.as_str()))
                && pod.pointer("/metadata/labels/hotfix.dev~1slot") == Some(&json!("hotfix"))
        };
        (event.verb.as_str(), event.status) == ("create", 201)
            && event.resource.as_deref() == Some("pods")
            && event.namespace.as_deref() == Some(stage.shop.namespace.name())
            && event.request.as_ref().is_some_and(is_of_copy)
    });
    let made: Vec<Timestamp> = made
        .map(|event| {
            let at = event.raw["requestReceivedTimestamp"].as_str().expect("a time");
            at.parse().expect("a time")
        })
        .collect();
    let judged = told.iter().filter(|progress| match &progress.kind {
        ProgressKind::Decided { verdict, .. } => {
            verdict.samples > 0 && verdict.outcome == VerdictOutcome::Pass
        }
        _ => false,
    });
    let judged: Vec<Timestamp> = judged.map(|progress| progress.at).collect();
    let before = |times: &[Timestamp], at: Timestamp| times.iter().filter(|time| **time <= at).count();
    let most = made.iter().map(|at| before(&made, *at).saturating_sub(before(&judged, *at))).max();
    (made.len(), most.unwrap_or_default())
}
