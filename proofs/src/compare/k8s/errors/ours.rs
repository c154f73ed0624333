//! The engine with its judge: a canary that turns bad, until it has no traffic.

use std::num::NonZeroU16;
use std::time::Duration;

use hotfix_benches::Failure;
use hotfix_core::communicate::ProgressKind;
use hotfix_core::execute::{Cause, Outcome};
use hotfix_core::model::{Threshold, VerdictOutcome};
use hotfix_core::port::Clock as _;
use hotfix_core::request::Strategy;
use hotfix_engine::{RunHandle, SystemClock};
use hotfix_testkit::cluster::DemoPod;

use super::scene::Scene;
use super::trial::{Trial, Turned};
use crate::compare::clock::Stopwatch;
use crate::compare::k8s::argo::SHARE;
use crate::compare::k8s::deploy::deploy_seen_by;
use crate::compare::k8s::seen::Seen;
use crate::compare::k8s::site::{Kind, Site, release, second_weight};

/// What became of a canary.
pub(super) enum Came {
    /// It turned bad and lost its traffic.
    Turned(Trial),
    /// It lost its traffic before anything was wrong with it, for this reason.
    FalseAlarm(String),
}

/// The canary turns bad that long after it was seen to be healthy, under the judge and what thresholds there are.
pub(super) async fn trial(
    scene: &Scene<'_>,
    thresholds: &[Threshold],
    phase: Duration,
) -> Result<Came, Failure> {
    let site = Site::meshed_of(scene.cluster, NonZeroU16::MIN, &Scene::usual()).await?;
    let customers = scene.customers(&site.namespace).await?;
    let mut split = Seen::follow(site.api(Kind::VirtualService), "shop");
    let next = release(scene.cluster, 1, &Scene::usual())?;
    let metrics = scene.metrics(&site.namespace)?;
    let mut deploying = deploy_seen_by(metrics, &site, &next, Strategy::Canary, |settings| {
        settings.execution.look = scene.look();
        settings.rollout.canary_steps = vec![u8::try_from(SHARE).unwrap_or(100), 100];
        // It stays at its share, however healthy it is and however long it takes until it is scraped.
        let pace = &mut settings.judging.pace;
        (pace.quick_dwell, pace.min_dwell, pace.max_dwell, pace.alone_dwell) = (240, 240, 240, 240);
        pace.quiet_limit = 1_000;
        settings.judging.thresholds = thresholds.to_vec();
    })
    .await?;
    split.until("the canary has its share", |split| second_weight(split) == Some(SHARE)).await?;
    let canary = format!("namespace=\"{}\",slot=\"hotfix\"", site.namespace.name());
    let healthy = async {
        scene.until_known(&canary).await?;
        tokio::time::sleep(phase).await;
        Ok::<_, Failure>(())
    };
    tokio::select! {
        known = healthy => known?,
        why = ended(&mut deploying.run) => {
            let why = why?;
            tokio::task::spawn_blocking(move || drop((deploying, customers, site))).await?;
            return Ok(Came::FalseAlarm(why));
        }
    }

    let pods = site.pods("app=shop-hotfix").await?;
    let pod = pods.iter().find_map(DemoPod::of).ok_or_else(|| Failure::new("the canary has no pod"))?;
    let (at, watch) = (SystemClock.now(), Stopwatch::start());
    pod.behave(&Scene::bad()).await?;
    split.until("the canary has no traffic", |split| second_weight(split) == Some(0)).await?;
    let turned = Turned { at, took: watch.passed() };

    let judged = judged(&mut deploying.run).await?;
    let scrapes = scene.scrapes(&canary).await?;
    let last = scrapes.iter().find(|scrape| scrape.requests >= judged as f64);
    let last = *last.ok_or_else(|| Failure::new(format!("no scrape of {judged} requests")))?;
    // The namespace says farewell to the server, for which nobody else here waits.
    tokio::task::spawn_blocking(move || drop((deploying, customers, site))).await?;
    Ok(Came::Turned(turned.decided_by(last, &scrapes)))
}

/// Waits for the end of a run.
async fn ended(run: &mut RunHandle) -> Result<String, Failure> {
    while let Some(progress) = run.next().await {
        if let ProgressKind::Ended(outcome) = progress?.kind {
            return Ok(outcome.to_string());
        }
    }
    Err(Failure::new("the run has no end"))
}

/// Reads the run to its end, and returns how many requests of the canary the verdict rests on.
async fn judged(run: &mut RunHandle) -> Result<u64, Failure> {
    let mut judged = None;
    while let Some(progress) = run.next().await {
        match (progress?.kind, judged) {
            (ProgressKind::Decided { verdict, .. }, None) if verdict.outcome == VerdictOutcome::Fail => {
                judged = Some(verdict.totals.canary.requests());
            }
            (
                ProgressKind::Ended(Outcome::RolledBack { cause: Cause::Verdict { .. }, .. }),
                Some(requests),
            ) => return Ok(requests),
            (ProgressKind::Ended(other), _) => {
                return Err(Failure::new(format!("the canary that turned bad ended as {other}")));
            }
            _ => {}
        }
    }
    Err(Failure::new("the run has no end"))
}
