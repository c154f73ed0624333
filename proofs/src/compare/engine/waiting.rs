//! Ten thousand runs in one process, each waiting in an open gate: memory per run.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hotfix_benches::Failure;
use hotfix_benches::program::{program, run};
use hotfix_benches::world::{Shop, brisk_policy, request};
use hotfix_core::memory::MemoryStore;
use hotfix_core::model::{Period, ServiceName};
use hotfix_core::plan::Plan;
use hotfix_core::port::{
    History, HistoryQuery, Latency, MetricsCapabilities, MetricsQuery, MetricsSource, Scrape,
};
use hotfix_engine::{Engine, EngineBuilder, SystemClock};
use hotfix_store::SqliteStore;

use super::willing::{WillingDeployer, WillingSource};
use crate::compare::case::{Case, Figure};
use crate::compare::clock::Stopwatch;
use crate::compare::memory::resident;
use crate::say;

/// How many runs wait.
const RUNS: usize = 10_000;

/// What a run may take.
const GOAL_KIB: f64 = 16.0;

/// How long the runs may take to their gates.
const LONG: Duration = Duration::from_secs(600);

/// A look that does not come while memory is measured.
const LOOK: Period = Period::from_mins(10);

/// Where the journals are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::compare) enum Journals {
    /// In the same process.
    Memory,
    /// In a file, where they belong.
    Sqlite,
}

/// Measures in a process of its own, which has done nothing else.
pub(super) fn measure(print: impl Fn(Case)) -> Result<(), Failure> {
    for (name, store) in [("waiting-run/sqlite", "sqlite"), ("waiting-run/all-in-memory", "memory")] {
        let mut part = program(std::env::current_exe()?);
        let bytes: f64 = run(part.args(["part", "waiting-runs", &RUNS.to_string(), store]))?.parse()?;
        print(Case::alone(name, Figure { value: bytes / 1024.0, unit: "KiB" }, GOAL_KIB));
    }
    Ok(())
}

/// Brings the runs to their gates and says how many bytes each takes.
pub(in crate::compare) fn hold(count: usize, journals: Journals) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let bytes = runtime.block_on(memory_of(count, journals))?;
    say(&format!("{:.0}", bytes as f64 / count as f64));
    Ok(())
}

async fn memory_of(count: usize, journals: Journals) -> Result<usize, Failure> {
    let (shop, folder) = (Shop::open()?, tempfile::tempdir()?);
    for number in 0..count {
        shop.add_target(&format!("production/{}", service_name(number)).parse()?)?;
    }
    let looked = Arc::new(AtomicUsize::new(0));
    let builder = Engine::builder()
        .version_control(WillingSource(shop.source.clone()))
        .deployer(WillingDeployer(shop.deployer.clone()))
        .metrics(Looked(Arc::clone(&looked)));
    let builder = journals.keep(builder, folder.path()).await?;
    let engine = builder.policy(brisk_policy(LOOK)?).build()?;
    let before = resident()?;
    let mut handles = Vec::with_capacity(count);
    for number in 0..count {
        handles.push(engine.start(plan_for(&shop, number)?).await?);
    }
    all_looked(&looked, count).await?;
    let after = resident()?;
    drop(handles);
    Ok(after.saturating_sub(before))
}

async fn all_looked(looked: &AtomicUsize, count: usize) -> Result<(), Failure> {
    let watch = Stopwatch::start();
    while looked.load(Ordering::Relaxed) < count {
        if watch.passed() > LONG {
            let waiting = looked.load(Ordering::Relaxed);
            return Err(Failure::new(format!("only {waiting} of {count} runs came to their gate")));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// A name for each number, in letters: a digit in a tag begins its version.
fn service_name(number: usize) -> String {
    let letters = number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect::<String>();
    format!("shop-{letters}")
}

/// The plan of another service for the same issue: its commits are those of all, and take no memory of their own.
fn plan_for(shop: &Shop, number: usize) -> Result<Plan, Failure> {
    let mut request = request()?;
    request.service = ServiceName::new(service_name(number))?;
    shop.plan(&request, &brisk_policy(LOOK)?)
}

impl Journals {
    async fn keep(self, builder: EngineBuilder, folder: &Path) -> Result<EngineBuilder, Failure> {
        let clock = Arc::new(SystemClock);
        Ok(match self {
            Self::Memory => builder.store(MemoryStore::new(clock)),
            Self::Sqlite => builder.store(SqliteStore::open(folder.join("hotfix.db"), clock).await?),
        })
    }
}

impl FromStr for Journals {
    type Err = UnknownJournals;

    fn from_str(text: &str) -> Result<Self, UnknownJournals> {
        match text {
            "memory" => Ok(Self::Memory),
            "sqlite" => Ok(Self::Sqlite),
            _ => Err(UnknownJournals(text.to_owned())),
        }
    }
}

/// A place for journals that is none.
#[derive(Debug)]
pub(in crate::compare) struct UnknownJournals(String);

impl std::fmt::Display for UnknownJournals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "journals in {:?}: allowed are memory and sqlite", self.0)
    }
}

impl std::error::Error for UnknownJournals {}

/// Metrics without traffic, which count how often somebody looked: each gate looks once when it opens.
#[derive(Debug)]
struct Looked(Arc<AtomicUsize>);

#[async_trait]
impl MetricsSource for Looked {
    fn capabilities(&self) -> MetricsCapabilities {
        MetricsCapabilities { interval: LOOK, latency: Latency::Unknown }
    }

    async fn scrape(&self, _: &MetricsQuery) -> hotfix_core::Result<Scrape> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Scrape::default())
    }

    async fn history(&self, _: &HistoryQuery) -> hotfix_core::Result<History> {
        Ok(History::default())
    }
}
