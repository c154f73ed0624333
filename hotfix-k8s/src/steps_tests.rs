use std::num::NonZeroU16;

use hotfix_core::model::{IdempotencyKey, Stamp, TagName, Version};
use serde_json::json;

use super::*;
use crate::config::TargetConfig;
use crate::pod::Pod;
use crate::shape::{Names, Shape};
use crate::sight::{Naming, Object, Patience};
use crate::slot::Slots;
use crate::traffic::choice::Means;

fn release(patch: u8) -> Release {
    let image = format!("shop/web:1.0.{patch}@sha256:{}", format!("{patch:02x}").repeat(32));
    Release {
        version: Version::new(1, 0, patch.into()),
        tag: TagName::new(format!("v1.0.{patch}")).unwrap(),
        artifact: Artifact::Image(ImageReference::new(&image).unwrap()),
    }
}

fn deployment(app: &str, release: &Release, replicas: u16, mark: Option<&str>) -> Value {
    let image = image(release).unwrap().as_str();
    let mut deployment = json!({
        "metadata": {"name": app, "annotations": {names::FENCE: r#"{"stamp":"1.0"}"#}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": app}},
            "template": {
                "metadata": {"labels": {"app": app}},
                "spec": {"containers": [{"name": "web", "image": image}]},
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
}

impl Scene {
    fn before() -> Self {
        let main = deployment("shop", &release(1), 3, None);
        let hotfix = deployment("shop-hotfix", &release(1), 0, Some(names::EMPTY));
        Self { main, hotfix, selected: "shop", ready: &["shop"] }
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
            shape,
            selector: service["spec"]["selector"].clone(),
            main: object(names.main, self.main),
            hotfix: Some(object(names.hotfix, self.hotfix)),
            route: object(names.route, service),
            pods: self.ready.iter().map(|app| pod(app)).collect(),
        }
    }
}

fn call() -> Call {
    let key = IdempotencyKey::new("run:1").unwrap();
    Call { key, stamp: Stamp::new(1, 1), deadline: chrono::DateTime::UNIX_EPOCH }
}

fn slot(name: &str) -> SlotName {
    SlotName::new(name).unwrap()
}

fn restore(patch: u8) -> Verb {
    let backend = Value::Null;
    let snapshot =
        WorkloadSnapshot { slot: slot("main"), release: release(patch), replicas: NonZeroU16::MIN, backend };
    Verb::Restore { snapshot }
}

/// Prints steps as `object: path path`, without the fence, and `*` where the key is recorded.
fn outline(scene: Scene, verb: &Verb) -> Vec<String> {
    let steps = steps(&scene.sight(), &call(), verb, "d", &Overrides::default()).unwrap();
    let path = |operation: &PatchOperation| match operation {
        PatchOperation::Add(add) => Some(add.path.to_string()),
        PatchOperation::Replace(replace) => Some(replace.path.to_string()),
        PatchOperation::Remove(remove) => Some(format!("-{}", remove.path)),
        _ => None,
    };
    let line = |step: &Step| match step {
        Step::UntilReady(side) => format!("until {side:?} is ready"),
        Step::UntilEmpty(side) => format!("until {side:?} is empty"),
        Step::UntilServed(side) => format!("until {side:?} is served"),
        Step::UntilChanged(_) => "until pods have changed".to_owned(),
        Step::UntilLeft(side) => format!("until {side:?} is left"),
        Step::Patch(write) => {
            let fence = write.patch[1].to_string();
            let mark = if fence.contains("run:1") { "*" } else { "" };
            let paths: Vec<String> = write.patch[2..].iter().filter_map(path).collect();
            format!("{}{mark}: {}", write.object.name, paths.join(" "))
        }
    };
    steps.iter().map(line).collect()
}

const MARK: &str = "/metadata/annotations/hotfix.dev~1release";
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
            vec!["shop: ".to_owned(), format!("shop-hotfix*: /spec/template {MARK} /spec/replicas")],
        ),
        (
            Scene { ready: &["shop", "shop-hotfix"], ..Scene::before() },
            stage("hotfix", 2),
            vec![
                "shop: ".to_owned(),
                "until Hotfix is empty".to_owned(),
                format!("shop-hotfix*: /spec/template {MARK} /spec/replicas"),
            ],
        ),
        (Scene::shifted(), stage("hotfix", 2), vec!["shop*: ".to_owned()]),
        (Scene::before(), shift("hotfix"), vec!["shop: ".to_owned(), "shop*: /spec/selector/app".to_owned()]),
        (Scene::shifted(), shift("hotfix"), vec!["shop*: ".to_owned()]),
        (Scene::shifted(), Verb::Promote { slot: slot("hotfix") }, vec![format!("shop*: {LIVE}")]),
        (
            Scene { selected: "shop", ..Scene::shifted() },
            Verb::Retire { slot: slot("hotfix") },
            vec!["shop: ".to_owned(), format!("shop-hotfix*: {MARK} /spec/replicas")],
        ),
        (
            Scene::before(),
            Verb::Pause,
            vec!["shop: /spec/paused".to_owned(), "shop-hotfix*: /spec/paused".to_owned()],
        ),
        (Scene::before(), Verb::Resume, vec!["shop*: ".to_owned()]),
    ];
    for (scene, verb, expected) in cases {
        assert_eq!(outline(scene, &verb), expected, "{verb}");
    }
}

#[test]
fn a_restore_moves_the_traffic_before_it_empties_the_other_side() {
    let ready = Scene { main: deployment("shop", &release(1), 1, None), ..Scene::shifted() };
    let expected = [
        format!("shop: {LIVE}"),
        "shop: /spec/selector/app".to_owned(),
        "until Hotfix is left".to_owned(),
        format!("shop-hotfix*: {MARK} /spec/replicas"),
    ];
    assert_eq!(outline(ready, &restore(1)), expected);
}

#[test]
fn a_restore_waits_for_a_pod_only_while_the_other_side_has_one() {
    let retired = || Scene {
        main: deployment("shop", &release(1), 0, Some(names::EMPTY)),
        ready: &["shop-hotfix"],
        ..Scene::shifted()
    };
    let filled = format!("shop: /spec/template {MARK} /spec/replicas {RESTORED} {LIVE}");
    let rest = [
        "shop: /spec/selector/app".to_owned(),
        "until Hotfix is left".to_owned(),
        format!("shop-hotfix*: {MARK} /spec/replicas"),
    ];
    let waits = [&[filled.clone(), "until Main is ready".to_owned()], &rest[..]].concat();
    assert_eq!(outline(retired(), &restore(1)), waits);
    let dead = Scene { ready: &[], ..retired() };
    assert_eq!(outline(dead, &restore(1)), [&[filled], &rest[..]].concat());
}

#[test]
fn a_restore_starts_pods_anew_of_which_none_is_ready_and_only_once() {
    let main = deployment("shop", &release(1), 1, None);
    let dead = Scene { main: main.clone(), ready: &["shop-hotfix"], ..Scene::shifted() };
    assert_eq!(outline(dead, &restore(1))[0], format!("shop: /spec/template {RESTORED} {LIVE}"));
    let mut again = main;
    again["metadata"]["annotations"][names::RESTORED] = "run:1".into();
    let again = Scene { main: again, ready: &["shop-hotfix"], ..Scene::shifted() };
    assert_eq!(outline(again, &restore(1))[0], format!("shop: {LIVE}"));
}

#[test]
fn two_patches_of_one_object_build_on_each_other() {
    let verb = Verb::Restore {
        snapshot: WorkloadSnapshot {
            slot: slot("hotfix"),
            release: release(2),
            replicas: NonZeroU16::new(2).unwrap(),
            backend: Value::Null,
        },
    };
    let sight = Scene { selected: "shop", ..Scene::shifted() }.sight();
    let steps = steps(&sight, &call(), &verb, "d", &Overrides::default()).unwrap();
    let fences: Vec<(&str, Value, Value)> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Patch(write) => {
                let patch = serde_json::to_value(&write.patch).unwrap();
                Some((write.object.name.as_str(), patch[0]["value"].clone(), patch[1]["value"].clone()))
            }
            _ => None,
        })
        .collect();
    let claimed = json!(r#"{"stamp":"1.1"}"#);
    assert_eq!(fences[0], ("shop", json!(r#"{"stamp":"1.0"}"#), claimed.clone()));
    assert_eq!(fences[1].0, "shop", "the Service of the same name");
    assert_eq!(fences[2].1, claimed, "the second patch of the Deployment begins where the first ended");
    assert_eq!(fences.len(), 3);
}

#[test]
fn a_slot_whose_release_has_no_name_does_not_block_a_restore() {
    let mut hotfix = deployment("shop-hotfix", &release(2), 2, None);
    hotfix["spec"]["template"]["spec"]["containers"][0]["image"] = "shop/web:latest".into();
    let strange = || Scene { hotfix: hotfix.clone(), ..Scene::shifted() };
    assert!(strange().sight().layout(Naming::Strict).is_err());
    let layout = strange().sight().layout(Naming::Lenient).unwrap();
    assert_eq!(layout.held(&slot("hotfix")), None);
    assert_eq!(outline(strange(), &restore(1)).len(), 4);
}

#[test]
fn what_cannot_run_or_was_not_adopted_is_refused() {
    let tree = hotfix_core::model::ObjectId::new("0".repeat(40)).unwrap();
    let tree = Release { artifact: Artifact::Tree(tree), ..release(2) };
    let verb = Verb::Stage { slot: slot("hotfix"), release: tree, replicas: NonZeroU16::MIN };
    let refused = |sight: &Sight, verb: &Verb| {
        steps(sight, &call(), verb, "d", &Overrides::default()).unwrap_err().to_string()
    };
    let message = refused(&Scene::before().sight(), &verb);
    assert!(message.contains("cannot run in a cluster; only images by digest"), "{message}");
    let mut bare = Scene::before().sight();
    bare.hotfix = None;
    let message = refused(&bare, &Verb::Promote { slot: slot("main") });
    assert_eq!(message, "Deployment prod/shop was never adopted; adopt the target first");
}
