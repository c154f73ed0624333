//! What a driver may touch: each test forges one change that is beyond it.

use serde_json::{Value, json};

use super::story::*;

#[test]
fn a_create_without_a_fence_is_found_and_so_is_one_by_a_run() {
    let create = |ms: i64, annotations: Value| {
        let mut story = shifted();
        let body = json!({"metadata": {"annotations": annotations}});
        story.event(US, "create", "deployments/other", body);
        for field in ["requestReceivedTimestamp", "stageTimestamp"] {
            story.last()[field] = json!(time(ms));
        }
        story.found()
    };
    let found = create(45, json!({}));
    assert!(
        found.starts_with("create of deployments/other") && found.ends_with("carries no stamp"),
        "{found}"
    );
    let found = create(200, json!({"hotfix.dev/fence": stamped("0.0").to_string()}));
    assert!(found.starts_with("deployments/other was created at"), "{found}");
    assert!(found.ends_with("when a run had begun"), "{found}");
}

#[test]
fn a_field_of_somebody_else_is_found() {
    let forge = |path: &str| {
        let mut story = shifted();
        let operations = story.last()["requestObject"].as_array_mut().expect("a patch");
        operations.push(json!({"op": "test", "path": path, "value": 1}));
        operations.push(json!({"op": "replace", "path": path, "value": 2}));
        story.found()
    };
    for path in ["/spec/http/0/timeout", "/spec/http/x/route/0/weight", "/metadata/annotations/team"] {
        assert_eq!(forge(path), format!("patch of {ROUTE} writes {path}, which is not ours"));
    }
    let mut story = shifted();
    let all = json!({"op": "add", "path": "/metadata/annotations", "value": {"team": "other"}});
    story.last()["requestObject"].as_array_mut().expect("a patch").push(all);
    assert_eq!(story.found(), format!("patch of {ROUTE} writes /metadata/annotations, which is not ours"));
}

#[test]
fn a_pod_that_is_deleted_in_whichever_version_is_found() {
    let delete = |preconditions: Value| {
        let mut story = shifted();
        story.event(US, "delete", "pods/shop-0", json!({"preconditions": preconditions}));
        story.audit(&journal())
    };
    assert_eq!(delete(json!({"uid": "u", "resourceVersion": "7"})), [] as [String; 0]);
    assert_eq!(delete(json!({"uid": "u"})), ["delete of pods/shop-0 is bound to no version of it"]);
}

#[test]
fn what_is_overwritten_unseen_is_found() {
    let forge = |remove: usize| {
        let mut story = shifted();
        story.last()["requestObject"].as_array_mut().expect("a patch").remove(remove);
        story.found()
    };
    assert_eq!(forge(2), format!("patch of {ROUTE} may be for another object of that name"));
    assert_eq!(
        forge(3),
        format!("patch of {ROUTE} overwrites /spec/http/0/route/0/weight without having looked")
    );
    let mut whole = shifted();
    whole.last()["requestObject"][3]["path"] = json!("/spec/http/0/route");
    assert_eq!(whole.audit(&journal()), [] as [String; 0], "what it is a part of was looked at");
    let mut stale = shifted();
    stale.last()["requestObject"][0]["value"] = json!("{\"stamp\":\"0.1\"}");
    assert!(stale.found().ends_with("its fence was {\"stamp\":\"1.2\"}"), "{}", stale.found());
}
