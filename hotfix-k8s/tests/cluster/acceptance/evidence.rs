//! Metrics that say nothing, say nonsense, or say one bad thing: what follows is what the policy says, and nothing is
//! promoted blind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use hotfix_core::communicate::ProgressKind;
use hotfix_core::model::{OnBlind, Period, Target};
use hotfix_core::policy::Settings;
use hotfix_core::port::{Check, CheckReport, CheckScope, CheckSubject};
use hotfix_core::request::Strategy;

use super::super::site::{release, until};
use super::super::stage::{Stage, Telling, end, follow, mesh, patient, quick, say};
use super::{fail_requests, live, only_its_own_errors, verdict};

/// Metrics are away for longer than the policy allows: the share is held, somebody is called, and when nobody comes
/// until the deadline, the release goes back and says why.
#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_that_cannot_be_reached_holds_the_share_calls_a_human_and_then_goes_back() {
    let mut settings = quick();
    settings.judging.pace.blind_limit = 4;
    settings.rollout.verify_deadline = Period::from_secs(6);
    let stage = Stage::open(mesh(), settings).await;
    let [old, fix] = [1, 2].map(|patch| release(stage.shop.test_cluster, patch));
    let mut run = stage.deploy(&fix, Strategy::Canary).await;
    stage.until_share(10).await;
    stage.metrics.tell(&[Telling::NoAnswer]);
    let called = loop {
        let progress = run.next().await.expect("it goes on").expect("a readable journal");
        if let ProgressKind::Attention { why, .. } = progress.kind {
            break why;
        }
    };
    assert!(called.contains("connection refused"), "{called}");
    assert_eq!(stage.share_of_the_copy().await, 10, "held");
    let summary = verdict(end(run).await);
    assert!(summary.starts_with("inconclusive: ") && summary.ends_with(&called), "{summary}");
    stage.until_home(&old).await;
    assert_eq!(stage.shares(), [10, 0]);
    let report = stage.load.stop().await;
    say(&format_args!("{called}; {summary}; {} of {} failed", report.failed, report.sent));
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
}

/// No metrics, metrics without series, and metrics that are no numbers: none is taken for health.
#[tokio::test(flavor = "multi_thread")]
async fn missing_metrics_of_every_kind_promote_nothing() {
    let mut settings = blind_for(4);
    settings.rollout.verify_deadline = Period::from_secs(6);
    let stage = Stage::open(mesh(), settings).await;
    let [old, fix] = [1, 2].map(|patch| release(stage.shop.test_cluster, patch));
    let cases = [
        (Telling::NoAnswer, "connection refused"),
        (Telling::NotANumber, "NaN"),
        (Telling::Nothing, "inconclusive: "),
    ];
    for (round, (telling, why)) in (1..).zip(cases) {
        stage.metrics.tell(&[telling]);
        let summary = verdict(end(stage.deploy(&fix, Strategy::Canary).await).await);
        say(&format_args!("{telling:?}: {summary}"));
        assert!(summary.contains(why), "{telling:?}: {summary}");
        stage.until_home(&old).await;
        assert_eq!(stage.shares(), [10, 0].repeat(round), "{telling:?}");
    }
    let report = stage.load.stop().await;
    say(&format_args!("{} of {} failed", report.failed, report.sent));
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
}

/// Readings fail again and again, but never so many in a row as the policy allows: a good one begins the count anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_good_reading_begins_the_count_of_the_bad_ones_anew() {
    let mut settings = blind_for(3);
    settings.rollout.canary_steps = vec![50, 100];
    let pace = &mut settings.judging.pace;
    (pace.max_dwell, pace.alone_dwell) = (4, 4);
    let stage = Stage::open(mesh(), settings).await;
    let fix = release(stage.shop.test_cluster, 2);
    stage.metrics.tell(&[Telling::NoAnswer, Telling::NoAnswer, Telling::Counts]);
    let (all, outcome) = follow(stage.deploy(&fix, Strategy::Canary).await).await;
    assert_eq!(live(outcome), fix.artifact);
    stage.until_home(&fix).await;
    let missed = all.iter().filter(|progress| {
        matches!(&progress.kind, ProgressKind::Looked { sample, .. } if sample.canary.counts().is_none())
    });
    assert!(missed.count() > 3, "more than in a row are allowed: {all:?}");
    let report = stage.load.stop().await;
    say(&format_args!("{} of {} failed", report.failed, report.sent));
    assert_eq!((report.failed, &report.failures), (0, &Vec::new()));
}

/// One measure is bad while another has not come to an end: the verdict does not wait for it, and it is stopped.
#[tokio::test(flavor = "multi_thread")]
async fn one_bad_measure_ends_the_verification_and_stops_the_others() {
    let mut settings = patient();
    settings.rollout.canary_steps = vec![50, 100];
    let rule = "error rate over 20 % in 2 scrapes in a row of at least 4 requests";
    settings.judging.thresholds = vec![rule.parse().expect("a threshold")];
    let stage = Stage::open(mesh(), settings.clone()).await;
    let [old, bad] = [1, 2].map(|patch| release(stage.shop.test_cluster, patch));
    let check = Endless::default();
    let builder = stage.builder("second", settings).deployer(stage.shop.deployer.clone());
    let engine = builder.check(check.clone()).build().expect("a complete engine");
    let run = stage.deploy_by(&engine, &bad, Strategy::Canary).await;
    stage.until_share(50).await;
    until("the check looks", || async { check.looking.load(Ordering::SeqCst) }).await;
    fail_requests(&stage, "hotfix", 60).await;
    let summary = verdict(end(run).await);
    assert!(summary.contains(rule), "{summary}");
    until("the check was stopped", || async { !check.looking.load(Ordering::SeqCst) }).await;
    stage.until_home(&old).await;
    let report = stage.load.stop().await;
    say(&format_args!("{summary}; {} of {} failed", report.failed, report.sent));
    only_its_own_errors(&report);
}

/// Goes back after so many readings in a row that say nothing.
fn blind_for(readings: u32) -> Settings {
    let mut settings = quick();
    settings.judging.pace.blind_limit = readings;
    settings.judging.pace.on_blind = OnBlind::RollBack;
    settings
}

/// A check that comes to no end by itself.
#[derive(Debug, Clone, Default)]
struct Endless {
    looking: Arc<AtomicBool>,
}

/// Says that a look has ended, however it did.
struct Look(Arc<AtomicBool>);

impl Drop for Look {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

#[async_trait]
impl Check for Endless {
    fn name(&self) -> &str {
        "endless"
    }

    fn scope(&self, _target: &Target) -> CheckScope {
        CheckScope::Slot
    }

    async fn look(&self, _subject: &CheckSubject) -> hotfix_core::Result<CheckReport> {
        self.looking.store(true, Ordering::SeqCst);
        let _look = Look(Arc::clone(&self.looking));
        std::future::pending().await
    }
}
