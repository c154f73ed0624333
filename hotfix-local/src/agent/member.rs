//! One replica of a release: started, probed, started again when it exits, drained and stopped when asked.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hotfix_core::model::{Fault, Release, SlotName};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::health::probe;
use super::instances::{self, Tokens};
use super::restarts::Restarts;
use crate::manifest::Manifest;
use crate::process::{self, Instance, Running, SpawnRequest};
use crate::proxy::Upstream;

/// Which replica of which unit; a unit's number is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MemberId {
    pub(crate) unit: u64,
    pub(crate) index: u16,
}

/// What a member tells the target it belongs to.
#[derive(Debug)]
pub(crate) struct Update {
    pub(crate) member: MemberId,
    pub(crate) news: News,
}

#[derive(Debug)]
pub(crate) enum News {
    /// A process runs, not ready yet.
    Started {
        upstream: Arc<Upstream>,
        pid: i32,
        restarts: u32,
    },
    Ready,
    /// Not ready any more, or not at all, and why.
    Faulty(Fault),
    /// Nothing is left of it.
    Gone,
}

/// One replica.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) id: MemberId,
    pub(crate) slot: SlotName,
    pub(crate) release: Release,
    pub(crate) release_folder: PathBuf,
    pub(crate) instances: PathBuf,
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) updates: UnboundedSender<Update>,
    pub(crate) stop: CancellationToken,
}

/// A process of this member and how it is reached.
struct Started {
    running: Running,
    upstream: Arc<Upstream>,
    folder: PathBuf,
}

/// How the life of one process ended.
enum End {
    Asked,
    /// After it was ready, or before that for reasons of its own.
    Exited {
        status: String,
        was_ready: bool,
    },
    NotStarted(String),
}

/// How long a killed process may take to disappear; longer means it hangs in the kernel.
const KILL_LIMIT: Duration = Duration::from_secs(5);

impl Member {
    /// Lives until it is asked to stop. Dropping the future leaves the process running, to be adopted later.
    pub(crate) async fn run(self, adopted: Option<Instance>) {
        let mut restarts = Restarts::new(self.manifest.restart.clone());
        let mut adopted = adopted.and_then(|instance| self.adopt(&instance));
        loop {
            let (token, end) = match adopted.take().map_or_else(|| self.start(), Ok) {
                Ok(mut started) => {
                    let end = self.live(&mut started, restarts.total).await;
                    if matches!(end, End::Asked) {
                        self.shut_down(started).await;
                        break;
                    }
                    (started.upstream.token.clone(), self.after_exit(&started, end))
                }
                Err((token, reason)) => (token, End::NotStarted(reason)),
            };
            if !self.pause(&token, end, &mut restarts).await {
                break;
            }
        }
        self.tell(News::Gone);
    }

    /// Reports how a process ended and waits before the next start; `false` when asked to stop meanwhile.
    async fn pause(&self, token: &str, end: End, restarts: &mut Restarts) -> bool {
        let next = restarts.record(Instant::now());
        let instance = token.to_owned();
        self.tell(News::Faulty(match end {
            End::Asked => return false,
            End::Exited { status, .. } => Fault::Exited { instance, status },
            End::NotStarted(reason) => Fault::CannotStart { instance, reason },
        }));
        if next.crash_loop {
            self.tell(News::Faulty(Fault::CrashLoop {
                instance: token.to_owned(),
                restarts: restarts.total,
            }));
        }
        self.stop.run_until_cancelled(sleep(next.pause)).await.is_some()
    }

    /// Follows one process until it ends or is to end.
    async fn live(&self, started: &mut Started, restarts: u32) -> End {
        let upstream = &started.upstream;
        let pid = started.running.identity.pid;
        self.tell(News::Started { upstream: Arc::clone(upstream), pid, restarts });
        let health = &self.manifest.health;
        let deadline = Instant::now() + health.ready_within.to_duration();
        let mut watch = Watch { ready: false, was_ready: false, failures: 0, given_up: false };
        let mut delay = Duration::ZERO;
        loop {
            let next_probe = async {
                sleep(delay).await;
                probe(upstream.address, &health.path, health.timeout.to_duration()).await
            };
            let seen = tokio::select! {
                biased;
                () = self.stop.cancelled() => return End::Asked,
                status = started.running.ended() => return End::Exited { status, was_ready: watch.was_ready },
                () = sleep_until(deadline), if !watch.was_ready && !watch.given_up => {
                    watch.given_up = true;
                    let instance = upstream.token.clone();
                    self.tell(News::Faulty(Fault::NeverReady { instance, after: health.ready_within }));
                    continue;
                }
                seen = next_probe => seen,
            };
            delay = self.judge(&mut watch, upstream, pid, seen);
        }
    }

