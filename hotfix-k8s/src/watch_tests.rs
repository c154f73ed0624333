use serde_json::{Value, json};

use super::*;
use crate::facts::DeploymentFacts;
use crate::names;

fn deployment(replicas: u16, mark: Option<&str>) -> DeploymentFacts {
    let mut deployment = json!({
        "metadata": {"name": "shop", "generation": 2},
        "spec": {"replicas": replicas, "template": {"metadata": {"labels": {names::ARTIFACT: "ab"}}}},
        "status": {"observedGeneration": 2},
    });
    if let Some(mark) = mark {
        deployment["metadata"]["annotations"][names::RELEASE] = mark.into();
    }
    DeploymentFacts::read(&deployment)
}

fn pod(name: &str, is_ready: bool, state: &Value, restarts: u32) -> Pod {
    let status = if is_ready { "True" } else { "False" };
    Pod::read(&json!({
        "metadata": {"name": name, "labels": {names::ARTIFACT: "ab"}},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": status, "reason": "ProbeFailed"}],
            "containerStatuses": [{"name": "web", "restartCount": restarts, "state": state}],
        },
    }))
}

fn seen(deployment: DeploymentFacts, pods: &[Pod]) -> Seen {
    let pods = pods.iter().map(|pod| (pod.name.clone(), Arc::new(pod.clone()))).collect();
    Seen { deployment: Some(deployment), pods }
}

fn told() -> Told {
    Told::new(SlotName::new("main").unwrap())
}

fn lines(changes: &[WorkloadChange]) -> Vec<String> {
    let line = |change: &WorkloadChange| match change {
        WorkloadChange::Instances { replicas, ready, .. } => format!("{ready} of {replicas}"),
        WorkloadChange::Faulty { fault, .. } => fault.to_string(),
        other => format!("{other:?}"),
    };
    changes.iter().map(line).collect()
}

fn runs() -> Value {
    json!({"running": {}})
}

#[test]
fn the_present_state_comes_first_and_an_empty_slot_says_nothing() {
    let ready = pod("shop-1", true, &runs(), 4);
    assert_eq!(lines(&told().begin(&seen(deployment(2, None), &[ready]))), ["1 of 2"]);
    assert_eq!(told().begin(&seen(deployment(0, Some(names::EMPTY)), &[])), []);
    assert_eq!(told().begin(&Seen::default()), []);
}

#[test]
fn each_change_is_told_once() {
    let mut told = told();
    let crash = json!({"waiting": {"reason": "CrashLoopBackOff"}});
    let (one, two) = (pod("shop-1", true, &runs(), 0), pod("shop-2", false, &runs(), 0));
    assert_eq!(lines(&told.begin(&seen(deployment(2, None), &[one.clone(), two.clone()]))), ["1 of 2"]);
    assert_eq!(told.compare(&seen(deployment(2, None), &[one.clone(), two])), []);
    let two = pod("shop-2", false, &crash, 2);
    let looping = seen(deployment(2, None), &[one, two.clone()]);
    assert_eq!(lines(&told.compare(&looping)), ["shop-2 is in a crash loop (2 restarts)"]);
    assert_eq!(told.compare(&looping), []);
    let lost = seen(deployment(2, None), &[pod("shop-1", false, &runs(), 0), two]);
    assert_eq!(lines(&told.compare(&lost)), ["0 of 2", "shop-1 is no longer ready: ProbeFailed"]);
    assert_eq!(lines(&told.compare(&seen(deployment(0, Some(names::EMPTY)), &[]))), ["0 of 0"]);
}

#[test]
fn pods_of_another_template_do_not_count() {
    let mut old = pod("shop-1", true, &json!({"waiting": {"reason": "ErrImagePull"}}), 0);
    old.artifact = Some("cd".to_owned());
    assert_eq!(lines(&told().begin(&seen(deployment(1, None), &[old]))), ["0 of 1"]);
}

#[test]
fn a_pod_of_another_template_may_crash_while_it_is_replaced() {
    let old = |is_ready, restarts| {
        let mut old = pod("shop-1", is_ready, &runs(), restarts);
        old.artifact = Some("cd".to_owned());
        old
    };
    let mut told = told();
    assert_eq!(lines(&told.begin(&seen(deployment(1, None), &[old(true, 0)]))), ["0 of 1"]);
    assert_eq!(told.compare(&seen(deployment(1, None), &[old(false, 1)])), []);
}

#[test]
fn what_the_controller_says_is_told() {
    let quota = json!({
        "metadata": {"name": "shop", "generation": 2},
        "spec": {"replicas": 1, "progressDeadlineSeconds": 90},
        "status": {"observedGeneration": 2, "conditions": [
            {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"},
            {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"},
        ]},
    });
    let changes = told().begin(&seen(DeploymentFacts::read(&quota), &[]));
    let expected =
        ["0 of 1", "shop cannot be started: FailedCreate: exceeded quota", "shop was not ready within 1m30s"];
    assert_eq!(lines(&changes), expected);
    let mut stale = quota;
    stale["metadata"]["generation"] = 3.into();
    assert_eq!(lines(&told().begin(&seen(DeploymentFacts::read(&stale), &[]))), ["0 of 1"]);
}
