//! The status of a pod, as a kubelet would write it.

use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use super::record::{Record, State, Terminated};

/// The address of every node.
pub(super) const HOST: &str = "127.0.0.1";

/// The conditions that were written last, for the times of their transitions.
#[derive(Debug, Default)]
pub(super) struct Conditions(Vec<Condition>);

#[derive(Debug, Clone)]
struct Condition {
    kind: &'static str,
    unmet: Option<Unmet>,
    since: Time,
}

/// Why a condition is false.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Unmet {
    reason: &'static str,
    message: String,
}

/// Returns the status to write: everything in it is the node's own, and conditions that others wrote stay.
pub(super) fn status(
    pod: &Pod,
    address: Ipv4Addr,
    started: &Time,
    records: &[Record],
    conditions: &mut Conditions,
    now: &Time,
) -> Value {
    let unready = unready_containers(records);
    let gates = if unready.is_none() { unmet_gates(pod) } else { unready.clone() };
    let generation = pod.metadata.generation;
    conditions.set("PodReadyToStartContainers", None, now);
    conditions.set("Initialized", None, now);
    conditions.set("ContainersReady", unready, now);
    conditions.set("Ready", gates, now);
    json!({
        "phase": phase(pod, records),
        "observedGeneration": generation,
        "conditions": conditions.0.iter().map(|condition| condition.write(generation)).collect::<Vec<_>>(),
        "hostIP": HOST,
        "hostIPs": [{"ip": HOST}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": started,
        "containerStatuses": records.iter().map(container).collect::<Vec<_>>(),
    })
}

/// Returns the phase. A container that waits for its next start counts as running, one that never ran as pending.
fn phase(pod: &Pod, records: &[Record]) -> &'static str {
    let never_ran = |record: &Record| matches!(record.state, State::Waiting { .. }) && record.last.is_none();
    if records.iter().any(never_ran) {
        return "Pending";
    }
    let mut codes = records.iter().map(|record| match &record.state {
        State::Terminated(ended) => Some(ended.exit_code),
        _ => None,
    });
    let policy = pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()).unwrap_or("Always");
    let is_leaving = pod.metadata.deletion_timestamp.is_some();
    match codes.clone().collect::<Option<Vec<_>>>() {
        Some(codes) if is_leaving || policy == "Never" => {
            if codes.iter().all(|code| *code == 0) {
                "Succeeded"
            } else {
                "Failed"
            }
        }
        Some(_) if policy == "OnFailure" && codes.all(|code| code == Some(0)) => "Succeeded",
        _ => "Running",
    }
}

fn unready_containers(records: &[Record]) -> Option<Unmet> {
    let names: Vec<&str> =
        records.iter().filter(|record| !record.ready).map(|record| &*record.name).collect();
    let message = format!("containers with unready status: [{}]", names.join(" "));
    (!names.is_empty()).then_some(Unmet { reason: "ContainersNotReady", message })
}

fn unmet_gates(pod: &Pod) -> Option<Unmet> {
    let gates = pod.spec.iter().flat_map(|spec| spec.readiness_gates.iter().flatten());
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let unmet: Vec<String> = gates
        .filter_map(|gate| {
            let name = &gate.condition_type;
            match conditions.clone().find(|condition| condition.type_ == *name) {
                None => {
                    Some(format!("corresponding condition of pod readiness gate \"{name}\" does not exist."))
                }
                Some(condition) if condition.status != "True" => Some(format!(
                    "the status of pod readiness gate \"{name}\" is not \"True\", but {}",
                    condition.status
                )),
                Some(_) => None,
            }
        })
        .collect();
    (!unmet.is_empty()).then(|| Unmet { reason: "ReadinessGatesNotReady", message: unmet.join(", ") })
}

impl Conditions {
    fn set(&mut self, kind: &'static str, unmet: Option<Unmet>, now: &Time) {
        match self.0.iter_mut().find(|condition| condition.kind == kind) {
            Some(condition) => {
                if condition.unmet.is_some() != unmet.is_some() {
                    condition.since = now.clone();
                }
                condition.unmet = unmet;
            }
            None => self.0.push(Condition { kind, unmet, since: now.clone() }),
        }
    }
}

impl Condition {
    fn write(&self, generation: Option<i64>) -> Value {
        let mut written = json!({
            "type": self.kind,
            "status": if self.unmet.is_none() { "True" } else { "False" },
            "lastProbeTime": null,
            "lastTransitionTime": self.since,
            "observedGeneration": generation,
            // A merge leaves what is not said, so what no longer holds is taken away by name.
            "reason": null,
            "message": null,
        });
        if let Some(unmet) = &self.unmet {
            written["reason"] = unmet.reason.into();
            written["message"] = unmet.message.clone().into();
        }
        written
    }
}

fn container(record: &Record) -> Value {
    let mut written = json!({
        "name": record.name,
        "image": record.image,
        "imageID": record.image_id,
        "ready": record.ready,
        "started": matches!(record.state, State::Running { .. }),
        "restartCount": record.restarts,
        "state": state(&record.state),
        "lastState": record.last.as_ref().map_or_else(|| json!({}), |ended| json!({"terminated": terminated(ended)})),
    });
    if !record.container_id.is_empty() {
        written["containerID"] = record.container_id.clone().into();
    }
    written
}

fn state(state: &State) -> Value {
    match state {
        State::Waiting { reason, message } if message.is_empty() => json!({"waiting": {"reason": reason}}),
        State::Waiting { reason, message } => json!({"waiting": {"reason": reason, "message": message}}),
        State::Running { since } => json!({"running": {"startedAt": since}}),
        State::Terminated(ended) => json!({"terminated": terminated(ended)}),
    }
}

fn terminated(ended: &Terminated) -> Value {
    json!({
        "reason": ended.reason,
        "exitCode": ended.exit_code,
        "startedAt": ended.started,
        "finishedAt": ended.finished,
        "containerID": ended.container_id,
    })
}
