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

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 64, 0, 1);

    fn time(text: &str) -> Time {
        serde_json::from_value(json!(text)).unwrap()
    }

    fn pod(spec: &Value, status: &Value) -> Pod {
        let pod = json!({"metadata": {"generation": 3}, "spec": spec, "status": status});
        serde_json::from_value(pod).unwrap()
    }

    fn shop(state: State, ready: bool) -> Record {
        let container = serde_json::from_value(json!({"name": "shop", "image": "demo/shop:1"})).unwrap();
        Record { state, ready, ..Record::new(&container) }
    }

    fn ended(reason: &'static str, exit_code: i32) -> Terminated {
        Terminated {
            reason,
            exit_code,
            started: time("2026-01-01T00:00:00Z"),
            finished: time("2026-01-01T00:00:01Z"),
            container_id: "process://7".to_owned(),
        }
    }

    #[test]
    fn a_container_that_backs_off_is_shown_with_how_it_ended() {
        let now = time("2026-01-01T00:00:02Z");
        let mut record = shop(State::Terminated(ended("Error", 1)), false);
        record.wait("CrashLoopBackOff", "back-off".to_owned());
        record.restarts = 2;
        let pod = pod(&json!({"containers": []}), &json!({}));
        let status = status(&pod, ADDRESS, &now, &[record], &mut Conditions::default(), &now);
        assert_eq!(status["phase"], "Running");
        assert_eq!(
            status["containerStatuses"],
            json!([{
                "name": "shop",
                "image": "demo/shop:1",
                "imageID": "",
                "ready": false,
                "started": false,
                "restartCount": 2,
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
                "lastState": {"terminated": {
                    "reason": "Error",
                    "exitCode": 1,
                    "startedAt": "2026-01-01T00:00:00Z",
                    "finishedAt": "2026-01-01T00:00:01Z",
                    "containerID": "process://7",
                }},
            }])
        );
        assert_eq!(
            status["conditions"][3],
            json!({
                "type": "Ready",
                "status": "False",
                "lastProbeTime": null,
                "lastTransitionTime": "2026-01-01T00:00:02Z",
                "observedGeneration": 3,
                "reason": "ContainersNotReady",
                "message": "containers with unready status: [shop]",
            })
        );
    }

    #[test]
    fn a_condition_keeps_the_time_of_its_last_change() {
        let (first, second, third) =
            (time("2026-01-01T00:00:00Z"), time("2026-01-01T00:00:01Z"), time("2026-01-01T00:00:02Z"));
        let pod = pod(&json!({"containers": []}), &json!({}));
        let mut conditions = Conditions::default();
        let running = |ready| [shop(State::Running { since: first.clone() }, ready)];
        let mut since = |ready, now: &Time| {
            let status = status(&pod, ADDRESS, &first, &running(ready), &mut conditions, now);
            status["conditions"][3]["lastTransitionTime"].clone()
        };
        assert_eq!(since(false, &first), "2026-01-01T00:00:00Z");
        assert_eq!(since(false, &second), "2026-01-01T00:00:00Z");
        assert_eq!(since(true, &second), "2026-01-01T00:00:01Z");
        assert_eq!(since(true, &third), "2026-01-01T00:00:01Z");
    }

    #[test]
    fn gates_hold_a_pod_back_whose_containers_are_ready() {
        let now = time("2026-01-01T00:00:00Z");
        let gates = json!({"containers": [], "readinessGates": [{"conditionType": "warm"}, {"conditionType": "dry"}]});
        let others = json!({"conditions": [{"type": "warm", "status": "False"}]});
        let records = [shop(State::Running { since: now.clone() }, true)];
        let pod = pod(&gates, &others);
        let status = status(&pod, ADDRESS, &now, &records, &mut Conditions::default(), &now);
        assert_eq!(status["conditions"][2]["status"], "True");
        assert_eq!(
            status["conditions"][3]["message"],
            "the status of pod readiness gate \"warm\" is not \"True\", but False, \
             corresponding condition of pod readiness gate \"dry\" does not exist."
        );
    }

    #[test]
    fn the_phase_follows_the_containers_and_the_restart_policy() {
        let waiting = || shop(State::Waiting { reason: "ErrImagePull", message: String::new() }, false);
        let terminated = |code| shop(State::Terminated(ended("Error", code)), false);
        let cases = [
            ("Always", vec![waiting()], "Pending"),
            ("Always", vec![terminated(1)], "Running"),
            ("Never", vec![terminated(0)], "Succeeded"),
            ("Never", vec![terminated(0), terminated(1)], "Failed"),
            ("OnFailure", vec![terminated(0)], "Succeeded"),
            ("OnFailure", vec![terminated(1)], "Running"),
        ];
        for (policy, records, expected) in cases {
            let pod = pod(&json!({"containers": [], "restartPolicy": policy}), &json!({}));
            assert_eq!(phase(&pod, &records), expected, "{policy} {records:?}");
        }
    }
}
