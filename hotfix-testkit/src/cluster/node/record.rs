//! What a node knows of the containers of one pod.

use std::sync::{Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::Container;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tokio::sync::Notify;

/// One container.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    pub(super) name: String,
    /// The image as the pod names it.
    pub(super) image: String,
    /// `name@sha256:…`, once it was pulled.
    pub(super) image_id: String,
    /// Names the process, once there was one.
    pub(super) container_id: String,
    pub(super) state: State,
    pub(super) last: Option<Terminated>,
    pub(super) ready: bool,
    pub(super) restarts: i32,
}

/// What a container is doing.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum State {
    Waiting { reason: &'static str, message: String },
    Running { since: Time },
    Terminated(Terminated),
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Terminated {
    pub(super) reason: &'static str,
    pub(super) exit_code: i32,
    pub(super) started: Time,
    pub(super) finished: Time,
    pub(super) container_id: String,
}

impl Record {
    pub(super) fn new(container: &Container) -> Self {
        Self {
            name: container.name.clone(),
            image: container.image.clone().unwrap_or_default(),
            image_id: String::new(),
            container_id: String::new(),
            state: State::Waiting { reason: "ContainerCreating", message: String::new() },
            last: None,
            ready: false,
            restarts: 0,
        }
    }

    /// Says that it waits. How it ended before stays to be seen.
    pub(super) fn wait(&mut self, reason: &'static str, message: String) {
        let waiting = State::Waiting { reason, message };
        if let State::Terminated(ended) = std::mem::replace(&mut self.state, waiting) {
            self.last = Some(ended);
        }
        self.ready = false;
    }

    /// Says that it runs.
    pub(super) fn run(&mut self, container_id: String, since: Time) {
        if let State::Terminated(ended) = std::mem::replace(&mut self.state, State::Running { since }) {
            self.last = Some(ended);
        }
        self.container_id = container_id;
    }

    /// Says that it ended.
    pub(super) fn end(&mut self, ended: Terminated) {
        self.state = State::Terminated(ended);
        self.ready = false;
    }
}

/// The containers of a pod, written by each for itself and read by the one that tells the API server.
#[derive(Debug)]
pub(super) struct Board {
    records: Mutex<Vec<Record>>,
    changed: Notify,
}

impl Board {
    pub(super) fn new(records: Vec<Record>) -> Self {
        Self { records: Mutex::new(records), changed: Notify::new() }
    }

    pub(super) fn change(&self, index: usize, change: impl FnOnce(&mut Record)) {
        if let Some(record) = self.lock().get_mut(index) {
            change(record);
        }
        self.changed.notify_one();
    }

    pub(super) fn records(&self) -> Vec<Record> {
        self.lock().clone()
    }

    /// Waits for a change since the last time that this returned.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
