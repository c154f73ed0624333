//! Canaries that are well: shares, more than one run, and going on at once.

use hotfix_core::communicate::ProgressKind;
use hotfix_core::execute::{Cause, Outcome};
use hotfix_core::model::Artifact;
use hotfix_core::policy::Policy;
use hotfix_core::request::Strategy;
use hotfix_testkit::cluster::{Behaviour, TestCluster};

use super::super::site::{deployment, pushed, release};
use super::super::stage::{Stage, end, follow, mesh, patient, quick, say};
use super::super::subsets;
use super::{live, only_its_own_errors, verdict};

/// A healthy canary: 10, 50, 100 %, then home to the Deployment that the team owns.
#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_canary_goes_live_comes_home_and_fails_no_request() {
    goes_live_and_comes_home(Stage::open(mesh(), quick()).await).await;
}

/// The same between two subsets of one Service.
#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_canary_by_subsets_goes_live_comes_home_and_fails_no_request() {
    let cluster = TestCluster::shared().await.expect("a cluster");
    let shop = subsets::labelled(deployment(cluster, 3));
    goes_live_and_comes_home(Stage::with(&shop, subsets::traffic(), quick()).await).await;
}

async fn goes_live_and_comes_home(stage: Stage) {
    let fix = release(stage.shop.test_cluster, 2);
    let outcome = end(stage.deploy(&fix, Strategy::Canary).await).await;
    assert_eq!(live(outcome), fix.artifact);
    stage.until_home(&fix).await;
    assert_eq!(stage.shares(), [10, 50, 100, 0]);
    let report = stage.load.stop().await;
    say(&format_args!("{report:?}"));
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
    assert!(report.by_version["1.0.2"] > 100, "{report:?}");
}

/// An operator who cannot wait leaves out the shares that are to come. All of the traffic is judged all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_is_hastened_skips_the_shares_and_not_the_verdict() {
    let mut settings = patient();
    settings.judging.pace.alone_dwell = 12;
    let stage = Stage::open(mesh(), settings).await;
    let fix = release(stage.shop.test_cluster, 2);
    let run = stage.deploy(&fix, Strategy::Canary).await;
    stage.until_share(10).await;
    stage.engine.hasten(run.run(), "ada", "customers cannot pay").await.expect("a run");
    let (all, outcome) = follow(run).await;
    assert_eq!(live(outcome), fix.artifact);
    stage.until_home(&fix).await;
    assert_eq!(stage.shares(), [10, 100, 0], "0: it came home");
    let said = all.iter().filter(|progress| matches!(progress.kind, ProgressKind::Signalled(_)));
    let said: Vec<_> = said.map(|progress| progress.kind.to_string()).collect();
    assert_eq!(said, ["ada says: go to 100 % at once: customers cannot pay"]);
    let verdicts = all.iter().filter_map(|progress| match &progress.kind {
        ProgressKind::Decided { verdict, .. } => Some(verdict.samples),
        _ => None,
    });
    // Readiness, all of the traffic, and the same two at home.
    let judged = verdicts.filter(|samples| *samples > 0).count();
    assert_eq!(judged, 2, "{all:?}");
    let report = stage.load.stop().await;
    say(&format_args!("{} of {} failed", report.failed, report.sent));
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
}

/// What was called off begins with the first share when it is tried again.
#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_was_called_off_begins_anew_with_the_first_share() {
    let stage = Stage::open(mesh(), quick()).await;
    let [old, fix] = [1, 2].map(|patch| release(stage.shop.test_cluster, patch));
    let run = stage.deploy(&fix, Strategy::Canary).await;
    stage.until_share(50).await;
    stage.engine.cancel(run.run(), "ada", "not now").await.expect("a run");
    let outcome = end(run).await;
    assert!(matches!(outcome, Outcome::RolledBack { cause: Cause::Cancelled { .. }, .. }), "{outcome}");
    stage.until_home(&old).await;
    let again = end(stage.deploy(&fix, Strategy::Canary).await).await;
    assert_eq!(live(again), fix.artifact);
    stage.until_home(&fix).await;
    assert_eq!(stage.shares(), [10, 50, 0, 10, 50, 100, 0]);
    let report = stage.load.stop().await;
    say(&format_args!("{} of {} failed", report.failed, report.sent));
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
}

