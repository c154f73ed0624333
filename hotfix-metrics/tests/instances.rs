//! Probes of each instance behind a name.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hotfix_core::memory::ManualClock;
use hotfix_core::model::Period;
use hotfix_core::port::Check as _;
use hotfix_metrics::{
    Ask, Endpoint, Health, HealthCheck, HealthCheckConfig, Instances, Probe, ProbeConfig, ProbeFailureKind,
    Resolver, SystemResolver,
};
use hotfix_testkit::http::{Answer, ScriptedServer};
use tokio::net::TcpListener;

use crate::checks::subject;
use crate::probes::config;

/// Says what a test has it say, the last of it again and again, and keeps what it was asked for.
#[derive(Debug)]
struct Register {
    says: Mutex<VecDeque<Vec<SocketAddr>>>,
    asked: Mutex<Vec<(String, u16)>>,
}

impl Register {
    fn saying(says: impl IntoIterator<Item = Vec<SocketAddr>>) -> Arc<Self> {
        Arc::new(Self { says: Mutex::new(says.into_iter().collect()), asked: Mutex::default() })
    }
}

#[async_trait]
impl Resolver for Register {
    async fn resolve(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        self.asked.lock().unwrap().push((name.to_owned(), port));
        let mut says = self.says.lock().unwrap();
        let now = if says.len() > 1 { says.pop_front() } else { says.front().cloned() };
        now.ok_or_else(|| io::Error::other("no such name\nby xoxb-12345678-abc"))
    }
}

async fn server(status: u16) -> ScriptedServer {
    let server = ScriptedServer::start().await;
    server.otherwise(Answer::status(status));
    server
}

fn each(at: &str, ask: Ask) -> ProbeConfig {
    let interval = Period::from_millis(1);
    ProbeConfig { instances: Instances::Each, interval, failure_threshold: 3, ..config(at, ask) }
}

fn probe(config: &ProbeConfig, register: &Arc<Register>) -> Probe {
    let register: Arc<dyn Resolver> = Arc::<Register>::clone(register);
    Probe::new(config, Arc::new(ManualClock::default())).unwrap().resolved_by(register)
}

/// What is known of each instance, in the order in which they were found: its address, looks, failures and health.
fn known(evidence: &hotfix_metrics::ProbeEvidence) -> Vec<(Option<SocketAddr>, u32, u32, Health)> {
    let endpoints = evidence.endpoints.iter();
    endpoints.map(|seen| (seen.endpoint.instance, seen.looks, seen.failures, seen.health)).collect()
}

#[tokio::test]
async fn each_instance_is_asked_under_the_name_of_the_service() {
    let (well, ill) = (server(200).await, server(503).await);
    let register = Register::saying([vec![ill.address(), well.address(), ill.address()]]);
    let evidence = probe(&each("http://shop.test/healthz", Ask::default()), &register).settle().await;
    let mut expected =
        [(Some(well.address()), 3, 0, Health::Healthy), (Some(ill.address()), 3, 3, Health::Unhealthy)];
    expected.sort_by_key(|(address, ..)| *address);
    assert_eq!(known(&evidence), expected);
    let faults: Vec<_> = evidence.faults().iter().map(ToString::to_string).collect();
    let why = "is no longer ready: health: status 503 instead of 200 to 299";
    assert_eq!(faults, [format!("{} {why}", ill.address())]);
    assert_eq!(well.requests()[0].header("host"), Some("shop.test"));
    assert_eq!(*register.asked.lock().unwrap(), vec![("shop.test".to_owned(), 80); 3]);
}

#[tokio::test]
async fn of_an_instance_that_is_gone_nothing_follows() {
    let (stays, goes, comes) = (server(200).await, server(503).await, server(200).await);
    let [stays, goes, comes] = [&stays, &goes, &comes].map(ScriptedServer::address);
    let register = Register::saying([vec![stays, goes], vec![stays, goes], vec![stays, comes]]);
    let probe = probe(&each("http://shop.test/healthz", Ask::default()), &register);
    let settled = tokio::time::timeout(Duration::from_secs(30), probe.settle()).await;
    let evidence = settled.expect("it is not waited for until it answers");
    let mut found = known(&evidence);
    assert_eq!(found.pop(), Some((Some(comes), 1, 0, Health::Healthy)));
    found.sort_by_key(|(_, _, failures, _)| *failures);
    let expected = [(Some(stays), 3, 0, Health::Healthy), (Some(goes), 2, 2, Health::Healthy)];
    assert_eq!((found.as_slice(), evidence.health()), (&expected[..], Health::Healthy));
}

