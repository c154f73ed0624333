//! A restore that meets what others did meanwhile: objects that are gone or made anew, pods that are missing, templates
//! and routes that they changed.

use hotfix_core::model::Precondition;

use super::*;
use crate::config::{HttpRouteTraffic, Traffic};

/// A snapshot of the main slot as it is in a scene, release 1.
fn snapshot(scene: &Scene) -> WorkloadSnapshot {
    let template = scene.main["spec"]["template"].clone();
    let backend =
        json!({"format": 1, "template": template, "strategy": null, "selector": null, "weights": null});
    let replicas = NonZeroU16::new(sight::replicas(&scene.main)).unwrap();
    WorkloadSnapshot { slot: slot("main"), release: release(1), replicas, backend }
}

/// The fix has the traffic, and the main slot is as it was.
fn shifted(image: Option<&str>) -> Scene {
    let mut scene = Scene { main: deployment("shop", &release(1), 3, None), ..Scene::shifted() };
    if let Some(image) = image {
        scene.main["spec"]["template"]["spec"]["containers"][0]["image"] = image.into();
    }
    scene
}

/// What an undo expects: the release that was live or the one that was deployed.
fn expected() -> Precondition {
    let live = [release(1), release(2)].map(|release| release.artifact.id()).into();
    Precondition { live, holds: None }
}

fn back(snapshot: &WorkloadSnapshot) -> Verb {
    Verb::Restore { snapshot: snapshot.clone() }
}

const SWITCH: &str = "route: /spec/selector/app";

fn emptied() -> Vec<String> {
    vec!["until Hotfix is left".to_owned(), format!("shop-hotfix*: {MARK} /spec/replicas")]
}

#[test]
fn a_copy_that_somebody_deleted_keeps_no_traffic_from_going_back() {
    let snapshot = snapshot(&shifted(None));
    for live in ["main", "hotfix"] {
        let mut sight = shifted(None).sight();
        sight.main.value["metadata"]["annotations"][names::LIVE] = live.into();
        sight.hotfix = None;
        assert_eq!(sight.layout_before(&snapshot).unwrap().holds(&expected()), Ok(()), "{live}");
        let marked = if live == "main" {
            vec!["route*: /spec/selector/app".to_owned()]
        } else {
            vec![SWITCH.to_owned(), format!("shop*: {LIVE}")]
        };
        assert_eq!(outline_of(&sight, &back(&snapshot), Beside::default()), marked, "{live}");
    }
}

