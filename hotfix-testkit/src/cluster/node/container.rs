//! The life of one container: pulled, started, asked, started again, and stopped.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::super::behaviour::End;
use super::super::clock;
use super::super::image::Image;
use super::super::network::{PodAddress, ports};
use super::super::pod::{Assignment, Identity};
use super::agent::Agent;
use super::back_off::BackOff;
use super::probe::ReadinessProbe;
use super::record::{Board, Terminated};
use super::variables;
use crate::program::command;

/// How long a reason to wait is shown before the next look.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// What the containers of a pod share.
#[derive(Debug)]
pub(super) struct Home {
    pub(super) agent: Arc<Agent>,
    pub(super) namespace: String,
    pub(super) pod: String,
    pub(super) slot: String,
    pub(super) restart_policy: String,
    pub(super) address: PodAddress,
    pub(super) board: Board,
}

/// One container, before its life.
#[derive(Debug)]
pub(super) struct Unborn {
    pub(super) home: Arc<Home>,
    pub(super) index: usize,
    pub(super) spec: core::Container,
    /// Says that it shall end, and within what time.
    pub(super) stop: watch::Receiver<Option<Duration>>,
}

/// What a start needs.
#[derive(Debug)]
struct Prepared {
    image: Image,
    variables: BTreeMap<String, String>,
    probe: Option<ReadinessProbe>,
}

impl Unborn {
    /// Lives until it is stopped, or ended in a way that is not followed by another start.
    pub(super) async fn live(mut self) {
        let options = self.home.agent.options();
        let mut back_off = BackOff::new(options.back_off, options.longest_back_off);
        loop {
            let ControlFlow::Continue(prepared) = self.prepare().await else { return };
            let began = Instant::now();
            match self.run(&prepared).await {
                Ok(ControlFlow::Break(())) => return,
                Ok(ControlFlow::Continue(status)) if !self.starts_again(status) => return,
                Ok(ControlFlow::Continue(_)) => {}
                Err(error) => self.wait("CreateContainerError", error.to_string()),
            }
            if let Some(wait) = back_off.after(began.elapsed()) {
                let Home { pod, namespace, .. } = &*self.home;
                let name = &self.spec.name;
                let message =
                    format!("back-off {wait:?} restarting failed container={name} pod={pod}_{namespace}",);
                self.wait("CrashLoopBackOff", message);
                if self.pause(wait).await.is_break() {
                    return;
                }
            }
            self.home.board.change(self.index, |record| record.restarts += 1);
        }
    }

    fn starts_again(&self, status: ExitStatus) -> bool {
        match self.home.restart_policy.as_str() {
            "Never" => false,
            "OnFailure" => !status.success(),
            _ => true,
        }
    }

    /// Waits until there is everything that a start needs.
    async fn prepare(&mut self) -> ControlFlow<(), Prepared> {
        let agent = Arc::clone(&self.home.agent);
        let options = agent.options();
        let mut back_off = BackOff::new(options.back_off, options.longest_back_off);
        loop {
            let probe = ReadinessProbe::of(&self.spec, options.longest_probe_period);
            let variables = variables::read(agent.client(), &self.home.namespace, &self.spec).await;
            let (variables, probe) = match (variables, probe) {
                (Ok(variables), Ok(probe)) => (variables, probe),
                (Err(message), _) | (_, Err(message)) => {
                    self.wait("CreateContainerConfigError", message);
                    self.pause(LOOK_AGAIN).await?;
                    continue;
                }
            };
            let wanted = self.spec.image.clone().unwrap_or_default();
            match agent.registry().pull(&wanted) {
                Ok(image) => return ControlFlow::Continue(Prepared { image, variables, probe }),
                Err(refused) => {
                    let message = format!("Back-off pulling image \"{wanted}\": ErrImagePull: {refused}");
                    self.wait("ErrImagePull", refused);
                    self.pause(LOOK_AGAIN).await?;
                    self.wait("ImagePullBackOff", message);
                    self.pause(back_off.wait()).await?;
                }
            }
        }
    }

