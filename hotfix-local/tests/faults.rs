//! What goes wrong with a release: each is seen by whoever watches, and none of it reaches the traffic unasked.

use std::net::TcpListener;
use std::time::Duration;

use futures_util::StreamExt;
use hotfix_core::ErrorKind;
use hotfix_core::model::{Fault, Verb, Workload};
use hotfix_core::port::{
    Deployer, MetricsQuery, MetricsSource, Rejection, Reply, WorkloadChange, WorkloadWatch,
};
use hotfix_local::{Agent, AgentConfig, LocalError, TargetOptions};
use hyper::StatusCode;

use super::host::{Host, LONG, eventually, shift, slot, stage};
use super::http;

/// The next change that `wanted` picks out.
async fn next<T>(
    watch: &mut WorkloadWatch,
    limit: Duration,
    wanted: impl Fn(&WorkloadChange) -> Option<T>,
) -> T {
    let search = async {
        loop {
            let change = watch.next().await.expect("the watch goes on").expect("readable");
            if let Some(found) = wanted(&change) {
                return found;
            }
        }
    };
    tokio::time::timeout(limit, search).await.expect("seen in time")
}

fn fault_of(change: &WorkloadChange) -> Option<Fault> {
    match change {
        WorkloadChange::Faulty { fault, .. } => Some(fault.clone()),
        _ => None,
    }
}

