//! What goes with a verb beside the target's own objects, in the order of its steps.

use super::*;

const BOUND: &str = "/metadata/annotations/hotfix.dev~1bound";
const REREAD: &str = "/metadata/annotations/hotfix.dev~1reread";

#[test]
fn the_sync_comes_back_after_everything_else_and_before_the_key() {
    let when = When::Now { except: ["Application argocd/shop".to_owned()].into() };
    let verb = Verb::Retire { slot: slot("hotfix") };
    let steps = outline_with(
        Scene { selected: "shop", ..Scene::shifted() },
        &verb,
        Beside { sync: Some(when.clone()), ..Beside::default() },
    );
    let expected = [
        "route: ".to_owned(),
        format!("shop-hotfix: {MARK} /spec/replicas"),
        format!("give sync back {when:?}"),
        "route*: ".to_owned(),
    ];
    assert_eq!(steps, expected);
}

#[test]
fn what_pods_read_at_their_start_is_put_back_before_they_start_anew() {
    let object = ObjectRef {
        api_version: "v1",
        kind: "ConfigMap",
        namespace: "prod".to_owned(),
        name: "flags".to_owned(),
    };
    let changed = vec![Changed { object, hash: "sha256:00".to_owned() }];
    let beside = || Beside { changed: changed.clone(), ..Beside::default() };
    let with = |container: Value| {
        let mut main = deployment("shop", &release(1), 1, None);
        let found = &mut main["spec"]["template"]["spec"]["containers"][0];
        found.as_object_mut().unwrap().extend(container.as_object().unwrap().clone());
        Scene { main, ..Scene::before() }
    };
    let by_env = || with(json!({"envFrom": [{"configMapRef": {"name": "flags"}}]}));
    let flags = "put ConfigMap prod/flags back".to_owned();
    let anew = format!("shop*: /spec/template {RESTORED} {LIVE} -{REREAD}");
    let claim = || "route: ".to_owned();
    let expected = [claim(), format!("shop: {REREAD}"), flags.clone(), anew.clone()];
    assert_eq!(outline_with(by_env(), &restore(1), beside()), expected);
    // After a crash the contents are right, and the note tells that the pods have read others.
    let mut again = by_env();
    again.main["metadata"]["annotations"][names::REREAD] = "run:1".into();
    assert_eq!(outline(again, &restore(1)), [claim(), anew]);
    let other = outline_with(with(json!({})), &restore(1), beside());
    assert_eq!(other, [claim(), flags, format!("shop*: {LIVE}")]);
}

/// The main Deployment has three pods and the copy two.
#[test]
fn an_autoscaler_follows_the_live_slot_and_both_sides_keep_up_with_it() {
    let scaled = |scene: Scene, name: &str| Scene {
        autoscaler: Some(json!({
            "metadata": {"name": "shop", "annotations": {names::FENCE: r#"{"stamp":"1.0"}"#}},
            "spec": {
                "scaleTargetRef": {"kind": "Deployment", "name": name}, "minReplicas": 1, "maxReplicas": 9,
            },
        })),
        ..scene
    };
    let shift = |name: &str| Verb::Shift { weights: Weights::all(slot(name)) };
    let staged = || Scene { selected: "shop", ..Scene::shifted() };
    let cases = [
        (
            scaled(staged(), "shop"),
            shift("hotfix"),
            vec![
                "route: ".to_owned(),
                "shop-hotfix: /spec/replicas".to_owned(),
                format!("scaler: /spec/minReplicas {BOUND}"),
                "route*: /spec/selector/app".to_owned(),
            ],
        ),
        (
            scaled(Scene::shifted(), "shop"),
            Verb::Promote { slot: slot("hotfix") },
            vec![
                "route: ".to_owned(),
                format!("shop: {LIVE}"),
                "scaler*: /spec/scaleTargetRef/name".to_owned(),
            ],
        ),
        (
            scaled(Scene::shifted(), "shop-hotfix"),
            restore(1),
            vec![
                "route: /spec/selector/app".to_owned(),
                format!("shop: {LIVE}"),
                "scaler: /spec/scaleTargetRef/name".to_owned(),
                "until Hotfix is left".to_owned(),
                format!("shop-hotfix*: {MARK} /spec/replicas"),
            ],
        ),
    ];
    for (scene, verb, expected) in cases {
        assert_eq!(outline(scene, &verb), expected, "{verb}");
    }
}
