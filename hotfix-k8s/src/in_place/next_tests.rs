use std::num::NonZeroU16;

use super::*;
use crate::example::{image_of, release};
use crate::in_place::View;
use crate::object::ObjectRef;
use crate::sight::Object;
use crate::slot::Slots;

/// Three pods of release 1, which nobody staged.
fn scene(kind: SetKind) -> InPlace {
    let mut value = json!({
        "metadata": {"name": "shop", "generation": 3, "annotations": {"hotfix.dev/fence": "{\"stamp\":\"1.0\"}"}},
        "spec": {
            "selector": {"matchLabels": {"app": "shop"}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            "template": {
                "metadata": {"labels": {"app": "shop"}},
                "spec": {"containers": [{"name": "web", "image": image_of(1)}]},
            },
        },
        "status": {"observedGeneration": 3, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3},
    });
    if kind == SetKind::StatefulSet {
        value["spec"]["replicas"] = 3.into();
    }
    InPlace {
        slots: Slots::new(),
        view: View::read(kind, &value).unwrap(),
        object: Object { reference: ObjectRef::set(kind.name(), "prod", "shop"), value, fence: None },
        pods: ["a", "b", "c"].map(|name| pod(name, None, true)).into(),
        container: "web".to_owned(),
    }
}

fn pod(name: &str, artifact: Option<&str>, is_ready: bool) -> Pod {
    let mut pod = Pod::read(&json!({"metadata": {"name": name, "uid": format!("uid-{name}")}}));
    pod.artifact = artifact.map(str::to_owned);
    pod.is_ready = is_ready;
    pod
}

fn label_of(patch: u8) -> String {
    format!("{patch:02x}").repeat(8)
}

fn slot(name: &str) -> SlotName {
    SlotName::new(name).unwrap()
}

fn stage_verb(patch: u8, count: u16) -> Verb {
    let replicas = NonZeroU16::new(count).unwrap();
    Verb::Stage { slot: slot("hotfix"), release: release(patch), replicas }
}

fn take(sight: &InPlace, verb: &Verb) -> Next {
    next(sight, verb, "run-1", &Overrides::default()).unwrap()
}

/// Changes the object as the server would, and has its controller see it.
fn apply(sight: &mut InPlace, patch: &[PatchOperation]) {
    json_patch::patch(&mut sight.object.value, patch).unwrap();
    sight.view = View::read(sight.view.kind, &sight.object.value).unwrap();
}

fn finish(sight: &mut InPlace, verb: &Verb) -> Vec<String> {
    let Next::Finish(patch) = take(sight, verb) else { panic!("{:?}", take(sight, verb)) };
    apply(sight, &patch);
    let changes = patch.iter().filter(|change| !matches!(change, PatchOperation::Test(_)));
    changes.map(|change| change.path().to_string()).collect()
}

#[test]
fn a_stateful_set_gets_template_and_partition_in_one_patch() {
    let mut sight = scene(SetKind::StatefulSet);
    let before = sight.object.value["spec"].clone();
    let marks = "/metadata/annotations/hotfix.dev~1slots";
    let paths = finish(&mut sight, &stage_verb(2, 1));
    assert_eq!(paths, ["/spec/template", "/spec/updateStrategy", marks]);
    let strategy = |sight: &InPlace| sight.object.value["spec"]["updateStrategy"].clone();
    let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "partition": 2}});
    assert_eq!(strategy(&sight), rolling);
    assert_eq!(sight.view.replicas(Side::Hotfix), 1);
    assert_eq!(sight.view.label(Side::Hotfix), Some(&*label_of(2)));
    assert_eq!((sight.view.replicas(Side::Main), sight.view.label(Side::Main)), (3, None));

    assert_eq!(finish(&mut sight, &stage_verb(2, 1)), [] as [&str; 0]);
    assert_eq!(finish(&mut sight, &stage_verb(2, 3)), ["/spec/updateStrategy", marks]);
    assert_eq!(strategy(&sight)["rollingUpdate"]["partition"], 0);
    assert_eq!(finish(&mut sight, &Verb::Promote { slot: slot("hotfix") }), ["/spec/updateStrategy", marks]);
    assert_eq!(strategy(&sight), before["updateStrategy"]);
    assert_eq!(sight.held(Side::Main).unwrap().unwrap().release, release(1));
    assert_eq!(finish(&mut sight, &Verb::Retire { slot: slot("main") }), [marks]);
    assert_eq!(sight.held(Side::Main).unwrap(), None);
    assert_eq!(sight.held(Side::Hotfix).unwrap().unwrap().release, release(2));
}