#[tokio::test]
async fn a_name_that_leads_nowhere_is_a_failure_of_its_own() {
    for (says, why) in [(vec![], "no such name by [redacted]"), (vec![Vec::new()], "leads to no instance")] {
        let register = Register::saying(says);
        let evidence = probe(&each("http://shop.test/healthz", Ask::default()), &register).settle().await;
        assert_eq!(known(&evidence), [(None, 3, 3, Health::Unhealthy)]);
        let failure = evidence.endpoints[0].first_failure.as_ref().unwrap();
        let expected = (ProbeFailureKind::Connection, format!("shop.test: {why}"));
        assert_eq!((failure.kind, failure.cause.clone()), expected);
    }
}

#[tokio::test]
async fn a_gate_looks_at_the_instances_that_there_are_by_then() {
    let (first, second) = (server(200).await, server(500).await);
    let register = Register::saying([vec![first.address()], vec![second.address()]]);
    let probe = each("http://{service}-{slot}.test/healthz", Ask::default());
    let check = HealthCheck::new(
        HealthCheckConfig { probe, environments: Vec::new() },
        Arc::new(ManualClock::default()),
    );
    let check = check.unwrap().resolved_by(Arc::<Register>::clone(&register));
    let report = check.look(&subject("green")).await.unwrap();
    assert_eq!((report.faults, report.seen.as_str()), (vec![], "health: 1 of 1 endpoints healthy"));
    let report = check.look(&subject("green")).await.unwrap();
    let faults: Vec<_> = report.faults.iter().map(ToString::to_string).collect();
    let why = "is no longer ready: health: status 500 instead of 200 to 299";
    assert_eq!(faults, [format!("{} {why}", second.address())]);
    assert_eq!(register.asked.lock().unwrap()[0], ("shop-green.test".to_owned(), 80));
}

/// Listens on one port at each address of a name. Nobody can at an address of a family that this machine has not.
async fn listeners(name: &str) -> (u16, BTreeMap<SocketAddr, Option<TcpListener>>) {
    loop {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut all = BTreeMap::new();
        for address in (name, port).to_socket_addrs().unwrap().collect::<BTreeSet<_>>() {
            all.insert(address, TcpListener::bind(address).await);
        }
        let is_taken = |tried: &io::Result<TcpListener>| {
            tried.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
        };
        if !all.values().any(is_taken) {
            return (port, all.into_iter().map(|(address, tried)| (address, tried.ok())).collect());
        }
    }
}

#[tokio::test]
async fn the_system_says_where_a_name_leads() {
    let (port, listeners) = listeners("localhost").await;
    let failures = |listener: &Option<TcpListener>| u32::from(listener.is_none());
    let expected: Vec<_> = listeners
        .iter()
        .map(|(address, listener)| (Some(*address), 1, failures(listener), Health::Healthy))
        .collect();
    let config = each(&format!("localhost:{port}"), Ask::Tcp);
    let probe = Probe::new(&config, Arc::new(ManualClock::default())).unwrap();
    assert_eq!(known(&probe.look().await), expected);
    let resolved = SystemResolver.resolve("localhost", port).await.unwrap();
    assert_eq!(resolved.into_iter().collect::<BTreeSet<_>>(), listeners.into_keys().collect());
}

#[test]
fn an_endpoint_that_leads_to_one_instance_only_is_refused() {
    let refused = |endpoint: Endpoint, ask: Ask| {
        let config = ProbeConfig { endpoints: vec![endpoint], ..each("", ask) };
        Probe::new(&config, Arc::new(ManualClock::default())).unwrap_err().to_string()
    };
    let named =
        Endpoint { instance: Some("10.1.2.3:80".parse().unwrap()), ..Endpoint::new("http://shop.test") };
    let why = "must not name the instance 10.1.2.3:80 where each is looked at";
    assert_eq!(refused(named, Ask::default()), format!("probe.endpoints is not valid: {why}"));
    for (at, ask, address) in [
        ("http://10.1.2.3:8080/healthz", Ask::default(), "10.1.2.3"),
        ("http://[fd00::1]/", Ask::Grpc { service: String::new() }, "fd00::1"),
        ("10.1.2.3:5432", Ask::Tcp, "10.1.2.3"),
    ] {
        let why = format!("must have a name that leads to the instances instead of {address}");
        assert_eq!(refused(Endpoint::new(at), ask), format!("probe.endpoints is not valid: {why}"));
    }
}
