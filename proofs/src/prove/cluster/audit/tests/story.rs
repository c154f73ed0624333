//! A server's log as it is after a sound run, to be forged.

use serde_json::{Value, json};

use super::super::super::way;
use super::super::{Evidence, Side, check};
use crate::prove::audit::{Findings, Journal};

pub(super) const US: &str = "system:serviceaccount:kill:hotfix";
pub(super) const ROUTE: &str = "virtualservices/shop";

/// A log that grows, and the fences that it leaves on the objects.
#[derive(Clone)]
pub(super) struct Story {
    pub(super) log: Vec<Value>,
    /// Milliseconds since the beginning.
    pub(super) now: i64,
    pub(super) fences: std::collections::BTreeMap<String, Value>,
}

pub(super) fn time(ms: i64) -> String {
    format!("2026-11-28T12:00:{:02}.{:03}000Z", ms / 1000, ms % 1000)
}

/// The same in microseconds since 1970, as the journal has it.
pub(super) fn micros(ms: i64) -> i64 {
    chrono::DateTime::parse_from_rfc3339(&time(ms)).expect("a time").timestamp_micros()
}

impl Story {
    /// Somebody changes something, ten milliseconds after the last change.
    pub(super) fn event(&mut self, user: &str, verb: &str, object: &str, body: Value) {
        self.now += 10;
        let words: Vec<&str> = object.split('/').collect();
        let mut reference = json!({"resource": words[0], "name": words[1], "namespace": "kill"});
        if let Some(part) = words.get(2) {
            reference["subresource"] = json!(part);
        }
        self.log.push(json!({
            "verb": verb, "user": {"username": user}, "objectRef": reference, "requestObject": body,
            "responseStatus": {"code": 200},
            "requestReceivedTimestamp": time(self.now), "stageTimestamp": time(self.now + 1),
        }));
    }

    pub(super) fn pod(&mut self, name: &str, ready: bool) {
        let status = if ready { "True" } else { "False" };
        let body = json!({"status": {"conditions": [{"type": "Ready", "status": status}]}});
        self.event("node-agent", "patch", &format!("pods/{name}/status"), body);
    }

    /// A patch of ours: the next fence, and whatever else it changes.
    pub(super) fn patch(&mut self, object: &str, fence: Value, changes: &[(&str, Value, Value)]) {
        let path = "/metadata/annotations/hotfix.dev~1fence";
        let before = self.fences.insert(object.to_owned(), fence.clone()).expect("it was adopted");
        let mut operations = vec![
            json!({"op": "test", "path": path, "value": before.to_string()}),
            json!({"op": "replace", "path": path, "value": fence.to_string()}),
            json!({"op": "test", "path": "/metadata/uid", "value": "u"}),
        ];
        for (path, old, new) in changes {
            operations.push(json!({"op": "test", "path": path, "value": old}));
            operations.push(json!({"op": "replace", "path": path, "value": new}));
        }
        self.event(US, "patch", object, Value::Array(operations));
    }

    /// A patch of ours that raises the fence of an object and does nothing else.
    pub(super) fn raise(&mut self, object: &str, stamp: &str) {
        let mut fence = self.fences[object].clone();
        fence["stamp"] = json!(stamp);
        self.patch(object, fence, &[]);
    }

    /// Somebody seals these objects.
    pub(super) fn seal(&mut self, objects: &[&str], stamp: &str) {
        for object in objects {
            let mut fence = sealed(stamp);
            if let Some(applied) = self.fences[*object].get("applied") {
                fence["applied"] = applied.clone();
            }
            self.patch(object, fence, &[]);
        }
    }

    /// The last event of the log, to be forged.
    pub(super) fn last(&mut self) -> &mut Value {
        self.log.last_mut().expect("an event")
    }

