//! Traffic while releases change: nothing is dropped, every share is exact, nothing goes where it must not.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hotfix_core::model::{Rollout, Verb, Weights};
use hotfix_core::port::{Deployer, MetricsQuery, MetricsSource, Rejection, Reply};
use hyper::StatusCode;
use tokio::task::JoinSet;

use super::host::{Host, eventually, shift, slot};
use super::http::{self, Connection};

/// Clients that ask as fast as they can, each on one connection that it keeps.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    clients: JoinSet<Vec<String>>,
}

impl Load {
    async fn start(address: SocketAddr) -> Self {
        let (stop, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let mut clients = JoinSet::new();
        for _ in 0..4 {
            clients.spawn(ask(address, Arc::clone(&stop), Arc::clone(&answered)));
        }
        let load = Self { stop, answered, clients };
        load.more().await;
        load
    }

    /// Waits until a hundred more requests were answered.
    async fn more(&self) {
        let goal = self.answered.load(Ordering::SeqCst) + 100;
        let answered = Arc::clone(&self.answered);
        eventually("100 more answers", async || (answered.load(Ordering::SeqCst) >= goal).then_some(()))
            .await;
    }

    /// Returns what went wrong for any client.
    async fn failures(self) -> Vec<String> {
        self.stop.store(true, Ordering::SeqCst);
        self.clients.join_all().await.concat()
    }
}

async fn ask(address: SocketAddr, stop: Arc<AtomicBool>, answered: Arc<AtomicU64>) -> Vec<String> {
    let mut connection = Connection::open(address).await;
    let mut failures = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        match connection.get("/").await {
            Ok((StatusCode::OK, _)) => {}
            Ok((status, text)) => failures.push(format!("{status}: {text}")),
            // The connection must outlive every shift, so it is not opened again.
            Err(error) => return vec![error.to_string()],
        }
        answered.fetch_add(1, Ordering::SeqCst);
    }
    failures
}

/// Asks a hundred times and counts the names in the answers.
async fn hundred(address: SocketAddr) -> BTreeMap<String, u32> {
    let mut connection = Connection::open(address).await;
    let mut counts = BTreeMap::new();
    for _ in 0..100 {
        let (status, name) = connection.get("/").await.expect("an answer");
        assert_eq!(status, StatusCode::OK, "{name}");
        *counts.entry(name).or_insert(0) += 1;
    }
    counts
}

