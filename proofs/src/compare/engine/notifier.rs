//! A notifier that never answers, beside a healthy one: from the verdict to the end of the rollback.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hotfix_benches::Failure;
use hotfix_benches::world::{Shop, brisk_policy, request};
use hotfix_core::communicate::ProgressKind;
use hotfix_core::execute::Outcome;
use hotfix_core::memory::{DeliveryTrouble, MemoryMetrics, MemoryNotifier, MemoryStore};
use hotfix_core::model::{Period, Timestamp, VerdictOutcome};
use hotfix_core::plan::Planned;
use hotfix_core::port::{History, HistoryQuery, MetricsCapabilities, MetricsQuery, MetricsSource, Scrape};
use hotfix_engine::{Engine, SystemClock};

use crate::compare::case::{Better, Case, Figure, Goal};
use crate::compare::clock::median_millis;

const ROUNDS: usize = 15;

/// The time between two looks at the metrics.
const LOOK: Period = Period::from_millis(20);

/// More deliveries than a run makes.
const DELIVERIES: usize = 100;

/// How a notifier is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Healthy,
    /// It never answers.
    Hung,
}

pub(super) fn measure() -> Result<Case, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (mut hung, mut healthy) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        hung.push(runtime.block_on(roll_back(Manner::Hung))?);
        healthy.push(runtime.block_on(roll_back(Manner::Healthy))?);
    }
    Ok(Case {
        name: "verdict-to-rolled-back/hung-notifier".to_owned(),
        ours: median_millis(&hung),
        peer: Some(median_millis(&healthy)),
        better: Better::Less,
        goal: Goal::PeerPlus(Figure { value: 50.0, unit: "ms" }),
    })
}

/// Lets a bad canary be rolled back, and returns how long that took from the verdict on.
async fn roll_back(manner: Manner) -> Result<Duration, Failure> {
    let (shop, clock) = (Shop::open()?, || Arc::new(SystemClock));
    let notifier = MemoryNotifier::new("memory:incidents");
    if manner == Manner::Hung {
        (0..DELIVERIES).for_each(|_| notifier.trouble(DeliveryTrouble::Hangs));
    }
    let engine = Engine::builder()
        .version_control(shop.source.clone())
        .deployer(shop.deployer.clone())
        .metrics(BadCanary(MemoryMetrics::new(clock(), LOOK)))
        .notifier(notifier)
        .store(MemoryStore::new(clock()))
        .policy(brisk_policy(LOOK)?)
        .build()?;
    let plan = match engine.plan(&request()?).await? {
        Planned::Plan(plan) => *plan,
        Planned::NothingToDo(nothing) => return Err(Failure::new(nothing.to_string())),
    };
    let mut run = engine.start(plan).await?;
    let mut condemned: Option<Timestamp> = None;
    while let Some(progress) = run.next().await {
        let progress = progress?;
        match (progress.kind, condemned) {
            (ProgressKind::Decided { verdict, .. }, _) if verdict.outcome == VerdictOutcome::Fail => {
                condemned = Some(progress.at);
            }
            (ProgressKind::Ended(Outcome::RolledBack { .. }), Some(condemned)) => {
                return Ok((progress.at - condemned).to_std()?);
            }
            (ProgressKind::Ended(other), _) => {
                return Err(Failure::new(format!("the bad canary ended as {other:?}")));
            }
            _ => {}
        }
    }
    Err(Failure::new("the run ended without an outcome"))
}

/// Traffic of which the canary, which is asked for first, answers nothing well.
#[derive(Debug)]
struct BadCanary(MemoryMetrics);

#[async_trait]
impl MetricsSource for BadCanary {
    fn capabilities(&self) -> MetricsCapabilities {
        self.0.capabilities()
    }

    async fn scrape(&self, query: &MetricsQuery) -> hotfix_core::Result<Scrape> {
        for (slot, (requests, errors)) in query.slots.iter().zip([(100, 100), (900, 1)]) {
            self.0.count(&query.target, slot, "instance-1", requests, errors);
        }
        self.0.scrape(query).await
    }

    async fn history(&self, query: &HistoryQuery) -> hotfix_core::Result<History> {
        self.0.history(query).await
    }
}
