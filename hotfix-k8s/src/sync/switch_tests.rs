use json_patch::Patch;
use serde_json::json;

use super::*;

const TOOLS: [Tool; 3] = [Tool::ArgoCd, Tool::FluxKustomize, Tool::FluxHelm];

fn applied(owner: &Value, patch: &[PatchOperation]) -> Value {
    let mut after = owner.clone();
    json_patch::patch(&mut after, &Patch(patch.to_vec())).unwrap();
    after
}

#[test]
fn what_is_switched_off_comes_back_as_it_was() {
    let cases = [
        (
            Tool::ArgoCd,
            json!({"spec": {"syncPolicy": {"automated": {"prune": true}, "retry": {"limit": 2}}}}),
        ),
        (Tool::ArgoCd, json!({"spec": {"syncPolicy": {"automated": {}}}})),
        (Tool::FluxKustomize, json!({"spec": {"interval": "1m"}})),
        (Tool::FluxHelm, json!({"spec": {"suspend": false}})),
    ];
    for (tool, owner) in cases {
        let Sync::On(was) = read(tool, &owner) else { panic!("{owner}") };
        let quiet = applied(&owner, &off(tool, &owner));
        assert_eq!(read(tool, &quiet), Sync::Off, "{quiet}");
        assert_eq!(applied(&quiet, &on(tool, &quiet, &was)), owner);
    }
    let bare = json!({"spec": {}});
    let back = applied(&bare, &on(Tool::ArgoCd, &bare, &Was::Value(json!({"prune": true}))));
    assert_eq!(back, json!({"spec": {"syncPolicy": {"automated": {"prune": true}}}}));
}

#[test]
fn what_somebody_else_switched_off_is_theirs() {
    for automated in [json!(null), json!({"enabled": false, "prune": true})] {
        let owner = json!({"spec": {"syncPolicy": {"automated": automated}}});
        assert_eq!(read(Tool::ArgoCd, &owner), Sync::OffByOthers);
    }
    let on = json!({"spec": {"syncPolicy": {"automated": {"enabled": true}}}});
    assert_eq!(read(Tool::ArgoCd, &on), Sync::On(Was::Value(json!({"enabled": true}))));
}

#[test]
fn who_applies_an_owner_would_switch_it_on_again() {
    let set = json!({"metadata": {"ownerReferences": [{"kind": "ApplicationSet", "name": "shops"}]}});
    assert_eq!(above(Tool::ArgoCd, &set).as_deref(), Some("ApplicationSet shops"));
    let root = json!({"metadata": {"labels": {"argocd.argoproj.io/instance": "root"}}});
    let flux = |fields: Value| {
        json!({"metadata": {
            "labels": {"kustomize.toolkit.fluxcd.io/name": "root"},
            "managedFields": [{"manager": "kustomize-controller", "fieldsV1": {"f:spec": fields}}],
        }})
    };
    for tool in TOOLS {
        assert!(above(tool, &root).unwrap().starts_with("Argo CD application root"), "{tool:?}");
        assert!(above(tool, &flux(json!({"f:suspend": {}}))).is_some(), "{tool:?}");
        let leaves_it = above(tool, &flux(json!({"f:interval": {}}))).is_none();
        assert_eq!(leaves_it, tool != Tool::ArgoCd, "{tool:?}");
        assert_eq!(above(tool, &json!({"metadata": {}})), None);
    }
}
