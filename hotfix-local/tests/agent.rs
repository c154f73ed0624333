//! The death of the agent, and what the next one makes of what it finds.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hotfix_core::model::Verb;
use hotfix_core::port::Deployer;
use hotfix_local::{Launched, launch_agent};
use hyper::StatusCode;
use rustix::process::Signal;
use serde_json::Value;

use super::host::{Host, LONG, eventually, kill, slot};
use super::http;

/// An agent as a process of its own, killed with the test.
struct AgentProcess(i32);

impl AgentProcess {
    async fn start(host: &Host) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_hotfix-agent"));
        match launch_agent(program, &[host.state()], &host.state(), LONG).await.expect("an agent") {
            Launched::Started { pid } => Self(i32::try_from(pid).expect("a pid")),
            other => panic!("{other:?}"),
        }
    }

    /// Kills it as a crash would, and waits until it is gone.
    async fn crash(self) {
        kill(self.0, Signal::KILL);
        eventually("the agent is gone", async || has_ended(self.0).then_some(())).await;
    }
}

impl Drop for AgentProcess {
    fn drop(&mut self) {
        kill(self.0, Signal::KILL);
    }
}

/// A zombie has ended; this process is its parent and never asks.
fn has_ended(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with('Z'))
}

/// The records of the started processes: file and content.
fn records(host: &Host) -> Vec<(PathBuf, Value)> {
    let folders = fs::read_dir(host.target_folder().join("instances")).expect("instances");
    let record = |folder: PathBuf| {
        let path = folder.join("instance.json");
        let text = fs::read(&path).ok()?;
        Some((path, serde_json::from_slice(&text).expect("JSON")))
    };
    folders.filter_map(|folder| record(folder.expect("an entry").path())).collect()
}

fn only_record(host: &Host) -> (PathBuf, Value) {
    let mut records = records(host);
    assert_eq!(records.len(), 1, "{records:?}");
    records.remove(0)
}

async fn live_host() -> (Host, AgentProcess) {
    let host = Host::without_agent().await;
    let agent = AgentProcess::start(&host).await;
    host.go_live("blue", "v1").await;
    (host, agent)
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_survive_the_agent_and_are_found_again_on_the_same_port() {
    let (host, agent) = live_host().await;
    let address = host.address().await;
    let (_, pid) = http::get(address, "/pid").await;
    agent.crash().await;
    assert_eq!(host.processes().len(), 1);
    let _agent = AgentProcess::start(&host).await;
    let again = host.address().await;
    // Only a program that was faster than the new agent may keep it from the old port.
    assert!(again == address || TcpListener::bind(address).is_err(), "{address} became {again}");
    assert_eq!(http::get(again, "/pid").await, (StatusCode::OK, pid));
    assert_eq!(host.processes().len(), 1);
    kill(host.processes()[0], Signal::KILL);
    let crashed = |workload: &hotfix_core::model::Workload| {
        workload.slot(&slot("blue")).is_some_and(|blue| blue.ready == 0)
    };
    host.until("the end of an adopted instance is seen", crashed).await;
    host.ready("blue").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_was_never_recorded_is_found_by_its_token() {
    let (host, agent) = live_host().await;
    agent.crash().await;
    let (path, mut record) = only_record(&host);
    let process = record["process"].take();
    fs::write(&path, record.to_string()).expect("as if killed between start and record");
    let _agent = AgentProcess::start(&host).await;
    host.ready("blue").await;
    assert_eq!(host.processes().len(), 1, "not started a second time");
    let pid = process["pid"].as_i64().expect("a pid").to_string();
    assert_eq!(http::get(host.address().await, "/pid").await, (StatusCode::OK, pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_wanted_any_more_is_stopped_by_the_next_agent() {
    let (host, agent) = live_host().await;
    let snapshot = host.deployer.snapshot(&host.target).await.expect("live");
    host.stage("green", &host.release("v2", &[])).await;
    host.ready("green").await;
    agent.crash().await;
    let reply = host.apply(&Verb::Restore { snapshot }).await;
    assert!(matches!(reply, hotfix_core::port::Reply::Ambiguous(_)), "{reply:?}");
    assert_eq!(host.processes().len(), 2);
    let _agent = AgentProcess::start(&host).await;
    eventually("green is stopped", async || (host.processes().len() == 1).then_some(())).await;
    assert_eq!(http::get(host.address().await, "/").await, (StatusCode::OK, "v1".to_owned()));
}

/// A process that has nothing to do with any release, killed with the test.
struct Bystander(Child);

impl Bystander {
    #[expect(clippy::disallowed_methods, reason = "stands for whatever else runs on a host")]
    fn start() -> Self {
        let child = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn();
        Self(child.expect("sleep"))
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to do.
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pid_that_is_used_again_is_neither_adopted_nor_killed() {
    let (host, agent) = live_host().await;
    agent.crash().await;
    let own = host.processes();
    own.iter().for_each(|pid| kill(*pid, Signal::KILL));
    eventually("the instance is gone", async || own.iter().all(|pid| has_ended(*pid)).then_some(())).await;
    let mut bystander = Bystander::start();
    let (path, mut record) = only_record(&host);
    record["process"]["pid"] = bystander.0.id().into();
    fs::write(&path, record.to_string()).expect("as if the pid had been used again");
    let _agent = AgentProcess::start(&host).await;
    host.ready("blue").await;
    assert_eq!(http::get(host.address().await, "/").await, (StatusCode::OK, "v1".to_owned()));
    host.applied(&Verb::Stage {
        slot: slot("blue"),
        release: host.release("v1", &[]),
        replicas: 2.try_into().expect("not zero"),
    })
    .await;
    host.ready("blue").await;
    assert!(bystander.0.try_wait().expect("a child").is_none(), "the bystander lives");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_does_not_come_up_is_reported() {
    let host = Host::without_agent().await;
    let error = launch_agent(Path::new("true"), &[""; 0], &host.state(), Duration::from_millis(300)).await;
    let error = error.expect_err("no agent").to_string();
    assert!(error.starts_with("no agent serves"), "{error}");
}
