//! A canary behind a VirtualService whose error rate turns bad under traffic: from the turn to weight 0, by the engine
//! with its judge and by Argo Rollouts with an analysis, both on one Prometheus and at the same time.

mod ours;
mod peer;
mod scene;
mod trial;

use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hotfix_benches::Failure;
use hotfix_core::model::Threshold;
use hotfix_testkit::cluster::TestCluster;

use super::super::case::{Better, Case, Figure, Goal};
use super::super::clock::median;
use crate::say;
use ours::Came;
use scene::Scene;
use trial::Trial;

/// How often pods are scraped, in seconds, and looked at.
const INTERVALS: [u64; 2] = [10, 1];

/// How many trials there are of each, and how many at a time.
const TRIALS: usize = 20;
const AT_A_TIME: usize = 5;

/// How many failed measurements the peer puts up with.
const FAILURE_LIMITS: [u32; 2] = [0, 3];

/// How long after the scrape with which the evidence suffices, beside an interval, the weight may be 0.
const SLACK: Duration = Duration::from_secs(1);

/// How many scrapes of an error rate of 40 % may be needed, and how a policy says so. The judge alone does not look for
/// what is bad by itself, and needs more of them after a healthy start.
const MOST_SCRAPES: f64 = 2.0;
const RULE: &str = "error rate over 20 % in 2 scrapes in a row of at least 10 requests";

pub(super) async fn measure(cluster: &TestCluster) -> Result<Vec<Case>, Failure> {
    let mut cases = Vec::new();
    for seconds in INTERVALS {
        cases.extend(measure_at(cluster, Duration::from_secs(seconds)).await?);
    }
    Ok(cases)
}

async fn measure_at(cluster: &TestCluster, interval: Duration) -> Result<Vec<Case>, Failure> {
    let scene = Scene::open(cluster, interval).await?;
    let phases: Vec<Duration> = (0..TRIALS).map(|number| phase(interval, number)).collect();
    let rule = [RULE.parse()?];
    let (judge, ours, strict, lenient) = tokio::try_join!(
        our_trials(&scene, &[], &phases),
        our_trials(&scene, &rule, &phases),
        peers(&scene, FAILURE_LIMITS[0], &phases),
        peers(&scene, FAILURE_LIMITS[1], &phases),
    )?;
    let name = |what: &str| format!("errors-to-weight-0/{}s/{what}", interval.as_secs());
    let ((judge, by_judge), (ours, by_ours)) = (judge, ours);
    tell(&name("judge"), &judge, by_judge);
    tell(&name("judge-and-threshold"), &ours, by_ours);
    let mut cases = Vec::new();
    for (limit, (peer, false_alarms)) in FAILURE_LIMITS.into_iter().zip([strict, lenient]) {
        let what = format!("argo-rollouts-failure-limit-{limit}");
        tell(&name(&what), &peer, false_alarms);
        cases.push(Case {
            name: name(&what),
            ours: Figure { value: median(seconds(&ours)), unit: "s" },
            peer: Some(Figure { value: median(seconds(&peer)), unit: "s" }),
            better: Better::Less,
            goal: Goal::Nothing,
        });
    }
    let late = judge.iter().chain(&ours).filter_map(|trial| trial.late).max().unwrap_or_default();
    let late = Figure { value: late.as_secs_f64(), unit: "s" };
    let whole = ours.iter().map(|trial| trial.whole).max().unwrap_or_default();
    cases.push(Case::alone(name("after-the-evidence/max"), late, (interval + SLACK).as_secs_f64()));
    cases.push(Case::alone(
        name("bad-scrapes-needed/max"),
        Figure { value: whole as f64, unit: "" },
        MOST_SCRAPES,
    ));
    Ok(cases)
}

/// All trials of the engine, some at a time, and its false alarms.
async fn our_trials(
    scene: &Scene<'_>,
    thresholds: &[Threshold],
    phases: &[Duration],
) -> Result<(Vec<Trial>, usize), Failure> {
    let trials = phases.iter().map(|phase| ours::trial(scene, thresholds, *phase));
    let all: Vec<Came> = stream::iter(trials).buffer_unordered(AT_A_TIME).try_collect().await?;
    let (mut turned, mut false_alarms) = (Vec::new(), 0);
    for came in all {
        match came {
            Came::Turned(trial) => turned.push(trial),
            Came::FalseAlarm(why) => {
                false_alarms += 1;
                say(&format!("compare k8s errors-to-weight-0: a healthy canary was taken back: {why}"));
            }
        }
    }
    Ok((turned, false_alarms))
}

/// All trials of a peer, in some shops at a time, and its false alarms.
async fn peers(scene: &Scene<'_>, limit: u32, phases: &[Duration]) -> Result<(Vec<Trial>, usize), Failure> {
    let shops = phases.chunks(TRIALS / AT_A_TIME).map(|phases| peer::trials(scene, limit, phases));
    let shops: Vec<_> = stream::iter(shops).buffer_unordered(AT_A_TIME).try_collect().await?;
    let (trials, false_alarms): (Vec<_>, Vec<_>) = shops.into_iter().unzip();
    Ok((trials.concat(), false_alarms.into_iter().sum()))
}

/// Spreads the turns over an interval, each as far from those before it as can be.
fn phase(interval: Duration, number: usize) -> Duration {
    const GOLDEN: f64 = 0.618_033_988_75;
    interval.mul_f64((number as f64 * GOLDEN).fract())
}

fn seconds(trials: &[Trial]) -> Vec<f64> {
    trials.iter().map(|trial| trial.took.as_secs_f64()).collect()
}

fn tell(name: &str, trials: &[Trial], false_alarms: usize) {
    let took = seconds(trials);
    let most = |values: &mut dyn Iterator<Item = usize>| values.max().unwrap_or_default();
    let late: Vec<f64> = trials.iter().filter_map(|trial| Some(trial.late?.as_secs_f64())).collect();
    let late = match late.len() {
        0 => String::new(),
        _ => format!(
            ", after the evidence p50 {:.2} s, max {:.2} s",
            median(late.clone()),
            late.iter().copied().fold(0.0, f64::max)
        ),
    };
    say(&format!(
        "compare k8s {name}: {} trials, p50 {:.2} s, max {:.2} s, false alarms before {false_alarms}, scrapes \
         with bad answers up to {}, bad as a whole up to {}{late}",
        trials.len(),
        median(took.clone()),
        took.iter().copied().fold(0.0, f64::max),
        most(&mut trials.iter().map(|trial| trial.scrapes)),
        most(&mut trials.iter().map(|trial| trial.whole)),
    ));
}
