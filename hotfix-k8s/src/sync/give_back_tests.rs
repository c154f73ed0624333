use json_patch::Patch;
use serde_json::json;

use super::super::note::Was;
use super::*;

fn target(name: &str) -> Target {
    name.parse().unwrap()
}

fn noted(off: Option<Off>) -> Note {
    let was = Note { was: Some(Was::Value(json!({"prune": true}))), ..Note::default() };
    was.with(&target("production/shop"), Entry { stamp: Stamp::new(1, 3), off })
}

fn decided(value: &Value, note: &Note, seq: u32) -> (Given, Option<Note>, Value) {
    let decision = give_back(Tool::ArgoCd, value, note, &target("production/shop"), Stamp::new(1, seq));
    let (note, patch) = decision.write.map_or((None, Vec::new()), |(note, patch)| (Some(note), patch));
    let mut after = value.clone();
    json_patch::patch(&mut after, &Patch(patch)).unwrap();
    (decision.answer, note, after)
}

#[test]
fn a_sync_comes_back_as_it_was_when_nobody_else_needs_it_off() {
    let off = json!({"spec": {"syncPolicy": {"retry": {"limit": 1}}}});
    let back = json!({"spec": {"syncPolicy": {"automated": {"prune": true}, "retry": {"limit": 1}}}});
    let run = noted(Some(Off::Run(Stamp::new(1, 1))));
    let free = Note::default().with(&target("production/shop"), Entry { stamp: Stamp::new(1, 4), off: None });
    assert_eq!(decided(&off, &run, 4), (Given::Back, Some(free), back));
    assert_eq!(decided(&off, &run, 2), (Given::Fenced, None, off.clone()));
    assert_eq!(decided(&off, &noted(None), 4), (Given::NotOurs, None, off.clone()));
    let pay = Entry { stamp: Stamp::new(9, 9), off: Some(Off::Ahead) };
    let (given, note, after) = decided(&off, &run.with(&target("production/pay"), pay), 4);
    assert_eq!((given, after), (Given::ForAnother, off));
    assert!(note.is_some_and(|note| note.was.is_some()));
}

#[test]
fn what_somebody_else_wrote_meanwhile_stays() {
    for automated in [json!({"selfHeal": true}), json!({"enabled": false})] {
        let theirs = json!({"spec": {"syncPolicy": {"automated": automated}}});
        let (given, note, after) = decided(&theirs, &noted(Some(Off::Run(Stamp::new(1, 1)))), 4);
        assert_eq!((given, after), (Given::ByOthers, theirs));
        assert_eq!(note.and_then(|note| note.was), None);
    }
}

#[test]
fn an_application_says_of_each_object_whether_it_is_as_git_says() {
    let main = ObjectRef::deployment("prod", "shop");
    let found = |kind: &str, status: &str| {
        let group = if kind == "Deployment" { json!("apps") } else { json!(null) };
        json!({"group": group, "kind": kind, "namespace": "prod", "name": "shop", "status": status})
    };
    let app = |deployment: &str| json!({"status": {"resources": [found("Service", "Synced"), found("Deployment", deployment)]}});
    assert!(is_synced(&app("Synced"), &main));
    assert!(!is_synced(&app("OutOfSync"), &main));
    assert!(!is_synced(&json!({}), &main));
}