#[test]
fn a_daemon_set_loses_as_many_pods_as_were_asked_for_and_unready_ones_first() {
    let mut sight = scene(SetKind::DaemonSet);
    sight.pods[2].is_ready = false;
    let Next::Write(patch) = take(&sight, &stage_verb(2, 1)) else { panic!("more is to be done") };
    apply(&mut sight, &patch);
    assert_eq!(sight.object.value["spec"]["updateStrategy"], json!({"type": "OnDelete"}));
    assert_eq!(take(&sight, &stage_verb(2, 1)), Next::End(vec![sight.pods[2].clone()]));

    // It is still the one, whatever becomes of the others.
    sight.pods[0].is_ready = false;
    assert_eq!(take(&sight, &stage_verb(2, 1)), Next::End(vec![sight.pods[2].clone()]));
    sight.pods[2].is_going = true;
    finish(&mut sight, &stage_verb(2, 1));
    assert_eq!(sight.view.marks.as_ref().unwrap().ending, BTreeSet::new());
    assert_eq!(take(&sight, &stage_verb(2, 1)), Next::Finish(Vec::new()));

    sight.pods[2] = pod("d", Some(&label_of(2)), true);
    let Next::Write(patch) = take(&sight, &stage_verb(2, 2)) else { panic!("more is to be done") };
    apply(&mut sight, &patch);
    assert_eq!(take(&sight, &stage_verb(2, 2)), Next::End(vec![sight.pods[0].clone()]));
}

#[test]
fn a_restore_puts_everything_back_and_ends_what_is_stuck() {
    for kind in [SetKind::StatefulSet, SetKind::DaemonSet] {
        let mut sight = scene(kind);
        let before = sight.object.value["spec"].clone();
        let held = sight.held(Side::Main).unwrap().unwrap();
        let snapshot = WorkloadSnapshot {
            slot: slot("main"),
            release: held.release,
            replicas: held.replicas,
            backend: Value::Null,
        };
        let restore = Verb::Restore { snapshot };
        match take(&sight, &stage_verb(2, 1)) {
            Next::Write(patch) | Next::Finish(patch) => apply(&mut sight, &patch),
            other => panic!("{other:?}"),
        }
        sight.pods[2] = pod("d", Some(&label_of(2)), false);
        sight.object.value["metadata"]["generation"] = 4.into();

        let Next::Write(patch) = take(&sight, &restore) else { panic!("more is to be done") };
        apply(&mut sight, &patch);
        assert_eq!(sight.object.value["spec"], before, "{kind:?}");
        assert_eq!(take(&sight, &restore), Next::End(vec![sight.pods[2].clone()]), "{kind:?}");
        sight.pods[2].is_going = true;
        let Next::Write(patch) = take(&sight, &restore) else { panic!("the name of the pod goes") };
        apply(&mut sight, &patch);
        assert_eq!(
            take(&sight, &restore),
            Next::Wait,
            "its controller may still make one of the other release"
        );
        sight.object.value["status"]["observedGeneration"] = 4.into();
        assert_eq!(take(&sight, &restore), Next::Finish(Vec::new()));
    }
}

