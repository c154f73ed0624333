//! What goes with a verb beside the target's own objects, in the order of its steps.

use super::*;
use crate::contents::Seen;

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
        format!("shop-hotfix: {MARK} /spec/replicas {EMPTIED}"),
        format!("give sync back {when:?}"),
        "route*: ".to_owned(),
    ];
    assert_eq!(steps, expected);
}

fn flags(seen: Seen) -> Vec<Changed> {
    let object = ObjectRef {
        api_version: "v1",
        kind: "ConfigMap",
        namespace: "prod".to_owned(),
        name: "flags".to_owned(),
    };
    vec![Changed { object, hash: "sha256:00".to_owned(), seen }]
}

/// What a restore does when the flags are not what they were.
fn with_flags(scene: Scene, seen: Seen) -> Vec<String> {
    outline_with(scene, &restore(1), Beside { changed: flags(seen), ..Beside::default() })
}

/// The main Deployment with more in its container.
fn holding(container: &Value) -> Value {
    let mut main = deployment("shop", &release(1), 1, None);
    let found = &mut main["spec"]["template"]["spec"]["containers"][0];
    found.as_object_mut().unwrap().extend(container.as_object().unwrap().clone());
    main
}

fn by_env() -> Value {
    holding(&json!({"envFrom": [{"configMapRef": {"name": "flags"}}]}))
}

const PUT: &str = "put ConfigMap prod/flags back";

#[test]
fn what_pods_read_at_their_start_is_put_back_before_they_start_anew() {
    let anew = format!("shop*: /spec/template {RESTORED} {LIVE} -{REREAD}");
    let claim = || "route: ".to_owned();
    let expected = [claim(), format!("shop: {REREAD}"), PUT.to_owned(), anew.clone()];
    assert_eq!(with_flags(Scene { main: by_env(), ..Scene::before() }, Seen::Other), expected);
    // After a crash the contents are right, and the note tells that the pods have read others.
    let mut again = by_env();
    again["metadata"]["annotations"][names::REREAD] = "run:1".into();
    assert_eq!(outline(Scene { main: again, ..Scene::before() }, &restore(1)), [claim(), anew]);
    let bare = Scene { main: holding(&json!({})), ..Scene::before() };
    assert_eq!(with_flags(bare, Seen::Other), [claim(), PUT.to_owned(), format!("shop*: {LIVE}")]);
}

#[test]
fn the_traffic_moves_before_contents_are_put_back_and_pods_that_serve_start_anew() {
    let moved = || "route: /spec/selector/app".to_owned();
    let rest = ["until Hotfix is left".to_owned(), format!("shop-hotfix*: {MARK} /spec/replicas")];
    let expected = [
        &[
            moved(),
            format!("shop: {REREAD}"),
            PUT.to_owned(),
            format!("shop: /spec/template {RESTORED} {LIVE} -{REREAD}"),
        ],
        &rest[..],
    ];
    assert_eq!(with_flags(Scene { main: by_env(), ..Scene::shifted() }, Seen::Other), expected.concat());
    // It is smaller than it was: that comes before the traffic, and all else after it.
    let beside = Beside { changed: flags(Seen::Other), ..Beside::default() };
    let small = outline_with(Scene { main: by_env(), ..Scene::shifted() }, &restore_to(1, 3), beside);
    let expected = [
        "route: ".to_owned(),
        format!("shop: /spec/replicas {LIVE}"),
        moved(),
        format!("shop: {REREAD}"),
        PUT.to_owned(),
        format!("shop: /spec/template {RESTORED} -{REREAD}"),
    ];
    assert_eq!(small, [&expected[..], &rest].concat());
    // Nothing is left to do but this: the key comes after it.
    let mut live = holding(&json!({}));
    live["metadata"]["annotations"][names::LIVE] = "main".into();
    let done = Scene { main: live, hotfix: Scene::before().hotfix, ..Scene::shifted() };
    assert_eq!(with_flags(done, Seen::Other), [moved(), PUT.to_owned(), "route*: ".to_owned()]);
}

