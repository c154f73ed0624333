//! A host for a test: a repository of releases, a state directory, an agent, a deployer; gone with the test.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use git2::{ObjectType, Repository};
use hotfix_core::model::{
    Artifact, IdempotencyKey, ObjectId, Precondition, Release, SlotName, Stamp, TagName, Target, Timestamp,
    Verb, Version, Weights, Workload,
};
use hotfix_core::port::{Call, Clock, Deployer, Reply};
use hotfix_local::{
    Agent, AgentConfig, GitTreeSource, LocalConfig, LocalDeployer, LocalMetrics, TargetOptions,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::demo;

/// Everything on this machine is fast; a test that waits this long has failed.
pub(crate) const LONG: Duration = Duration::from_secs(20);

const POLL: Duration = Duration::from_millis(10);

pub(crate) struct Host {
    folder: tempfile::TempDir,
    pub(crate) deployer: LocalDeployer,
    pub(crate) metrics: LocalMetrics,
    pub(crate) target: Target,
    stamps: AtomicU32,
}

#[derive(Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the agent runs on real time")]
    fn now(&self) -> Timestamp {
        chrono::Utc::now()
    }
}

impl Host {
    /// A host without an agent.
    pub(crate) async fn without_agent() -> Self {
        Self::with_options(TargetOptions::default()).await
    }

    pub(crate) async fn with_options(options: TargetOptions) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Repository::init_bare(folder.path().join("origin.git")).expect("a repository");
        let target = "production/shop".parse().expect("a target");
        let host = Self {
            deployer: deployer_at(folder.path()),
            metrics: LocalMetrics::new(config(folder.path()), Arc::new(SystemClock)),
            folder,
            target,
            stamps: AtomicU32::new(1),
        };
        host.deployer.add_target(&host.target, options).await.expect("added");
        host
    }

    /// A host with an agent in this process, where `version` is live.
    pub(crate) async fn serving(version: &str) -> (Self, Agent) {
        let host = Self::without_agent().await;
        let agent = host.start_agent().await;
        host.go_live("blue", version).await;
        (host, agent)
    }

    pub(crate) async fn start_agent(&self) -> Agent {
        Agent::start(AgentConfig::new(self.state())).await.expect("an agent")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The target's folder in the state directory.
    pub(crate) fn target_folder(&self) -> PathBuf {
        self.state().join("targets/production/shop")
    }

    pub(crate) async fn address(&self) -> SocketAddr {
        self.deployer.address(&self.target, LONG).await.expect("a port")
    }

    /// Makes a release of the demo service; `behaviour` are lines of its settings.
    pub(crate) fn release(&self, name: &str, behaviour: &[&str]) -> Release {
        let settings = [&[&*format!("name={name}")], behaviour].concat().join("\n");
        self.release_with(name, &settings, &self.manifest(""))
    }

    /// The demo service's manifest with more lines at its end.
    pub(crate) fn manifest(&self, more: &str) -> String {
        let program = std::env::current_exe().expect("this binary");
        let folder = self.folder.path().display();
        format!(
            "argv = [{program:?}, {:?}, \"--exact\", \"--nocapture\"]\n[env]\n{} = \"{folder}\"\n\
             [health]\npath = \"/health\"\nready_within = \"2s\"\n[stop]\ngrace = \"5s\"\n{more}",
            demo::SERVE,
            demo::FOLDER,
        )
    }

    pub(crate) fn release_with(&self, name: &str, behaviour: &str, manifest: &str) -> Release {
        let repository = Repository::open(self.folder.path().join("origin.git")).expect("the repository");
        let blob = |text: &str| repository.blob(text.as_bytes()).expect("a blob");
        let mut raw = Vec::new();
        for (file, id) in [("behaviour", blob(behaviour)), ("hotfix-release.toml", blob(manifest))] {
            raw.extend_from_slice(format!("100644 {file}\0").as_bytes());
            raw.extend_from_slice(id.as_bytes());
        }
        let tree = repository.odb().expect("objects").write(ObjectType::Tree, &raw).expect("a tree");
        Release {
            version: Version::new(1, 0, 0),
            tag: TagName::new(name).expect("a tag"),
            artifact: Artifact::Tree(ObjectId::new(tree.to_string()).expect("an id")),
        }
    }

    /// A call with the next stamp and a key of its own.
    pub(crate) fn call(&self) -> Call {
        let seq = self.stamps.fetch_add(1, Ordering::SeqCst);
        call(&format!("key-{seq}"), Stamp::new(1, seq))
    }

    pub(crate) async fn apply(&self, verb: &Verb) -> Reply {
        self.deployer.apply(&self.call(), &self.target, verb, &Precondition::default()).await
    }

    pub(crate) async fn applied(&self, verb: &Verb) {
        let reply = self.apply(verb).await;
        assert!(matches!(reply, Reply::Applied(_)), "{verb}: {reply:?}");
    }

    pub(crate) async fn stage(&self, slot_name: &str, release: &Release) {
        self.applied(&stage(slot_name, release)).await;
    }

    /// Waits until all instances of the slot are ready.
    pub(crate) async fn ready(&self, slot_name: &str) {
        self.until(&format!("{slot_name} ready"), |workload| {
            workload.slot(&slot(slot_name)).is_some_and(|state| state.ready == state.replicas.get())
        })
        .await;
    }

    /// Polls the workload until it is as wanted.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&Workload) -> bool + Send) -> Workload {
        // Not `eventually`: the future of an async closure that borrows is not known to be `Send`.
        let deadline = tokio::time::Instant::now() + LONG;
        loop {
            let workload = self.deployer.observe(&self.target).await.expect("readable");
            if wanted(&workload) {
                return workload;
            }
            assert!(tokio::time::Instant::now() < deadline, "never happened: {what}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Stages, waits for readiness, sends all traffic there and promotes.
    pub(crate) async fn go_live(&self, slot_name: &str, name: &str) -> Release {
        let release = self.release(name, &[]);
        self.stage(slot_name, &release).await;
        self.ready(slot_name).await;
        self.applied(&Verb::Shift { weights: Weights::all(slot(slot_name)) }).await;
        self.applied(&Verb::Promote { slot: slot(slot_name) }).await;
        release
    }

    /// Where the processes of a slot listen themselves.
    pub(crate) fn instances(&self, slot: &SlotName) -> Vec<SocketAddr> {
        let folders = std::fs::read_dir(self.target_folder().join("instances")).expect("instances");
        let record = |folder: std::io::Result<std::fs::DirEntry>| -> Option<Value> {
            serde_json::from_slice(&std::fs::read(folder.ok()?.path().join("instance.json")).ok()?).ok()
        };
        let of_slot = folders.filter_map(record).filter(|record| record["slot"] == slot.as_str());
        let port = |record: Value| u16::try_from(record["port"].as_u64()?).ok();
        of_slot.filter_map(port).map(|port| ([127, 0, 0, 1], port).into()).collect()
    }

    /// The processes of the demo service that run now, each once.
    pub(crate) fn processes(&self) -> Vec<i32> {
        processes_with(demo::FOLDER, &self.folder.path().display().to_string())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Without the releases an agent that still runs can start nothing any more.
        let _ = std::fs::remove_dir_all(self.state());
        loop {
            let left = self.processes();
            if left.is_empty() {
                break;
            }
            left.into_iter().for_each(|pid| kill(pid, Signal::KILL));
        }
    }
}

/// Polls until `look` finds something; the deadline only ends a test that has failed.
pub(crate) async fn eventually<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + LONG;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(POLL).await;
    }
}