fn counts(expected: &[(&str, u32)]) -> BTreeMap<String, u32> {
    expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_rollout_and_its_rollback_drop_no_request_and_keep_every_connection() {
    let (host, agent) = Host::serving("v1").await;
    let snapshot = host.deployer.snapshot(&host.target).await.expect("live");
    let load = Load::start(host.address().await).await;
    host.stage("green", &host.release("v2", &[])).await;
    host.ready("green").await;
    for percent in [10, 50, 100] {
        host.applied(&shift(percent)).await;
        load.more().await;
    }
    host.applied(&Verb::Promote { slot: slot("green") }).await;
    host.applied(&Verb::Retire { slot: slot("blue") }).await;
    load.more().await;
    assert_eq!(host.processes().len(), 1, "nothing is left of blue");
    host.applied(&Verb::Restore { snapshot: snapshot.clone() }).await;
    load.more().await;
    assert_eq!(load.failures().await, Vec::<String>::new());
    assert_eq!(http::get(host.address().await, "/").await, (StatusCode::OK, "v1".to_owned()));
    assert_eq!(host.deployer.snapshot(&host.target).await.expect("live"), snapshot);
    let left = async || (host.processes().len() == 1).then_some(());
    eventually("green stopped", left).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_hundred_requests_are_split_exactly() {
    let (host, _agent) = Host::serving("v1").await;
    let address = host.address().await;
    host.stage("green", &host.release("v2", &[])).await;
    host.ready("green").await;
    assert_eq!(hundred(address).await, counts(&[("v1", 100)]), "weight 0 is nothing");
    for percent in [1, 10, 33, 100] {
        host.applied(&shift(percent)).await;
        let green = u32::from(percent);
        let expected =
            if green == 100 { counts(&[("v2", 100)]) } else { counts(&[("v1", 100 - green), ("v2", green)]) };
        assert_eq!(hundred(address).await, expected, "{percent} %");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_counters_show_every_request_once() {
    let (host, agent) = Host::serving("v1").await;
    let address = host.address().await;
    host.stage("green", &host.release("v2", &["status=500"])).await;
    host.ready("green").await;
    host.applied(&shift(10)).await;
    let mut connection = Connection::open(address).await;
    for _ in 0..200 {
        connection.get("/").await.expect("an answer");
    }
    let slots = vec![slot("blue"), slot("green")];
    let query = MetricsQuery { target: host.target.clone(), slots, bounds: Vec::new() };
    let scrape = host.metrics.scrape(&query).await.expect("readable");
    let sum = |name: &str| {
        let series = scrape.series.iter().filter(|series| series.slot == slot(name));
        series.fold((0.0, 0.0), |(requests, errors), series| {
            (requests + series.requests, errors + series.errors.expect("always known"))
        })
    };
    assert_eq!((sum("blue"), sum("green")), ((180.0, 0.0), (20.0, 20.0)));
    let (status, page) = http::get(agent.address(), "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    let line =
        |start: &str, end: &str| page.lines().any(|line| line.starts_with(start) && line.ends_with(end));
    let green = "{environment=\"production\",service=\"shop\",slot=\"green\",";
    assert!(line(&format!("hotfix_errors_total{green}"), " 20"), "{page}");
    assert!(line(&format!("hotfix_slot_weight_percent{green}"), " 10"), "{page}");
    assert!(line("# TYPE hotfix_request_duration_seconds", "histogram"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_slot_finishes_its_requests_before_it_is_stopped() {
    let (host, _agent) = Host::serving("v1").await;
    let address = host.address().await;
    let slow = tokio::spawn(async move { http::get(address, "/slow").await });
    let in_flight = async || {
        let (_, page) = http::get(_agent.address(), "/metrics").await;
        page.lines()
            .any(|line| line.starts_with("hotfix_requests_in_flight") && line.ends_with(" 1"))
            .then_some(())
    };
    eventually("the slow request is in flight", in_flight).await;
    host.stage("green", &host.release("v2", &[])).await;
    host.ready("green").await;
    host.applied(&shift(100)).await;
    host.applied(&Verb::Promote { slot: slot("green") }).await;
    host.applied(&Verb::Retire { slot: slot("blue") }).await;
    assert_eq!(host.processes().len(), 1, "a retire is applied when everything has stopped");
    assert_eq!(slow.await.expect("joined"), (StatusCode::OK, "slow v1".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_weight_rules_are_kept_by_the_host_itself() {
    let (host, _agent) = Host::serving("v1").await;
    host.stage("green", &host.release("v2", &["never_ready=1"])).await;
    let reply = host.apply(&shift(10)).await;
    let reason = "green has no ready instance and cannot take traffic; wait until one is ready".to_owned();
    assert_eq!(reply, Reply::Rejected(Rejection::Permanent { reason }));
    let reply = host.apply(&Verb::Retire { slot: slot("blue") }).await;
    let reason = "blue has 100 % of the traffic; shift it away first".to_owned();
    assert_eq!(reply, Reply::Rejected(Rejection::Permanent { reason }));
    let workload = host.deployer.observe(&host.target).await.expect("readable");
    assert_eq!(workload.weights, Some(Weights::all(slot("blue"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_workload_takes_only_resume_and_restore() {
    let (host, _agent) = Host::serving("v1").await;
    let snapshot = host.deployer.snapshot(&host.target).await.expect("live");
    host.applied(&Verb::Pause).await;
    let reply = host.apply(&shift(0)).await;
    let reason = "the workload is paused, so shift is not accepted; resume it first".to_owned();
    assert_eq!(reply, Reply::Rejected(Rejection::Permanent { reason }));
    host.applied(&Verb::Restore { snapshot }).await;
    host.applied(&Verb::Resume).await;
    assert_eq!(host.deployer.observe(&host.target).await.expect("readable").rollout, Rollout::Active);
}
