//! The few fields of a pod that matter here, and what they say is wrong with it.

use std::collections::BTreeMap;

use hotfix_core::model::Fault;
use serde_json::Value;

use crate::names;
use crate::replica_set::HASH;

/// What is kept of a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pod {
    pub(crate) name: String,
    pub(crate) uid: String,
    /// Rises with every change of the object; 0 when it is not known.
    pub(crate) version: u64,
    /// The Deployment it belongs to, by the name of its ReplicaSet.
    pub(crate) deployment: Option<String>,
    /// The StatefulSet or DaemonSet it belongs to, `StatefulSet/shop`.
    pub(crate) set: Option<String>,
    /// The label [`names::ARTIFACT`].
    pub(crate) artifact: Option<String>,
    /// The hash of the template it was made from.
    pub(crate) hash: Option<String>,
    pub(crate) is_ready: bool,
    /// It is being deleted or has ended, so it will not take traffic again.
    pub(crate) is_going: bool,
    /// Why the scheduler finds no node for it.
    unschedulable: Option<String>,
    /// Why it was ended as a whole, such as an eviction.
    failed: Option<String>,
    /// What its readiness condition says when it is not ready.
    pub(crate) unready: String,
    containers: Vec<Container>,
    /// What each container is to run, by its name.
    images: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Container {
    name: String,
    image_id: String,
    restarts: u32,
    state: State,
    /// How it ended the last time.
    ended: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum State {
    #[default]
    Running,
    Waiting {
        reason: String,
        message: String,
    },
    Terminated(String),
}

impl Pod {
    /// Reads a pod.
    pub(crate) fn read(pod: &Value) -> Self {
        let (metadata, status) = (&pod["metadata"], &pod["status"]);
        let condition = |kind: &str| {
            let conditions = status["conditions"].as_array()?;
            conditions.iter().find(|condition| condition["type"] == kind)
        };
        let ready = condition("Ready");
        let unschedulable = condition("PodScheduled")
            .filter(|scheduled| scheduled["status"] == "False" && scheduled["reason"] == "Unschedulable");
        let phase = status["phase"].as_str().unwrap_or_default();
        let statuses = ["initContainerStatuses", "containerStatuses"].into_iter();
        let containers = statuses.filter_map(|list| status[list].as_array()).flatten().map(Container::read);
        Self {
            name: text(&metadata["name"]),
            uid: text(&metadata["uid"]),
            version: version(metadata),
            deployment: deployment(metadata),
            set: set(metadata),
            artifact: metadata["labels"][names::ARTIFACT].as_str().map(str::to_owned),
            hash: metadata["labels"][HASH].as_str().map(str::to_owned),
            is_ready: ready.is_some_and(|ready| ready["status"] == "True"),
            is_going: !metadata["deletionTimestamp"].is_null() || matches!(phase, "Failed" | "Succeeded"),
            unschedulable: unschedulable.map(|scheduled| text(&scheduled["message"])),
            failed: (phase == "Failed").then(|| sentence(&status["reason"], &status["message"])),
            unready: ready.map_or_else(String::new, |ready| sentence(&ready["reason"], &ready["message"])),
            containers: containers.collect(),
            images: images(&pod["spec"]["containers"]),
        }
    }

    /// Returns the digest of the image that a container runs, `sha256:…`.
    pub(crate) fn digest(&self, container: &str) -> Option<&str> {
        let status = self.containers.iter().find(|status| status.name == container)?;
        let start = status.image_id.rfind("sha256:")?;
        Some(&status.image_id[start..])
    }

    /// Returns the image that a container is to run.
    pub(crate) fn image(&self, container: &str) -> Option<&str> {
        self.images.get(container).map(String::as_str)
    }

    /// Returns what is wrong with the pod now.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.is_going {
            return faults;
        }
        if let Some(message) = &self.unschedulable {
            let reason = format!("no node takes it: {message}");
            faults.push(Fault::CannotStart { instance: self.name.clone(), reason });
        }
        faults.extend(self.containers.iter().filter_map(|container| container.fault(&self.name)));
        faults
    }

    /// Returns what happened to the pod since `before`, apart from what is wrong with it now.
    pub(crate) fn happened(&self, before: &Self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Some(status) = self.failed.clone().filter(|_| before.failed.is_none()) {
            faults.push(Fault::Exited { instance: self.name.clone(), status });
        }
        for container in &self.containers {
            let old = before.containers.iter().find(|old| old.name == container.name);
            if old.is_some_and(|old| container.restarts > old.restarts) && container.state == State::Running {
                let status = container.ended.clone().unwrap_or_else(|| "restarted".to_owned());
                faults.push(Fault::Exited { instance: self.name.clone(), status });
            }
        }
        if before.is_ready && !self.is_ready && !self.is_going {
            faults.push(Fault::ReadinessLost { instance: self.name.clone(), reason: self.unready.clone() });
        }
        faults
    }
}

