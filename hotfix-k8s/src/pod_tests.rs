use serde_json::json;

use super::*;

fn pod(status: &Value) -> Pod {
    Pod::read(&json!({
        "metadata": {
            "name": "shop-5d4-x",
            "labels": {"app": "shop", "pod-template-hash": "5d4"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "shop-5d4", "controller": true}],
        },
        "status": status,
    }))
}

fn container(status: &Value) -> Pod {
    let mut all = json!({"name": "web", "restartCount": 0, "imageID": ""});
    all.as_object_mut().unwrap().extend(status.as_object().unwrap().clone());
    pod(&json!({"phase": "Running", "containerStatuses": [all]}))
}

fn ready(status: &str) -> Pod {
    pod(&json!({"phase": "Running", "conditions": [
        {"type": "Ready", "status": status, "reason": "ContainersNotReady", "message": "probe failed"},
    ]}))
}

const POD: &str = "shop-5d4-x";

fn said(faults: &[Fault]) -> Vec<String> {
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn a_pod_belongs_to_the_deployment_of_its_replica_set() {
    assert_eq!(pod(&json!({})).deployment.as_deref(), Some("shop"));
    assert_eq!(Pod::read(&json!({"metadata": {"name": "alone"}})).deployment, None);
    let owner = json!([{"kind": "StatefulSet", "name": "db", "controller": true}]);
    let pod = Pod::read(&json!({"metadata": {"name": "db-0", "ownerReferences": owner}}));
    assert_eq!((pod.deployment, pod.set.as_deref()), (None, Some("StatefulSet/db")));
}

#[test]
fn each_pod_is_judged_on_its_own() {
    let waiting = |reason: &str| {
        container(&json!({"restartCount": 3, "state": {"waiting": {"reason": reason, "message": "m"}}}))
    };
    let unschedulable =
        json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1"});
    let cases = [
        (waiting("CrashLoopBackOff"), format!("{POD} is in a crash loop (3 restarts)")),
        (waiting("ImagePullBackOff"), format!("{POD} cannot fetch its image: ImagePullBackOff: m")),
        (waiting("ErrImagePull"), format!("{POD} cannot fetch its image: ErrImagePull: m")),
        (
            waiting("CreateContainerConfigError"),
            format!("{POD} cannot be started: CreateContainerConfigError: m"),
        ),
        (
            container(&json!({"state": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}})),
            format!("{POD} ended: OOMKilled (exit status 137)"),
        ),
        (
            pod(&json!({"phase": "Pending", "conditions": [unschedulable]})),
            format!("{POD} cannot be started: no node takes it: 0/1"),
        ),
    ];
    for (pod, expected) in cases {
        assert_eq!(said(&pod.faults()), [expected]);
    }
    for fine in [waiting("ContainerCreating"), waiting("PodInitializing"), ready("True"), ready("False")] {
        assert_eq!(fine.faults(), []);
    }
    let init = json!({"name": "init", "state": {"terminated": {"reason": "Completed", "exitCode": 0}}});
    assert_eq!(pod(&json!({"initContainerStatuses": [init]})).faults(), []);
}

#[test]
fn what_passes_quickly_is_seen_by_comparison() {
    let before = container(&json!({"restartCount": 1, "state": {"running": {}}}));
    let after = container(&json!({
        "restartCount": 2, "state": {"running": {}},
        "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
    }));
    assert_eq!(said(&after.happened(&before)), [format!("{POD} ended: OOMKilled (exit status 137)")]);
    assert_eq!(after.happened(&after), []);
    let lost = ready("False").happened(&ready("True"));
    assert_eq!(said(&lost), [format!("{POD} is no longer ready: ContainersNotReady: probe failed")]);
    let evicted = pod(&json!({"phase": "Failed", "reason": "Evicted", "message": "disk"}));
    assert_eq!(said(&evicted.happened(&ready("False"))), [format!("{POD} ended: Evicted: disk")]);
    assert_eq!((evicted.happened(&evicted), evicted.faults()), (vec![], vec![]), "it is history");
    let mut going = ready("False");
    going.is_going = true;
    assert_eq!(going.happened(&ready("True")), [], "a pod that is deleted may stop being ready");
}
