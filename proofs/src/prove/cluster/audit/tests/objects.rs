//! What is left when a run has ended: each test forges one field of one object.

use serde_json::{Value, json};

use super::super::super::way;
use super::super::{Wanted, check_left, check_objects};
use super::story::*;
use crate::prove::audit::Findings;

fn objects() -> Value {
    let container = json!({"image": "shop/web:2.1.0"});
    json!({
        "main": {
            "metadata": {
                "labels": {"team": "checkout"},
                "annotations": {"hotfix.dev/live": "main", "hotfix.dev/fence": "{}", "deployment.kubernetes.io/revision": "1"},
            },
            "spec": {"replicas": 1, "template": {
                "metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [container]},
            }},
            "status": {"readyReplicas": 1, "updatedReplicas": 1},
        },
        "copy": {"spec": {"replicas": 0}},
        "route": {"metadata": {"annotations": {}}, "spec": {"selector": {"app": "shop"}}},
    })
}

fn look(objects: &Value, image: Option<&str>) -> String {
    let mut findings = Findings::default();
    check_objects(objects, Wanted { before: &self::objects(), image }, &mut findings);
    findings.violations.join("\n")
}

#[test]
fn objects_that_are_not_as_they_should_be_are_found() {
    assert_eq!(look(&objects(), None), "");
    assert_eq!(look(&objects(), Some("shop/web:2.1.0")), "");
    let wrong = look(&objects(), Some("shop/web:2.1.1"));
    let runs = r#"shop runs Some(String("shop/web:2.1.0")), not Some(String("shop/web:2.1.1"))"#;
    assert!(wrong.starts_with(runs), "{wrong}");
    let forged = [
        ("/main/spec/template/spec/containers/0/image", json!("shop/web:2.1.1"), "shop runs "),
        ("/main/spec/replicas", json!(3), "shop is "),
        (
            "/main/spec/template/metadata/labels",
            json!({"app": "shop", "hotfix.dev/slot": "main"}),
            "shop is ",
        ),
        ("/main/metadata/annotations/hotfix.dev~1live", json!("hotfix"), "\"hotfix\" is marked as live"),
        ("/main/metadata/labels/team", json!("other"), "main is marked with "),
        ("/route/metadata/annotations", json!({"team": "other"}), "route is marked with "),
        ("/copy/spec/replicas", json!(1), "the copy still wants 1 pods"),
        ("/route/spec/selector/app", json!("shop-hotfix"), "the route is "),
        ("/main/status/readyReplicas", json!(0), "0 of 1 pods of shop are ready"),
        ("/main/status/updatedReplicas", json!(0), "0 of 1 pods of shop are of its template"),
    ];
    for (path, value, expected) in forged {
        let mut forged = objects();
        *forged.pointer_mut(path).expect(path) = value;
        let found = look(&forged, None);
        assert!(found.starts_with(expected), "{path}: {found}");
    }
}

#[test]
fn a_release_that_is_live_has_marks_and_nothing_else_that_is_new() {
    let mut live = objects();
    *live.pointer_mut("/main/spec/template/spec/containers/0/image").expect("it") = json!("shop/web:2.1.1");
    live["main"]["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("2");
    live["main"]["spec"]["template"]["metadata"]["labels"]["hotfix.dev/slot"] = json!("main");
    assert_eq!(look(&live, Some("shop/web:2.1.1")), "");
    live["main"]["spec"]["template"]["spec"]["priority"] = json!(1);
    let found = look(&live, Some("shop/web:2.1.1"));
    assert!(found.starts_with("shop is ") && !found.contains('\n'), "{found}");
}

#[test]
fn a_change_that_escaped_the_log_is_found() {
    let mut story = shifted();
    let mut objects = json!({"main": {}, "copy": {}, "route": {}});
    for (name, object) in ["route", "main", "copy"].into_iter().zip(OBJECTS) {
        objects[name]["metadata"]["annotations"]["hotfix.dev/fence"] =
            json!(story.fences[object].to_string());
    }
    let look = |story: &Story| {
        let mut findings = Findings::default();
        check_left(&story.log, &way::VIRTUAL_SERVICE, &objects, &mut findings);
        findings.violations
    };
    assert_eq!(look(&story), [] as [String; 0]);
    story.log.pop();
    let found = look(&story);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with(&format!("{ROUTE} has the fence ")), "{found:?}");
}