#[test]
fn pods_that_are_not_ready_read_the_old_contents_before_they_get_the_traffic() {
    let dead = Scene { main: by_env(), ready: &["shop-hotfix"], ..Scene::shifted() };
    let expected = [
        "route: ".to_owned(),
        format!("shop: {REREAD}"),
        PUT.to_owned(),
        format!("shop: /spec/template {RESTORED} {LIVE} -{REREAD}"),
        "until Main is ready".to_owned(),
        "route: /spec/selector/app".to_owned(),
        "until Hotfix is left".to_owned(),
        format!("shop-hotfix*: {MARK} /spec/replicas"),
    ];
    assert_eq!(with_flags(dead, Seen::Other), expected);
}

#[test]
fn what_could_not_be_read_starts_nothing_anew_and_waits_until_the_traffic_has_moved() {
    let rest = ["until Hotfix is left".to_owned(), format!("shop-hotfix*: {MARK} /spec/replicas")];
    let moved = || "route: /spec/selector/app".to_owned();
    let serving = Scene { main: by_env(), ..Scene::shifted() };
    let expected = [&[moved(), PUT.to_owned(), format!("shop: {LIVE}")], &rest[..]].concat();
    assert_eq!(with_flags(serving, Seen::Nothing), expected);
    let dead = Scene { main: by_env(), ready: &["shop-hotfix"], ..Scene::shifted() };
    let anew = format!("shop: /spec/template {RESTORED} {LIVE}");
    let expected =
        [&["route: ".to_owned(), anew, "until Main is ready".to_owned(), moved(), PUT.to_owned()], &rest[..]];
    assert_eq!(with_flags(dead, Seen::Nothing), expected.concat());
}

#[test]
fn the_traffic_moves_first_where_pods_of_the_old_template_serve_and_do_not_have_it() {
    let cases = [
        (Scene::shifted(), restore(1), true),
        // Nothing to move, no pod that serves, pods of another template, another verb.
        (Scene::before(), restore(1), false),
        (Scene { ready: &["shop-hotfix"], ..Scene::shifted() }, restore(1), false),
        (Scene::shifted(), restore(3), false),
        (Scene::shifted(), Verb::Shift { weights: Weights::all(slot("main")) }, false),
    ];
    for (scene, verb, expected) in cases {
        let (sight, case) = (scene.sight(), verb.to_string());
        assert_eq!(moves_first(&sight, &call(), &verb, &Overrides::default()), expected, "{case}");
    }
}

/// Of a Deployment that ends all its pods at once, none would be left to serve.
#[test]
fn pods_that_serve_are_started_anew_only_where_others_serve_meanwhile() {
    let with = |strategy: Value, replicas: u16| {
        let mut main = by_env();
        main["spec"]["strategy"] = strategy;
        main["spec"]["replicas"] = replicas.into();
        let steps = outline_with(
            Scene { main, ..Scene::shifted() },
            &restore_to(1, replicas),
            Beside { changed: flags(Seen::Other), ..Beside::default() },
        );
        assert!(steps.contains(&PUT.to_owned()), "{steps:?}");
        let at = |what: &str| steps.iter().position(|step| step.contains(what));
        assert!(
            at("/spec/template") > at("/spec/selector/app") || at("/spec/template").is_none(),
            "{steps:?}"
        );
        (
            at("/spec/template").is_some(),
            at("say: Deployment prod/shop would end all its pods at once").is_some(),
        )
    };
    let (anew, told) = ((true, false), (false, true));
    let rolling = |surge: Value, unavailable: Value| json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}});
    for (strategy, replicas, expected) in [
        (json!(null), 1, anew),
        (json!({"type": "Recreate"}), 3, told),
        (rolling(json!("25%"), json!("25%")), 1, anew),
        (rolling(json!(0), json!(1)), 3, anew),
        (rolling(json!(0), json!(1)), 1, told),
        (rolling(json!("100%"), json!("100%")), 3, told),
    ] {
        assert_eq!(with(strategy.clone(), replicas), expected, "{replicas} with {strategy}");
    }
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
