//! The agent: the one long-lived process of a state directory, which runs the proxies and looks after the instances.
//!
//! It holds no decisions. Everything it does follows from the state files, so it can be killed and started again at
//! any moment; the instances run on meanwhile.

mod admin;
mod board;
mod health;
mod history;
mod instances;
mod launch;
mod member;
mod prometheus;
mod report;
mod restarts;
mod router_record;
mod routing;
mod series;
mod target;
mod unit;

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hotfix_core::model::Target;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use launch::{Launched, launch_agent};
#[cfg(test)]
pub(crate) use report::NumberedFault;
pub(crate) use report::{Report, SeriesReport, SlotReport, Until};

use crate::error::LocalError;
use crate::layout::Root;
use crate::lock::{Lock, LockError};
use crate::process::Identity;
use crate::proxy::{Limits, Server};
use crate::{durable, ledger};
use board::Board;
use instances::Tokens;
use target::TargetTask;

/// How an agent is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentConfig {
    /// The state directory it serves; made if it is not there.
    pub state: PathBuf,
    /// Where it listens for deployers and for scrapes of `/metrics`; port 0 lets the system choose. It answers
    /// whoever can connect, so anything but a loopback address needs a firewall.
    pub admin: SocketAddr,
}

impl AgentConfig {
    /// An agent for the state directory `state`, with its admin port chosen by the system.
    #[must_use]
    pub fn new(state: impl Into<PathBuf>) -> Self {
        Self { state: state.into(), admin: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) }
    }
}

/// A running agent. There is one per state directory.
///
/// Dropping it without [`Agent::stop`] ends its tasks at once, as a kill would; the instances run on either way.
#[derive(Debug)]
pub struct Agent {
    address: SocketAddr,
    shared: Arc<Shared>,
    admin: Server,
    _lock: Lock,
}

/// How a client finds the agent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AgentRecord {
    pub(crate) address: SocketAddr,
    pub(crate) process: Identity,
}

/// What the admin port and the targets' tasks have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    root: Root,
    tokens: Arc<Tokens>,
    targets: Mutex<BTreeMap<Target, Arc<Board>>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// How long administrative requests may take to end when the agent stops.
const STOP_GRACE: Duration = Duration::from_secs(1);

impl Agent {
    /// Takes over the state directory: opens the ports of its targets and takes the running instances into care.
    ///
    /// # Errors
    /// [`LocalError::AgentRunning`] when the directory has an agent, [`LocalError::PortInUse`] when the admin port is
    /// taken, [`LocalError::Unsupported`] when the host has no usable `/proc`, [`LocalError::Io`].
    pub async fn start(config: AgentConfig) -> Result<Self, LocalError> {
        let root = Root::new(config.state);
        fs::create_dir_all(root.targets()).map_err(LocalError::io("create", &root.targets()))?;
        let lock = take_lock(&root)?;
        let process = own_identity()?;
        let listener = listen(config.admin).await?;
        let shared = Arc::new(Shared {
            tokens: Arc::new(Tokens::new(&process)),
            root,
            targets: Mutex::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        shared.take_up_all()?;
        let admin = admin::serve(listener, Arc::clone(&shared)).map_err(|source| LocalError::Io {
            action: "serve",
            path: shared.root.path().to_owned(),
            source,
        })?;
        let address = admin.address;
        shared.announce(&AgentRecord { address, process })?;
        Ok(Self { address, shared, admin, _lock: lock })
    }

    /// Where deployers and scrapes reach it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting requests, lets those in flight end, and goes. The instances run on and are found again.
    pub async fn stop(self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
        self.admin.stop(STOP_GRACE).await;
        // A client that finds no record says at once that there is no agent.
        let _ = fs::remove_file(self.shared.root.agent_address());
    }
}

impl Shared {
    /// Returns the target's board; a target that was created since the agent began is taken up now.
    pub(crate) fn target(&self, target: &Target) -> Result<Option<Arc<Board>>, LocalError> {
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(board) = targets.get(target) {
            return Ok(Some(Arc::clone(board)));
        }
        let folder = self.root.target(target);
        if ledger::load(&folder)?.is_none() {
            return Ok(None);
        }
        let board = Arc::new(Board::new(target.clone()));
        let task = TargetTask::new(Arc::clone(&board), folder, Arc::clone(&self.tokens))?;
        self.tasks.spawn(task.run(self.stop.clone()));
        targets.insert(target.clone(), Arc::clone(&board));
        Ok(Some(board))
    }

    pub(crate) fn targets(&self) -> Vec<Arc<Board>> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn take_up_all(&self) -> Result<(), LocalError> {
        for target in targets_in(&self.root)? {
            if let Err(error) = self.target(&target) {
                // One unreadable target must not keep the others from being served.
                tracing::error!(%target, %error, "cannot serve a target");
            }
        }
        Ok(())
    }

    fn announce(&self, record: &AgentRecord) -> Result<(), LocalError> {
        let path = self.root.agent_address();
        let text = serde_json::to_vec_pretty(record).map_err(std::io::Error::other);
        let written = text.and_then(|text| durable::replace(&path, &text).map_err(std::io::Error::from));
        written.map_err(LocalError::io("write", &path))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

fn take_lock(root: &Root) -> Result<Lock, LocalError> {
    let path = root.agent_lock();
    Lock::try_take(&path).map_err(|error| match error {
        LockError::Held(_) => LocalError::AgentRunning { root: root.path().to_owned() },
        LockError::Io(source) => LocalError::io("lock", &path)(source),
    })
}

fn own_identity() -> Result<Identity, LocalError> {
    let unknown = || LocalError::Unsupported { reason: "/proc does not show this process".to_owned() };
    let pid = i32::try_from(std::process::id()).map_err(|_| unknown())?;
    Identity::of(pid)?.ok_or_else(unknown)
}

async fn listen(address: SocketAddr) -> Result<TcpListener, LocalError> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => LocalError::PortInUse { address, purpose: "the agent's admin port" },
        _ => LocalError::Unsupported { reason: format!("cannot listen on {address}: {error}") },
    })
}

fn targets_in(root: &Root) -> Result<Vec<Target>, LocalError> {
    let mut targets = Vec::new();
    for environment in names_in(&root.targets())? {
        for service in names_in(&root.targets().join(&environment))? {
            // Folders that are no target's were put there by somebody else.
            targets.extend(format!("{environment}/{service}").parse::<Target>().ok());
        }
    }
    Ok(targets)
}

fn names_in(folder: &std::path::Path) -> Result<Vec<String>, LocalError> {
    let entries = fs::read_dir(folder).map_err(LocalError::io("list", folder))?;
    let folders = entries.filter_map(Result::ok).filter(|entry| entry.path().is_dir());
    Ok(folders.filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

/// The limits of the admin port: few clients, small requests.
fn admin_limits() -> Limits {
    Limits { connections: 256, head_bytes: 16 * 1024, ..Limits::default() }
}