fn ready_instances(name: &str, wanted: u16) -> impl Fn(&WorkloadChange) -> Option<()> {
    let wanted_slot = slot(name);
    move |change| match change {
        WorkloadChange::Instances { slot, ready, .. } if *slot == wanted_slot && *ready == wanted => Some(()),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_after_readiness_is_seen_within_a_second_and_repaired() {
    let (host, _agent) = Host::serving("v1").await;
    let mut watch = host.deployer.watch(&host.target).await.expect("a watch");
    next(&mut watch, LONG, ready_instances("blue", 1)).await;
    let crash = http::Connection::open(host.address().await).await.get("/crash").await.expect("an answer");
    assert_eq!(crash.0, StatusCode::BAD_GATEWAY);
    let fault = next(&mut watch, Duration::from_secs(1), fault_of).await;
    assert!(matches!(&fault, Fault::Exited { status, .. } if status == "exit status: 7"), "{fault}");
    next(&mut watch, LONG, ready_instances("blue", 1)).await;
    assert_eq!(http::get(host.address().await, "/").await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_readiness_is_seen_within_a_second_and_takes_the_instance_out() {
    let (host, _agent) = Host::serving("v1").await;
    let mut watch = host.deployer.watch(&host.target).await.expect("a watch");
    next(&mut watch, LONG, ready_instances("blue", 1)).await;
    http::get(host.address().await, "/unready").await;
    let fault = next(&mut watch, Duration::from_secs(1), fault_of).await;
    let expected = "GET /health answered 503";
    assert!(matches!(&fault, Fault::ReadinessLost { reason, .. } if reason == expected), "{fault}");
    let (status, text) = http::get(host.address().await, "/").await;
    assert_eq!((status, text.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "no instance is ready\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_exits_at_once_is_a_crash_loop() {
    let (host, _agent) = Host::serving("v1").await;
    let mut watch = host.deployer.watch(&host.target).await.expect("a watch");
    host.stage("green", &host.release("v2", &["exit=3"])).await;
    let first = next(&mut watch, LONG, fault_of).await;
    assert!(matches!(&first, Fault::Exited { status, .. } if status == "exit status: 3"), "{first}");
    let is_loop =
        |change: &WorkloadChange| fault_of(change).filter(|fault| matches!(fault, Fault::CrashLoop { .. }));
    let crash_loop = next(&mut watch, LONG, is_loop).await;
    assert!(matches!(crash_loop, Fault::CrashLoop { restarts: 3, .. }), "{crash_loop}");
    let workload = host.deployer.observe(&host.target).await.expect("readable");
    let green = workload.slot(&slot("green")).expect("filled");
    assert_eq!((green.ready, green.faults.len()), (0, 1));
    host.applied(&Verb::Retire { slot: slot("green") }).await;
    assert_eq!(host.processes().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_never_gets_ready_is_told_after_its_time() {
    let (host, _agent) = Host::serving("v1").await;
    let mut watch = host.deployer.watch(&host.target).await.expect("a watch");
    host.stage("green", &host.release("v2", &["never_ready=1"])).await;
    let fault = next(&mut watch, LONG, fault_of).await;
    assert!(matches!(&fault, Fault::NeverReady { after, .. } if after.as_millis() == 2_000), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unusable_manifest_is_refused_before_anything_changes() {
    let (host, _agent) = Host::serving("v1").await;
    let before = host.deployer.observe(&host.target).await.expect("readable");
    let broken = host.manifest("[restart]\nbackoff = \"soon\"\n");
    let reply = host.apply(&stage("green", &host.release_with("v2", "", &broken))).await;
    let reason = "hotfix-release.toml: `restart.backoff` is \"soon\"; allowed is a length of time such as \"300ms\", \
                  \"10s\" or \"1m30s\"";
    assert_eq!(reply, Reply::Rejected(Rejection::Permanent { reason: reason.to_owned() }));
    assert_eq!(host.deployer.observe(&host.target).await.expect("readable"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_cannot_be_started_is_a_fault() {
    let (host, _agent) = Host::serving("v1").await;
    let mut watch = host.deployer.watch(&host.target).await.expect("a watch");
    let manifest = "argv = [\"./absent\"]\n[health]\npath = \"/\"\n";
    host.stage("green", &host.release_with("v2", "", manifest)).await;
    let fault = next(&mut watch, LONG, fault_of).await;
    let Fault::CannotStart { reason, .. } = &fault else { panic!("{fault}") };
    assert!(reason.starts_with("cannot start ./absent: "), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named_and_taken_when_it_is_free() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = taken.local_addr().expect("an address");
    let host = Host::with_options(TargetOptions { listen, ..TargetOptions::default() }).await;
    let _agent = host.start_agent().await;
    let error =
        eventually("the agent tries the port", async || host.deployer.observe(&host.target).await.err())
            .await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let expected = format!("port in use: {listen} (traffic of the target)");
    assert!(error.to_string().contains(&expected), "{error}");
    drop(taken);
    let observed =
        eventually("the port is free", async || host.deployer.observe(&host.target).await.ok()).await;
    assert_eq!(observed.live, None);
    assert_eq!(host.address().await, listen);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_cannot_have_its_port_or_directory_says_so() {
    let host = Host::without_agent().await;
    let agent = host.start_agent().await;
    let second = Agent::start(AgentConfig::new(host.state())).await.expect_err("one per directory");
    assert!(matches!(&second, LocalError::AgentRunning { root } if *root == host.state()), "{second}");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let config = AgentConfig { state: elsewhere.path().to_owned(), admin: agent.address() };
    let taken = Agent::start(config).await.expect_err("the port is taken");
    assert!(
        matches!(&taken, LocalError::PortInUse { address, .. } if *address == agent.address()),
        "{taken}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_canary_costs_no_request_and_shows_as_errors() {
    let (host, _agent) = Host::serving("v1").await;
    let address = host.address().await;
    host.stage("green", &host.release("v2", &[])).await;
    host.ready("green").await;
    host.applied(&shift(100)).await;
    http::get(address, "/unready").await;
    host.until("green is not ready", |workload| ready(workload, "green") == 0).await;
    host.applied(&shift(50)).await;
    let mut connection = http::Connection::open(address).await;
    for _ in 0..100 {
        assert_eq!(connection.get("/").await.expect("an answer"), (StatusCode::OK, "v1".to_owned()));
    }
    let query = MetricsQuery { target: host.target.clone(), slots: vec![slot("green")], bounds: Vec::new() };
    let scrape = host.metrics.scrape(&query).await.expect("readable");
    let unserved = scrape.series.iter().find(|series| series.series.contains("unserved")).expect("a series");
    assert_eq!((unserved.requests, unserved.errors), (50.0, Some(50.0)));
}

fn ready(workload: &Workload, name: &str) -> u16 {
    workload.slot(&slot(name)).map_or(0, |state| state.ready)
}