pub(crate) fn deployer_at(folder: &Path) -> LocalDeployer {
    let source = Arc::new(GitTreeSource::new(folder.join("origin.git")));
    LocalDeployer::new(config(folder), source, Arc::new(SystemClock))
}

fn config(folder: &Path) -> LocalConfig {
    LocalConfig { state: folder.join("state") }
}

pub(crate) fn call(key: &str, stamp: Stamp) -> Call {
    let deadline = SystemClock.now() + chrono::TimeDelta::seconds(15);
    Call { key: IdempotencyKey::new(key).expect("a key"), stamp, deadline }
}

pub(crate) fn slot(name: &str) -> SlotName {
    SlotName::new(name).expect("a slot")
}

pub(crate) fn stage(slot_name: &str, release: &Release) -> Verb {
    Verb::Stage { slot: slot(slot_name), release: release.clone(), replicas: NonZeroU16::MIN }
}

/// Sends `green` percent to green and the rest to blue.
pub(crate) fn shift(green: u8) -> Verb {
    Verb::Shift { weights: Weights::split(slot("blue"), slot("green"), green).expect("a split") }
}

pub(crate) fn kill(pid: i32, signal: Signal) {
    // It may have ended by itself.
    let _ = kill_process(Pid::from_raw(pid).expect("a pid"), signal);
}

/// Every live process whose environment says so.
pub(crate) fn processes_with(variable: &str, value: &str) -> Vec<i32> {
    let wanted = format!("{variable}={value}");
    let carries = |pid: &i32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())
    };
    pids().into_iter().filter(carries).collect()
}

fn pids() -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").expect("/proc");
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}