impl Container {
    fn read(status: &Value) -> Self {
        let (state, last) = (&status["state"], &status["lastState"]["terminated"]);
        let terminated = &state["terminated"];
        let ended = [terminated, last].into_iter().find(|end| end.is_object()).map(end);
        let state = if state["waiting"].is_object() {
            let (reason, message) = (text(&state["waiting"]["reason"]), text(&state["waiting"]["message"]));
            State::Waiting { reason, message }
        } else if terminated.is_object() && terminated["exitCode"] != 0 {
            State::Terminated(end(terminated))
        } else {
            State::Running
        };
        let restarts = status["restartCount"].as_u64().unwrap_or(0).try_into().unwrap_or(u32::MAX);
        Self { name: text(&status["name"]), image_id: text(&status["imageID"]), restarts, state, ended }
    }

    fn fault(&self, pod: &str) -> Option<Fault> {
        let instance = pod.to_owned();
        match &self.state {
            State::Running => None,
            State::Terminated(status) => Some(Fault::Exited { instance, status: status.clone() }),
            State::Waiting { reason, message } => {
                let said = join(reason, message);
                match reason.as_str() {
                    "CrashLoopBackOff" => Some(Fault::CrashLoop { instance, restarts: self.restarts }),
                    "ImagePullBackOff"
                    | "ErrImagePull"
                    | "ErrImageNeverPull"
                    | "InvalidImageName"
                    | "ImageInspectError"
                    | "RegistryUnavailable"
                    | "SignatureValidationFailed" => Some(Fault::ImagePull { instance, reason: said }),
                    "CreateContainerConfigError"
                    | "CreateContainerError"
                    | "RunContainerError"
                    | "PreCreateHookError"
                    | "PreStartHookError"
                    | "PostStartHookError" => Some(Fault::CannotStart { instance, reason: said }),
                    _ => None,
                }
            }
        }
    }
}

/// How a container ended: `OOMKilled (exit status 137)`.
fn end(terminated: &Value) -> String {
    let reason = terminated["reason"].as_str().unwrap_or("Error");
    match (terminated["signal"].as_u64(), terminated["exitCode"].as_i64()) {
        (Some(signal), _) if signal > 0 => format!("{reason} (killed by signal {signal})"),
        (_, Some(code)) => format!("{reason} (exit status {code})"),
        _ => reason.to_owned(),
    }
}

/// The name of the ReplicaSet that owns the pod, without its hash.
fn deployment(metadata: &Value) -> Option<String> {
    let hash = metadata["labels"][HASH].as_str()?;
    let name = owner(metadata, "ReplicaSet")?.strip_suffix(hash)?.strip_suffix('-')?;
    Some(name.to_owned())
}

/// The StatefulSet or DaemonSet that owns the pod.
fn set(metadata: &Value) -> Option<String> {
    let owner = metadata["ownerReferences"].as_array()?.iter().find(|owner| owner["controller"] == true)?;
    let kind = owner["kind"].as_str().filter(|kind| matches!(*kind, "StatefulSet" | "DaemonSet"))?;
    Some(format!("{kind}/{}", owner["name"].as_str()?))
}

/// The name of the object of that kind that controls this one.
pub(crate) fn owner<'a>(metadata: &'a Value, kind: &str) -> Option<&'a str> {
    let mut owners = metadata["ownerReferences"].as_array()?.iter();
    owners.find(|owner| owner["kind"] == kind && owner["controller"] == true)?["name"].as_str()
}

/// Versions of one kind in one cluster are numbers that rise.
pub(crate) fn version(metadata: &Value) -> u64 {
    metadata["resourceVersion"].as_str().and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn images(containers: &Value) -> BTreeMap<String, String> {
    let containers = containers.as_array().into_iter().flatten();
    containers.map(|container| (text(&container["name"]), text(&container["image"]))).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn sentence(reason: &Value, message: &Value) -> String {
    join(reason.as_str().unwrap_or_default(), message.as_str().unwrap_or_default())
}

fn join(reason: &str, message: &str) -> String {
    match (reason, message) {
        (reason, "") => reason.to_owned(),
        ("", message) => message.to_owned(),
        (reason, message) => format!("{reason}: {message}"),
    }
}

#[cfg(test)]
#[path = "pod_tests.rs"]
mod tests;