    /// Takes in the result of a probe and returns the pause before the next one.
    fn judge(&self, watch: &mut Watch, upstream: &Upstream, pid: i32, seen: Result<(), String>) -> Duration {
        let health = &self.manifest.health;
        let seen = seen.and_then(|()| if watch.was_ready { Ok(()) } else { holds_its_port(upstream, pid) });
        let Err(reason) = seen else {
            watch.failures = 0;
            if !watch.ready {
                (watch.ready, watch.was_ready) = (true, true);
                self.tell(News::Ready);
            }
            return health.interval.to_duration();
        };
        watch.failures += 1;
        if watch.ready && watch.failures >= health.failures {
            watch.ready = false;
            self.tell(News::Faulty(Fault::ReadinessLost { instance: upstream.token.clone(), reason }));
        }
        // A first failure is checked at once: readiness must be seen lost within a second.
        if watch.ready { Duration::ZERO } else { health.interval.to_duration().min(START_INTERVAL) }
    }

    /// Records the intent to start under a fresh token, then starts, then records the process.
    fn start(&self) -> Result<Started, (String, String)> {
        let token = self.tokens.fresh(&self.slot);
        self.start_as(&token).map_err(|reason| (token, reason))
    }

    fn start_as(&self, token: &str) -> Result<Started, String> {
        let port = process::free_port().map_err(|error| format!("no free port: {error}"))?;
        let mut instance = Instance {
            token: token.to_owned(),
            slot: self.slot.clone(),
            release: self.release.clone(),
            index: self.id.index,
            port,
            process: None,
        };
        let folder = instance.folder(&self.instances);
        fs::create_dir(&folder).map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
        instance.write(&folder).map_err(|error| error.to_string())?;
        let request = SpawnRequest {
            manifest: &self.manifest,
            release_folder: &self.release_folder,
            instance_folder: &folder,
            token,
            port,
        };
        let running = process::spawn(&request)
            .map_err(|error| format!("cannot start {}: {error}", self.manifest.argv.join(" ")))?;
        instance.process = Some(running.identity.clone());
        if let Err(error) = instance.write(&folder) {
            // A later agent still finds the process by the token in its environment.
            tracing::warn!(%error, token, "cannot record a started process");
        }
        Ok(Started { running, upstream: upstream_of(&instance), folder })
    }

    fn adopt(&self, instance: &Instance) -> Option<Started> {
        let running = process::adopt(instance.process.as_ref()?)?;
        Some(Started { running, upstream: upstream_of(instance), folder: instance.folder(&self.instances) })
    }

    /// Lets the last requests end, then asks the process to end, then makes it.
    async fn shut_down(&self, started: Started) {
        let Started { mut running, upstream, folder } = started;
        let grace = self.manifest.grace.to_duration();
        if timeout(grace, upstream.drain()).await.is_err() {
            tracing::warn!(
                token = upstream.token,
                in_flight = upstream.in_flight(),
                "stopped with requests in flight"
            );
        }
        instances::stop(&mut running, grace, KILL_LIMIT).await;
        instances::kill_all(&upstream.token);
        // The logs of an instance that was stopped as wanted tell nothing.
        let _ = fs::remove_dir_all(folder);
    }

    /// Clears up after a process that exited by itself, and tells whether it ended because its port was taken.
    fn after_exit(&self, started: &Started, end: End) -> End {
        instances::kill_all(&started.upstream.token);
        instances::prune(&self.instances, &self.slot);
        match end {
            End::Exited { was_ready: false, .. } if is_taken(started.upstream.address) => End::NotStarted(
                format!("port in use: {} was taken by another program", started.upstream.address),
            ),
            other => other,
        }
    }

    fn tell(&self, news: News) {
        // Nobody listens when the agent is going down.
        let _ = self.updates.send(Update { member: self.id, news });
    }
}

/// What the probes of one process have shown so far.
struct Watch {
    ready: bool,
    was_ready: bool,
    /// In a row.
    failures: u32,
    given_up: bool,
}

/// While a process starts it is probed at least this often: a fix that is ready should take traffic.
const START_INTERVAL: Duration = Duration::from_millis(50);

/// An answer only counts when it comes from the process itself and not from whoever took its port first.
fn holds_its_port(upstream: &Upstream, pid: i32) -> Result<(), String> {
    let port = upstream.address.port();
    match process::listens(pid, port) {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!("port {port} is answered by another program")),
        Err(error) => Err(format!("cannot tell who listens on port {port}: {error}")),
    }
}

fn is_taken(address: SocketAddr) -> bool {
    TcpListener::bind(address).is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
}

fn upstream_of(instance: &Instance) -> Arc<Upstream> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, instance.port));
    Arc::new(Upstream::new(instance.token.clone(), address))
}