    /// Runs it once; breaks if it was stopped.
    async fn run(&mut self, prepared: &Prepared) -> std::io::Result<ControlFlow<(), ExitStatus>> {
        let program = self.home.agent.program()?.to_owned();
        let mut child = self.spawn(&program, prepared)?;
        // The end of its input means the end of its node; waiting for it as such would close it.
        let lifeline = child.stdin.take();
        let started = clock::now();
        let id = format!("process://{}", child.id().unwrap_or_default());
        self.home.board.change(self.index, |record| {
            prepared.image.reference.as_str().clone_into(&mut record.image_id);
            record.run(id.clone(), started.clone());
            record.ready = prepared.probe.is_none();
        });
        // Dropping the set ends the questions.
        let mut questions = JoinSet::new();
        if let Some(probe) = prepared.probe.clone() {
            let (home, index) = (Arc::clone(&self.home), self.index);
            questions.spawn(async move {
                let say = |ready| home.board.change(index, |record| record.ready = ready);
                probe.ask(&home.address, say).await;
            });
        }
        let (status, was_stopped) = tokio::select! {
            status = child.wait() => (status?, false),
            grace = stopped(&mut self.stop) => (self.end(&mut child, grace).await?, true),
        };
        drop((questions, lifeline));
        let ended = terminated(status, prepared, started, id);
        self.home.board.change(self.index, |record| record.end(ended));
        Ok(if was_stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(status) })
    }

    fn spawn(&self, program: &Path, prepared: &Prepared) -> std::io::Result<Child> {
        let Home { namespace, pod, slot, address, .. } = &*self.home;
        let assignment = Assignment {
            listen: ports(&self.spec).map(|port| address.at(port)).collect(),
            identity: Identity {
                namespace: namespace.clone(),
                pod: pod.clone(),
                slot: slot.clone(),
                version: prepared.image.version.clone(),
                image: self.spec.image.clone().unwrap_or_default(),
            },
            behaviour: prepared.image.behaviour.clone(),
        };
        Command::from(command(program))
            .arg(serde_json::to_string(&assignment)?)
            .env_clear()
            .envs(&prepared.variables)
            // The process ends when this does, so it never outlives its node.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
    }

    /// Tells it to stop, and ends it when the time is over.
    async fn end(&self, child: &mut Child, grace: Duration) -> std::io::Result<ExitStatus> {
        let ended = timeout(grace, async {
            sleep(self.pre_stop()).await;
            let pid = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
            if let Some(pid) = pid {
                // Not waited for yet, so the number is still its own.
                let _gone = kill_process(pid, Signal::TERM);
            }
            child.wait().await
        });
        if let Ok(status) = ended.await {
            return status;
        }
        child.start_kill()?;
        child.wait().await
    }

    fn pre_stop(&self) -> Duration {
        let hook =
            self.spec.lifecycle.as_ref().and_then(|lifecycle| lifecycle.pre_stop.as_ref()?.sleep.as_ref());
        Duration::from_secs(hook.and_then(|hook| u64::try_from(hook.seconds).ok()).unwrap_or_default())
    }

    fn wait(&self, reason: &'static str, message: String) {
        self.home.board.change(self.index, |record| record.wait(reason, message));
    }

    /// Lets time pass; breaks if it was stopped meanwhile.
    async fn pause(&mut self, time: Duration) -> ControlFlow<()> {
        match timeout(time, stopped(&mut self.stop)).await {
            Ok(_grace) => ControlFlow::Break(()),
            Err(_elapsed) => ControlFlow::Continue(()),
        }
    }
}

/// Waits until the pod is to end; for ever if nobody is left to say so.
async fn stopped(stop: &mut watch::Receiver<Option<Duration>>) -> Duration {
    match stop.wait_for(Option::is_some).await.map(|grace| *grace) {
        Ok(Some(grace)) => grace,
        _ => std::future::pending().await,
    }
}

fn terminated(status: ExitStatus, prepared: &Prepared, started: Time, container_id: String) -> Terminated {
    let by_signal = status.signal().map(|signal| 128 + signal);
    let exit_code = status.code().or(by_signal).unwrap_or_default();
    let is_out_of_memory = matches!(prepared.image.behaviour.end, End::OutOfMemory(_));
    let reason = match exit_code {
        0 => "Completed",
        137 if is_out_of_memory => "OOMKilled",
        _ => "Error",
    };
    Terminated { reason, exit_code, started, finished: clock::now(), container_id }
}