    pub(super) fn audit(&self, journal: &Journal) -> Vec<String> {
        let mut findings = Findings::default();
        let sides = [Side { user: US.to_owned(), journal }];
        check(&Evidence { log: &self.log, sides: &sides, way: &way::VIRTUAL_SERVICE }, &mut findings);
        assert!(findings.checks > 0, "nothing was looked at");
        findings.violations
    }

    /// The only thing that is wrong.
    pub(super) fn found(&self) -> String {
        let found = self.audit(&journal());
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    }
}

pub(super) fn stamped(stamp: &str) -> Value {
    json!({"stamp": stamp})
}

pub(super) fn recorded(stamp: &str, key: &str) -> Value {
    json!({"stamp": stamp, "applied": [{"key": key, "digest": "d", "stamp": stamp, "receipt": "r"}]})
}

pub(super) fn sealed(stamp: &str) -> Value {
    json!({"stamp": stamp, "sealed": {"stamp": stamp, "previous": "1.0"}})
}

/// All objects, the anchor first.
pub(super) const OBJECTS: [&str; 3] = [ROUTE, "deployments/shop", "deployments/shop-hotfix"];

pub(super) fn intent(step: u16, seq: u32) -> Value {
    json!({"kind": "intent", "body": {"step": step, "stamp": {"epoch": 1, "seq": seq}, "key": format!("run-1:{step}")}})
}

pub(super) fn planned() -> Value {
    json!({"kind": "planned", "body": {"plan": {"steps": [0, 1, 2, 3, 4]}}})
}

pub(super) fn records() -> Vec<(&'static str, i64, Value)> {
    vec![
        ("run-1", micros(55), planned()),
        ("run-1", micros(60), intent(1, 1)),
        ("run-1", micros(85), intent(2, 2)),
        ("run-1", micros(5000), json!({"kind": "terminal", "body": {"outcome": "succeeded"}})),
    ]
}

pub(super) fn journal() -> Journal {
    Journal::timed(&records())
}

/// Adopted, and a release staged beside the live one.
pub(super) fn staged() -> Story {
    let mut story = Story { log: Vec::new(), now: 0, fences: std::collections::BTreeMap::new() };
    let route = json!([
        {"destination": {"host": "shop"}, "weight": 100}, {"destination": {"host": "shop-hotfix"}, "weight": 0},
    ]);
    story.event("tester", "create", ROUTE, json!({"spec": {"http": [{"route": route}]}}));
    story.pod("shop-86f-aaaaa", true);
    let fence = json!({"hotfix.dev/fence": stamped("0.0").to_string()});
    story.event(US, "create", "deployments/shop-hotfix", json!({"metadata": {"annotations": fence}}));
    for object in ["deployments/shop", ROUTE] {
        let path = "/metadata/annotations/hotfix.dev~1fence";
        let first = json!([
            {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
            {"op": "add", "path": path, "value": stamped("0.0").to_string()},
        ]);
        story.event(US, "patch", object, first);
    }
    story.fences = OBJECTS.map(|object| (object.to_owned(), stamped("0.0"))).into();
    story.patch(ROUTE, stamped("1.1"), &[]);
    story.patch("deployments/shop-hotfix", recorded("1.1", "run-1:1"), &[]);
    story.pod("shop-hotfix-5d4-bbbbb", true);
    story
}

pub(super) const HALF: [(&str, i64, i64); 2] =
    [("/spec/http/0/route/0/weight", 100, 50), ("/spec/http/0/route/1/weight", 0, 50)];

/// Half of the traffic goes to the new side, and the old one knows of it.
pub(super) fn shift(story: &mut Story) {
    story.patch(ROUTE, stamped("1.2"), &[]);
    story.patch("deployments/shop", stamped("1.2"), &[]);
    let half = HALF.map(|(path, old, new)| (path, json!(old), json!(new)));
    story.patch(ROUTE, recorded("1.2", "run-1:2"), &half);
}

pub(super) fn shifted() -> Story {
    let mut story = staged();
    shift(&mut story);
    story
}