#[test]
fn an_object_without_a_fence_gets_one_with_the_first_patch_of_a_restore_alone() {
    let mut sight = shifted(None).sight();
    sight.route.value["metadata"] = json!({"resourceVersion": "7"});
    sight.route.fence = None;
    let (overrides, undo) = (Overrides::default(), back(&snapshot(&shifted(None))));
    let steps = |sight: &Sight, verb: &Verb| steps(sight, &call(), verb, "d", &overrides, Beside::default());
    let Step::Patch(first) = steps(&sight, &undo).unwrap().remove(0) else { panic!("it is the switch") };
    let fence = "/metadata/annotations/hotfix.dev~1fence";
    let golden = json!([
        {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "add", "path": "/metadata/annotations", "value": {}},
        {"op": "add", "path": fence, "value": r#"{"stamp":"1.1"}"#},
        {"op": "test", "path": "/spec/selector/app", "value": "shop-hotfix"},
        {"op": "replace", "path": "/spec/selector/app", "value": "shop"},
    ]);
    assert_eq!(serde_json::to_value(&first.patch).unwrap(), golden);

    let shift = Verb::Shift { weights: Weights::all(slot("main")) };
    let adopt = "Service prod/shop was never adopted; adopt the target first";
    assert_eq!(steps(&sight, &shift).unwrap_err().to_string(), adopt);
    // Nothing says that it ever was.
    (sight.main.fence, sight.hotfix) = (None, None);
    assert_eq!(steps(&sight, &undo).unwrap_err().to_string(), adopt);
}

#[test]
fn a_baseline_without_pods_is_told_by_its_template() {
    let tagged = || shifted(Some("shop/web:1.0.1"));
    let snapshot = snapshot(&tagged());
    let holds = |scene: Scene| scene.sight().layout_before(&snapshot).unwrap().holds(&expected());
    let pending = || Scene { ready: &["shop-hotfix"], ..tagged() };
    assert_eq!(holds(pending()), Ok(()), "no pod tells the digest");
    let mut scaled = pending();
    scaled.main["spec"]["replicas"] = 0.into();
    assert_eq!(holds(scaled), Ok(()), "an autoscaler scaled it to nothing");
    let other = holds(Scene { ready: &[], ..shifted(Some("shop/web:1.0.9")) }).unwrap_err();
    assert_eq!(other.found, "live nothing");
    let mut other = shifted(None);
    other.main = deployment("shop", &release(9), 0, None);
    assert_eq!(holds(other).unwrap_err().found, format!("live {}", release(9).artifact.id()));

    let anew = [
        "route: ".to_owned(),
        format!("shop: /spec/template {RESTORED} {LIVE}"),
        "until Main is ready".to_owned(),
        SWITCH.to_owned(),
    ];
    assert_eq!(outline(pending(), &back(&snapshot)), [&anew[..], &emptied()].concat());
}

#[test]
fn what_somebody_else_made_of_the_template_stays_where_a_pod_is_ready() {
    let snapshot = snapshot(&shifted(None));
    let edited = || {
        let mut scene = shifted(None);
        scene.main["spec"]["template"]["spec"]["containers"][0]["env"] = json!([{"name": "A", "value": "1"}]);
        scene
    };
    let said = |scene: Scene| Edited::find(&scene.sight(), &snapshot).map(|edited| edited.to_string());
    let left = [&[SWITCH.to_owned(), format!("shop: {LIVE}")], &emptied()[..]].concat();
    assert_eq!(outline(edited(), &back(&snapshot)), left);
    let at = "Deployment prod/shop at /spec/template, which somebody else changed beside the image";
    assert_eq!(said(edited()), Some(format!("left as it is: {at}")));
    assert_eq!(said(shifted(None)), None);

    let dead = || Scene { ready: &["shop-hotfix"], ..edited() };
    let template = format!("shop: /spec/template {RESTORED} {LIVE}");
    assert_eq!(outline(dead(), &back(&snapshot))[1], template);
    assert_eq!(said(dead()), Some(format!("put back as it was: {at}: no pod of it was ready")));

    // The fix was staged there, so the rest of the template is the run's.
    let mut staged = edited();
    staged.main["metadata"]["annotations"][names::RELEASE] = Mark::text(&release(2)).into();
    assert_eq!(said(Scene { main: staged.main.clone(), ..edited() }), None);
    assert_eq!(outline(staged, &back(&snapshot))[1], template);
}

#[test]
fn a_container_that_somebody_adds_keeps_no_traffic_from_going_back() {
    let snapshot = snapshot(&shifted(None));
    let mut scene = shifted(None);
    let containers = &mut scene.main["spec"]["template"]["spec"]["containers"];
    containers.as_array_mut().unwrap().push(json!({"name": "proxy", "image": "proxy:1"}));
    let sight = scene.sight();
    assert!(sight.layout(Naming::Strict).unwrap_err().to_string().contains("web, proxy as containers"));
    assert_eq!(sight.layout_before(&snapshot).unwrap().holds(&expected()), Ok(()));
    let left = [&[SWITCH.to_owned(), format!("shop: {LIVE}")], &emptied()[..]].concat();
    assert_eq!(outline_of(&sight, &back(&snapshot), Beside::default()), left);
}

#[test]
fn a_slot_that_a_route_was_moved_from_is_emptied_when_that_is_in_force() {
    let outlined = |status: Value| {
        let scene = shifted(None);
        let snapshot = snapshot(&scene);
        let mut sight = scene.sight();
        sight.main.value["metadata"]["annotations"][names::LIVE] = "main".into();
        let traffic = Traffic::HttpRoute(HttpRouteTraffic::default());
        let config = TargetConfig { namespace: "prod".to_owned(), traffic, ..TargetConfig::default() };
        let Means::Route(traffic) = config.traffic.means(&Names::of(&config), &sight.shape, &sight.slots)
        else {
            unreachable!("it is a route")
        };
        let to = |name: &str, weight: u8| json!({"name": name, "port": 80, "weight": weight});
        sight.route.value = json!({
            "metadata": {"annotations": {names::FENCE: r#"{"stamp":"1.0"}"#}, "generation": 2},
            "spec": {"parentRefs": [{"name": "front"}], "rules": [{"backendRefs": [to("", 100), to("-hotfix", 0)]}]},
            "status": {"parents": [{"parentRef": {"name": "front"}, "conditions": status}]},
        });
        sight.traffic = traffic;
        outline_of(&sight, &back(&snapshot), Beside::default())
    };
    let says = |generation: u8| {
        let condition =
            |kind: &str| json!({"type": kind, "status": "True", "observedGeneration": generation});
        json!([condition("Accepted"), condition("ResolvedRefs")])
    };
    assert_eq!(outlined(says(1)), [&["route: ".to_owned()], &emptied()[..]].concat());
    assert_eq!(outlined(says(2)), ["route: ", &emptied()[1]]);
}
