use std::num::NonZeroU16;

use hotfix_core::model::{IdempotencyKey, Stamp};
use serde_json::json;

use super::*;
use crate::config::TargetConfig;
use crate::example::release;
use crate::fence::Note;
use crate::object::ObjectRef;
use crate::pod::Pod;
use crate::shape::{Names, Shape};
use crate::sight::{Naming, Object, Patience};
use crate::slot::Slots;
use crate::sync::When;
use crate::traffic::Objections;
use crate::traffic::backend::Means;

fn deployment(app: &str, release: &Release, replicas: u16, mark: Option<&str>) -> Value {
    let Artifact::Image(image) = &release.artifact else { unreachable!("it is one") };
    let mut deployment = json!({
        "metadata": {"name": app, "annotations": {names::FENCE: r#"{"stamp":"1.0"}"#}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": app}},
            "template": {
                "metadata": {"labels": {"app": app}},
                "spec": {"containers": [{"name": "web", "image": image.as_str()}]},
            },
        },
    });
    if let Some(mark) = mark {
        deployment["metadata"]["annotations"][names::RELEASE] = mark.into();
    }
    deployment
}

fn pod(app: &str) -> Pod {
    let hash = "5d4";
    Pod::read(&json!({
        "metadata": {
            "name": format!("{app}-{hash}-x"),
            "labels": {"pod-template-hash": hash},
            "ownerReferences": [{"kind": "ReplicaSet", "name": format!("{app}-{hash}"), "controller": true}],
        },
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }))
}

/// What a target looks like: the live release 1 on the main slot, with the pods of these apps ready.
struct Scene {
    main: Value,
    hotfix: Value,
    selected: &'static str,
    ready: &'static [&'static str],
    autoscaler: Option<Value>,
}

impl Scene {
    fn before() -> Self {
        let main = deployment("shop", &release(1), 3, None);
        let hotfix = deployment("shop-hotfix", &release(1), 0, Some(names::EMPTY));
        Self { main, hotfix, selected: "shop", ready: &["shop"], autoscaler: None }
    }

    /// Release 2 is staged on the hotfix slot and has the traffic.
    fn shifted() -> Self {
        let hotfix = deployment("shop-hotfix", &release(2), 2, Some(&Mark::text(&release(2))));
        Self { hotfix, selected: "shop-hotfix", ready: &["shop", "shop-hotfix"], ..Self::before() }
    }