/// A third release while the second has a share: the second loses its traffic, then its pods, and only then is there
/// the third.
#[tokio::test(flavor = "multi_thread")]
async fn a_newer_fix_takes_the_place_of_a_canary_that_has_no_traffic_any_more() {
    let mut settings = patient();
    settings.rollout.canary_steps = vec![30, 100];
    let stage = Stage::open(mesh(), settings).await;
    let [old, second, third] = [1, 2, 3].map(|patch| release(stage.shop.test_cluster, patch));
    for fix in [&second, &third] {
        let run = stage.deploy(fix, Strategy::Canary).await;
        stage.until_share(30).await;
        stage.load.more(20).await;
        stage.engine.cancel(run.run(), "ada", "there is a newer fix").await.expect("a run");
        let outcome = end(run).await;
        assert!(matches!(outcome, Outcome::RolledBack { .. }), "{outcome}");
        stage.until_home(&old).await;
    }
    assert_eq!(stage.shares(), [30, 0, 30, 0]);
    let Artifact::Image(image) = &third.artifact else { unreachable!("it was pushed") };
    let patches = stage.shop.patches();
    let at = |from: usize, what: &[&str]| {
        let found = (from..patches.len()).find(|at| what.iter().all(|word| patches[*at].contains(word)));
        found.unwrap_or_else(|| panic!("no {what:?} after {from}"))
    };
    let first = at(0, &["/spec/http/0/route/1/weight\",\"value\":30"]);
    let left = at(first + 1, &["/spec/http/0/route/1/weight\",\"value\":0"]);
    let emptied = at(left + 1, &["/spec/replicas\",\"value\":0"]);
    let replaced = at(0, &[image.as_str()]);
    assert!(first < left && left < emptied && emptied < replaced);
    let report = stage.load.stop().await;
    say(&format_args!("{} of {} failed", report.failed, report.sent));
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
    assert!(report.by_version["1.0.3"] > 0, "{report:?}");
}

/// The shares of the policy reach the route as they are; a list that cannot be is no policy.
#[tokio::test(flavor = "multi_thread")]
async fn shares_are_written_as_they_were_planned_and_a_list_beyond_100_is_refused() {
    let mut settings = quick();
    let pace = &mut settings.judging.pace;
    (pace.quick_dwell, pace.min_dwell, pace.max_dwell, pace.alone_dwell) = (1, 1, 1, 1);
    pace.min_requests = 0;
    for list in [vec![1, 2, 10, 80, 120], vec![1, 2, 10, 80], vec![10, 2, 100], vec![0, 100]] {
        settings.rollout.canary_steps.clone_from(&list);
        let refused = Policy::new(settings.clone()).expect_err("no policy").to_string();
        let said = format!(
            "invalid policy: rollout.canary_steps is {list:?}; allowed are rising percentages from 1 on that end \
             with 100"
        );
        assert_eq!(refused, said);
    }
    settings.rollout.canary_steps = vec![1, 2, 10, 80, 100];
    let stage = Stage::open(mesh(), settings).await;
    let fix = release(stage.shop.test_cluster, 2);
    assert_eq!(live(end(stage.deploy(&fix, Strategy::Canary).await).await), fix.artifact);
    stage.until_home(&fix).await;
    assert_eq!(stage.weights(), [[99, 1], [98, 2], [90, 10], [20, 80], [0, 100], [100, 0]]);
    let report = stage.load.stop().await;
    say(&format_args!("{} of {} failed", report.failed, report.sent));
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
}

/// What a bad fix did is not held against the next one in the same place.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_copy_held_before_does_not_count_against_the_next_fix() {
    let mut settings = quick();
    settings.rollout.canary_steps = vec![50, 100];
    let stage = Stage::open(mesh(), settings).await;
    let cluster = stage.shop.test_cluster;
    let bad = pushed(cluster, 2, &Behaviour { error_percent: 50, ..Behaviour::default() });
    let [old, good] = [1, 3].map(|patch| release(cluster, patch));
    let why = verdict(end(stage.deploy(&bad, Strategy::Canary).await).await);
    stage.until_home(&old).await;
    let (all, outcome) = follow(stage.deploy(&good, Strategy::Canary).await).await;
    assert_eq!(live(outcome), good.artifact);
    let errors = all.iter().filter_map(|progress| match &progress.kind {
        ProgressKind::Looked { sample, .. } => Some(sample.canary.counts()?.errors()),
        _ => None,
    });
    assert_eq!(errors.sum::<u64>(), 0, "{all:?}");
    assert_eq!(stage.shares(), [50, 0, 50, 100, 0]);
    let report = stage.load.stop().await;
    say(&format_args!("{why}; {} of {} failed", report.failed, report.sent));
    only_its_own_errors(&report);
}