#[test]
fn pods_of_which_none_is_ready_are_started_anew_once_per_restore() {
    let mut sight = scene(SetKind::StatefulSet);
    let held = sight.held(Side::Main).unwrap().unwrap();
    let snapshot = WorkloadSnapshot {
        slot: slot("main"),
        release: held.release,
        replicas: held.replicas,
        backend: Value::Null,
    };
    let restore = Verb::Restore { snapshot };
    sight.pods.iter_mut().for_each(|pod| pod.is_ready = false);
    let Next::Write(patch) = take(&sight, &restore) else { panic!("more is to be done") };
    apply(&mut sight, &patch);
    assert_eq!(take(&sight, &restore), Next::End(sight.pods.clone()));
    sight.pods = ["d", "e", "f"].map(|name| pod(name, None, false)).into();
    let Next::Write(patch) = take(&sight, &restore) else { panic!("their names go") };
    apply(&mut sight, &patch);
    assert_eq!(take(&sight, &restore), Next::Finish(Vec::new()), "the new ones are let be");
}

/// What brings back what a set was when it was seen like that.
fn back(sight: &InPlace) -> Verb {
    let (held, spec) = (sight.held(Side::Main).unwrap().unwrap(), &sight.object.value["spec"]);
    let backend = json!({"in_place": 1, "template": spec["template"], "strategy": spec["updateStrategy"]});
    let snapshot =
        WorkloadSnapshot { slot: slot("main"), release: held.release, replicas: held.replicas, backend };
    Verb::Restore { snapshot }
}

#[test]
fn a_restore_makes_no_set_smaller() {
    for (present, after) in [(10, 10), (3, 3), (1, 3), (0, 3)] {
        let mut sight = scene(SetKind::StatefulSet);
        let restore = back(&sight);
        sight.object.value["spec"]["replicas"] = present.into();
        sight.view = View::read(SetKind::StatefulSet, &sight.object.value).unwrap();
        let Next::Write(patch) = take(&sight, &restore) else { panic!("the mark is written") };
        apply(&mut sight, &patch);
        assert_eq!(sight.object.value["spec"]["replicas"], after, "{present}");
    }
}

#[test]
fn a_set_without_pods_is_told_by_its_template() {
    let mut sight = scene(SetKind::StatefulSet);
    let Verb::Restore { mut snapshot } = back(&sight) else { unreachable!("it is one") };
    let expected = hotfix_core::model::Precondition { live: [release(1).artifact.id()].into(), holds: None };
    let image = "/spec/template/spec/containers/0/image";
    *sight.object.value.pointer_mut(image).unwrap() = "shop/web:1.0.1".into();
    snapshot.backend["template"] = sight.object.value["spec"]["template"].clone();
    assert_eq!(sight.layout_before(&snapshot).unwrap().holds(&expected), Ok(()), "no pod tells the digest");
    sight.object.value["spec"]["replicas"] = 0.into();
    sight.view = View::read(SetKind::StatefulSet, &sight.object.value).unwrap();
    assert_eq!(sight.layout_before(&snapshot).unwrap().holds(&expected), Ok(()), "there is none");
    *sight.object.value.pointer_mut(image).unwrap() = image_of(9).into();
    let found = sight.layout_before(&snapshot).unwrap().holds(&expected).unwrap_err().found;
    assert_eq!(found, format!("live {}", release(9).artifact.id()));
}

#[test]
fn what_somebody_else_made_of_a_template_stays_while_no_rollout_is_under_way() {
    let mut sight = scene(SetKind::StatefulSet);
    let restore = back(&sight);
    let before = sight.object.value["spec"]["template"].clone();
    sight.object.value["spec"]["template"]["spec"]["containers"][0]["env"] =
        json!([{"name": "A", "value": "1"}]);
    let edited = sight.object.value["spec"]["template"].clone();
    let Next::Write(patch) = take(&sight, &restore) else { panic!("the mark is written") };
    let mut after = sight.object.value.clone();
    json_patch::patch(&mut after, &patch).unwrap();
    assert_eq!(after["spec"]["template"], edited);

    sight.pods.iter_mut().for_each(|pod| pod.is_ready = false);
    let Next::Write(patch) = take(&sight, &restore) else { panic!("the template is written") };
    apply(&mut sight, &patch);
    assert_eq!(sight.object.value["spec"]["template"], before);
}