    fn sight(self) -> Sight {
        let config = TargetConfig {
            namespace: "prod".to_owned(),
            deployment: "shop".to_owned(),
            ..TargetConfig::default()
        };
        let service = json!({
            "metadata": {"annotations": {names::FENCE: r#"{"stamp":"1.0"}"#}},
            "spec": {"selector": {"app": self.selected}},
        });
        let names = Names::of(&config);
        let shape = Shape::read(&config, &self.main, &service).unwrap();
        let object = |reference, value: Value| {
            let fence = Note::read(&value).unwrap();
            Object { reference, value, fence }
        };
        let Means::Route(traffic) = config.traffic.means(&names, &shape, &Slots::new()) else {
            unreachable!("it is the selector of a Service")
        };
        Sight {
            slots: Slots::new(),
            traffic,
            dial: None,
            patience: Patience::Left,
            before: Objections::default(),
            shape,
            selector: service["spec"]["selector"].clone(),
            main: object(names.main, self.main),
            hotfix: Some(object(names.hotfix, self.hotfix)),
            autoscaler: self.autoscaler.map(|value| {
                let (namespace, name) = ("prod".to_owned(), "scaler".to_owned());
                let kind = "HorizontalPodAutoscaler";
                object(ObjectRef { api_version: "autoscaling/v2", kind, namespace, name }, value)
            }),
            route: object(names.route, service),
            pods: self.ready.iter().map(|app| pod(app)).collect(),
        }
    }
}

#[path = "steps_beside_tests.rs"]
mod beside;
#[path = "steps_others_tests.rs"]
mod others;
#[path = "steps_shift_tests.rs"]
mod shift;

fn call() -> Call {
    let key = IdempotencyKey::new("run:1").unwrap();
    Call { key, stamp: Stamp::new(1, 1), deadline: chrono::DateTime::UNIX_EPOCH }
}

fn slot(name: &str) -> SlotName {
    SlotName::new(name).unwrap()
}

fn restore(patch: u8) -> Verb {
    restore_to(patch, 1)
}

fn restore_to(patch: u8, replicas: u16) -> Verb {
    let (replicas, backend) = (NonZeroU16::new(replicas).unwrap(), Value::Null);
    Verb::Restore {
        snapshot: WorkloadSnapshot { slot: slot("main"), release: release(patch), replicas, backend },
    }
}

/// Prints steps as `object: path path`, without the fence, and `*` where the key is recorded.
fn outline(scene: Scene, verb: &Verb) -> Vec<String> {
    outline_with(scene, verb, Beside::default())
}

fn outline_with(scene: Scene, verb: &Verb, beside: Beside) -> Vec<String> {
    outline_of(&scene.sight(), verb, beside)
}

fn outline_of(sight: &Sight, verb: &Verb, beside: Beside) -> Vec<String> {
    let steps = steps(sight, &call(), verb, "d", &Overrides::default(), beside).unwrap();
    let path = |operation: &PatchOperation| match operation {
        PatchOperation::Add(add) => Some(add.path.to_string()),
        PatchOperation::Replace(replace) => Some(replace.path.to_string()),
        PatchOperation::Remove(remove) => Some(format!("-{}", remove.path)),
        _ => None,
    };
    let line = |step: &Step| match step {
        Step::UntilReady(side) => format!("until {side:?} is ready"),
        Step::UntilFull(side) => format!("until {side:?} is full"),
        Step::UntilEmpty(side) => format!("until {side:?} is empty"),
        Step::UntilHeardOf => "until it is heard of".to_owned(),
        Step::UntilUnmixed(side) => format!("until {side:?} is unmixed"),
        Step::UntilServed(side) => format!("until {side:?} is served"),
        Step::UntilChanged(_) => "until pods have changed".to_owned(),
        Step::UntilLeft(side) => format!("until {side:?} is left"),
        Step::PutBack(changed) => {
            let names: Vec<String> = changed.iter().map(|changed| changed.object.to_string()).collect();
            format!("put {} back", names.join(" and "))
        }
        Step::Say(what) => format!("say: {what}"),
        Step::GiveSyncBack(when) => format!("give sync back {when:?}"),
        Step::Patch(write) => {
            let fence = write.patch[1].to_string();
            let mark = if fence.contains("run:1") { "*" } else { "" };
            let paths: Vec<String> = write.patch[2..].iter().filter_map(path).collect();
            let name = if write.place == Place::Route { "route" } else { &write.object.name };
            format!("{name}{mark}: {}", paths.join(" "))
        }
    };
    steps.iter().map(line).collect()
}

const MARK: &str = "/metadata/annotations/hotfix.dev~1release";
const EMPTIED: &str = "/metadata/annotations/hotfix.dev~1emptied";
const LIVE: &str = "/metadata/annotations/hotfix.dev~1live";
const RESTORED: &str = "/metadata/annotations/hotfix.dev~1restored";

#[test]
fn each_verb_writes_the_anchor_first_and_records_its_key_last() {
    let replicas = NonZeroU16::new(2).unwrap();
    let stage = |name: &str, patch| Verb::Stage { slot: slot(name), release: release(patch), replicas };
    let shift = |name: &str| Verb::Shift { weights: Weights::all(slot(name)) };
    let cases = [
        (
            Scene::before(),
            stage("hotfix", 2),
            vec!["route: ".to_owned(), format!("shop-hotfix*: /spec/template {MARK} /spec/replicas")],
        ),
        (
            Scene { ready: &["shop", "shop-hotfix"], ..Scene::before() },
            stage("hotfix", 2),
            vec![
                "route: ".to_owned(),
                "until Hotfix is empty".to_owned(),
                format!("shop-hotfix*: /spec/template {MARK} /spec/replicas"),
            ],
        ),
        (Scene::shifted(), stage("hotfix", 2), vec!["route*: ".to_owned()]),
        (Scene::before(), shift("hotfix"), vec!["route*: /spec/selector/app".to_owned()]),
        (Scene::shifted(), shift("hotfix"), vec!["route*: ".to_owned()]),
        (
            Scene::shifted(),
            Verb::Promote { slot: slot("hotfix") },
            vec!["route: ".to_owned(), format!("shop*: {LIVE}")],
        ),
        (
            Scene { selected: "shop", ..Scene::shifted() },
            Verb::Retire { slot: slot("hotfix") },
            vec!["route: ".to_owned(), format!("shop-hotfix*: {MARK} /spec/replicas {EMPTIED}")],
        ),
        (
            Scene::before(),
            Verb::Pause,
            ["route: ", "shop: /spec/paused", "shop-hotfix*: /spec/paused"].map(str::to_owned).into(),
        ),
        (Scene::before(), Verb::Resume, vec!["route*: ".to_owned()]),
    ];
    for (scene, verb, expected) in cases {
        assert_eq!(outline(scene, &verb), expected, "{verb}");
    }
}

#[test]
fn the_copy_grows_to_its_share_of_what_others_made_the_main_deployment_before_it_gets_it() {
    let shift = Verb::Shift { weights: Weights::all(slot("hotfix")) };
    let grows = [
        "route: ".to_owned(),
        "shop-hotfix: /spec/replicas".to_owned(),
        "until Hotfix is full".to_owned(),
        "route*: /spec/selector/app".to_owned(),
    ];
    let small = || Scene { selected: "shop", ..Scene::shifted() };
    assert_eq!(outline(small(), &shift), grows);
    let mut live = small();
    live.main["metadata"]["annotations"][names::LIVE] = "hotfix".into();
    assert_eq!(outline(live, &shift).len(), 1, "going back waits for nothing");
}

#[test]
fn a_restore_moves_the_traffic_first_where_the_slot_can_take_it_as_it_is() {
    let main = deployment("shop", &release(1), 1, None);
    let ready = || Scene { main: main.clone(), ..Scene::shifted() };
    let rest = ["until Hotfix is left".to_owned(), format!("shop-hotfix*: {MARK} /spec/replicas")];
    let moved = "route: /spec/selector/app".to_owned();
    let first = [&[moved.clone(), format!("shop: {LIVE}")], &rest[..]].concat();
    assert_eq!(outline(ready(), &restore(1)), first);
    // Nothing but the traffic was moved so far, or everything that comes before the other side.
    let mut marked = main.clone();
    marked["metadata"]["annotations"][names::LIVE] = "main".into();
    let marked = || Scene { main: marked.clone(), ..Scene::shifted() };
    assert_eq!(outline(marked(), &restore(1)), [&[moved], &rest[..]].concat());
    let moved = || Scene { selected: "shop", ..marked() };
    assert_eq!(outline(moved(), &restore(1)), ["route: ", &rest[1]]);
    // Just now, so that not everybody may have heard of it.
    let beside = Beside { wrote_route: true, ..Beside::default() };
    assert_eq!(outline_with(moved(), &restore(1), beside), ["route: ", &rest[0], &rest[1]]);
    let empty = Scene { hotfix: Scene::before().hotfix, ..marked() };
    assert_eq!(outline(empty, &restore(1)), ["route*: /spec/selector/app"]);
}

#[test]
fn a_restore_that_changes_the_slot_does_so_before_it_moves_the_traffic() {
    let rest = [
        "route: /spec/selector/app".to_owned(),
        "until Hotfix is left".to_owned(),
        format!("shop-hotfix*: {MARK} /spec/replicas"),
    ];
    // It is smaller, or holds something else, of which pods are ready: those do not count.
    let ready = || "until Main is ready".to_owned();
    for (held, replicas, changes) in [
        (1, 3, vec![format!("shop: /spec/replicas {RESTORED} {LIVE}")]),
        (3, 1, vec![format!("shop: /spec/template {MARK} {LIVE}"), ready()]),
    ] {
        let main = deployment("shop", &release(held), 1, None);
        let scene = Scene { main, ..Scene::shifted() };
        let expected = [&["route: ".to_owned()], &changes[..], &rest[..]].concat();
        assert_eq!(outline(scene, &restore_to(1, replicas)), expected);
    }
}

/// The attempt before this one gave the slot its template and got no further. Labels do not tell its pods from older ones.
#[test]
fn a_restore_that_goes_on_waits_for_pods_of_the_template_that_it_gave() {
    let scene = |updated: u64| {
        let mut main = deployment("shop", &release(1), 1, None);
        main["metadata"]["annotations"][names::RESTORED] = "run:1".into();
        main["status"] = json!({"replicas": 1, "readyReplicas": 1, "updatedReplicas": updated});
        Scene { main, ..Scene::shifted() }
    };
    let started = outline(scene(0), &restore(1));
    assert_eq!(started[..3], ["route: ", &format!("shop: {LIVE}"), "until Main is ready"]);
    assert_eq!(outline(scene(1), &restore(1))[0], "route: /spec/selector/app");
}

#[test]
fn a_restore_waits_for_a_pod_only_while_the_other_side_has_one() {
    let retired = || Scene {
        main: deployment("shop", &release(1), 0, Some(names::EMPTY)),
        ready: &["shop-hotfix"],
        ..Scene::shifted()
    };
    let filled = ["route: ".to_owned(), format!("shop: /spec/template {MARK} /spec/replicas {LIVE}")];
    let rest = [
        "route: /spec/selector/app".to_owned(),
        "until Hotfix is left".to_owned(),
        format!("shop-hotfix*: {MARK} /spec/replicas"),
    ];
    let waits = [&filled[..], &["until Main is ready".to_owned()], &rest].concat();
    assert_eq!(outline(retired(), &restore(1)), waits);
    let dead = Scene { ready: &[], ..retired() };
    assert_eq!(outline(dead, &restore(1)), [&filled[..], &rest].concat());
}

#[test]
fn a_restore_starts_pods_anew_of_which_none_is_ready_and_only_once() {
    let main = deployment("shop", &release(1), 1, None);
    let dead = Scene { main: main.clone(), ready: &["shop-hotfix"], ..Scene::shifted() };
    assert_eq!(
        outline(dead, &restore(1))[..2],
        ["route: ", &format!("shop: /spec/template {RESTORED} {LIVE}")]
    );
    let mut again = main;
    again["metadata"]["annotations"][names::RESTORED] = "run:1".into();
    let again = Scene { main: again, ready: &["shop-hotfix"], ..Scene::shifted() };
    assert_eq!(outline(again, &restore(1))[..2], ["route: ", &format!("shop: {LIVE}")]);
}

#[test]
fn two_patches_of_one_object_build_on_each_other() {
    let main = deployment("shop", &release(1), 1, None);
    let sight = Scene { main, ..Scene::shifted() }.sight();
    let steps =
        steps(&sight, &call(), &restore_to(1, 3), "d", &Overrides::default(), Beside::default()).unwrap();
    let fences: Vec<(Place, Value, Value)> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Patch(write) => {
                let patch = serde_json::to_value(&write.patch).unwrap();
                Some((write.place, patch[0]["value"].clone(), patch[1]["value"].clone()))
            }
            _ => None,
        })
        .collect();
    let (before, claimed) = (json!(r#"{"stamp":"1.0"}"#), json!(r#"{"stamp":"1.1"}"#));
    assert_eq!(fences[0], (Place::Route, before.clone(), claimed.clone()));
    assert_eq!(fences[1], (Place::Slot(Side::Main), before.clone(), claimed.clone()));
    assert_eq!(fences[2], (Place::Route, claimed.clone(), claimed), "it begins where the first ended");
    assert_eq!((fences[3].0, &fences[3].1), (Place::Slot(Side::Hotfix), &before));
    assert_eq!(fences.len(), 4);
}

#[test]
fn a_slot_whose_release_has_no_name_does_not_block_a_restore() {
    let mut hotfix = deployment("shop-hotfix", &release(2), 2, None);
    hotfix["spec"]["template"]["spec"]["containers"][0]["image"] = "shop/web:latest".into();
    let strange = || Scene { hotfix: hotfix.clone(), ..Scene::shifted() };
    assert!(strange().sight().layout(Naming::Strict).is_err());
    let layout = strange().sight().layout(Naming::Lenient).unwrap();
    assert_eq!(layout.held(&slot("hotfix")), None);
    assert_eq!(outline(strange(), &restore_to(1, 5)).len(), 5);
}

#[test]
fn what_cannot_run_or_was_not_adopted_is_refused() {
    let tree = hotfix_core::model::ObjectId::new("0".repeat(40)).unwrap();
    let tree = Release { artifact: Artifact::Tree(tree), ..release(2) };
    let verb = Verb::Stage { slot: slot("hotfix"), release: tree, replicas: NonZeroU16::MIN };
    let refused = |sight: &Sight, verb: &Verb| {
        steps(sight, &call(), verb, "d", &Overrides::default(), Beside::default()).unwrap_err().to_string()
    };
    let message = refused(&Scene::before().sight(), &verb);
    assert!(message.contains("cannot run in a cluster; only images by digest"), "{message}");
    let mut bare = Scene::before().sight();
    bare.hotfix = None;
    let message = refused(&bare, &Verb::Promote { slot: slot("main") });
    assert_eq!(message, "Deployment prod/shop-hotfix was never adopted; adopt the target first");
}
