use serde_json::json;

use super::super::patched::{hotfix, json, patched, slots};
use super::*;
use crate::traffic::Objections;

fn backend() -> HttpRoute {
    HttpRoute {
        namespace: "prod".to_owned(),
        name: "shop".to_owned(),
        slots: slots(),
        services: "prod".to_owned(),
        main: "shop".to_owned(),
        hotfix: "shop-hotfix".to_owned(),
        rules: Rules::Every,
        testers: None,
    }
}

fn named(name: &str) -> HttpRoute {
    HttpRoute { rules: Rules::Named(BTreeSet::from([name.to_owned()])), ..backend() }
}

fn to(name: &str, weight: Value) -> Value {
    json!({"group": "", "kind": "Service", "name": name, "port": 80, "weight": weight})
}

fn object(rules: Value) -> Value {
    json!({
        "metadata": {"name": "shop", "namespace": "prod", "generation": 4},
        "spec": {"parentRefs": [{"name": "edge"}], "rules": rules}
    })
}

fn shop(main: u32, hotfix: u32) -> Value {
    let filters = json!([{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x"]}}]);
    let mut canary = to("shop-hotfix", json!(hotfix));
    canary["filters"] = filters.clone();
    object(json!([
        {"filters": [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https"}}]},
        {"name": "web", "filters": filters, "backendRefs": [to("shop", json!(main)), canary]},
    ]))
}

#[test]
fn a_shift_replaces_two_numbers_and_tests_what_was_read() {
    assert_eq!(backend().read(&shop(1, 0)), Ok(hotfix(0)));
    let golden = json!([
        {"op": "test", "path": "/metadata/generation", "value": 4},
        {"op": "test", "path": "/spec/rules/1/backendRefs/0/weight", "value": 1},
        {"op": "replace", "path": "/spec/rules/1/backendRefs/0/weight", "value": 95},
        {"op": "test", "path": "/spec/rules/1/backendRefs/1/weight", "value": 0},
        {"op": "replace", "path": "/spec/rules/1/backendRefs/1/weight", "value": 5},
    ]);
    let patch = backend().write(&shop(1, 0), &hotfix(5)).unwrap();
    assert_eq!(patched(&shop(1, 0), &patch), shop(95, 5));
    assert_eq!(json(patch), golden);
    assert_eq!(backend().write(&shop(1, 0), &hotfix(0)), Ok(Vec::new()));
}

#[test]
fn a_weight_that_is_not_written_is_one() {
    let object = object(json!([{"backendRefs": [{"name": "shop"}, {"name": "shop-hotfix"}]}]));
    assert_eq!(backend().read(&object), Ok(hotfix(50)));
    let golden = json!([
        {"op": "test", "path": "/metadata/generation", "value": 4},
        {"op": "add", "path": "/spec/rules/0/backendRefs/0/weight", "value": 100},
        {"op": "add", "path": "/spec/rules/0/backendRefs/1/weight", "value": 0},
    ]);
    assert_eq!(json(backend().write(&object, &hotfix(0)).unwrap()), golden);
}

#[test]
fn a_rule_that_somebody_adds_keeps_no_undo_from_the_others() {
    let with_added = |main: u8, hotfix: u8| {
        let pair = json!([to("shop", json!(main)), to("shop-hotfix", json!(hotfix))]);
        object(json!([{"backendRefs": [to("shop-hotfix", json!(1))]}, {"backendRefs": pair}]))
    };
    assert_eq!(backend().read(&with_added(75, 25)).unwrap_err().path, "/spec/rules/0/backendRefs");
    let undo = backend().write(&with_added(75, 25), &hotfix(0)).unwrap();
    assert_eq!(patched(&with_added(75, 25), &undo), with_added(100, 0));
}

#[test]
fn backends_of_the_same_name_elsewhere_are_others() {
    let mut elsewhere = to("shop", json!(300));
    elsewhere["namespace"] = json!("staging");
    let mut import = to("shop-hotfix", json!(100));
    import["group"] = json!("multicluster.x-k8s.io");
    let object = object(
        json!([{"backendRefs": [elsewhere, import, to("shop", json!(9)), to("shop-hotfix", json!(1))]}]),
    );
    assert_eq!(backend().read(&object), Ok(hotfix(10)));
    let after = patched(&object, &backend().write(&object, &hotfix(0)).unwrap());
    let mut expected = object.clone();
    expected["spec"]["rules"][0]["backendRefs"][2]["weight"] = json!(10);
    expected["spec"]["rules"][0]["backendRefs"][3]["weight"] = json!(0);
    assert_eq!(after, expected);
}

/// Each shape that is not understood, where, and what is said of it.
#[test]
fn refusals_name_the_place_and_the_mend() {
    let rule = |refs: Value| object(json!([{"name": "web", "backendRefs": refs}]));
    let cases = [
        (backend(), json!({}), "/spec: is not there; give the HTTPRoute rules"),
        (backend(), json!({"spec": {"rules": 7}}), "/spec/rules: 7 is not a list"),
        (
            backend(),
            object(json!([])),
            "/spec: no rule has backends shop and shop-hotfix; add both to one, the second with weight 0",
        ),
        (
            backend(),
            rule(json!([to("shop", json!(null))])),
            "/spec/rules/0/backendRefs: sends traffic to shop and has no backend shop-hotfix; add it with weight 0",
        ),
        (
            backend(),
            rule(json!([to("shop-hotfix", json!(7))])),
            "/spec/rules/0/backendRefs: sends traffic to shop-hotfix and has no backend shop; add it with weight 0",
        ),
        (
            backend(),
            rule(json!([to("shop", json!(1.5))])),
            "/spec/rules/0/backendRefs/0/weight: 1.5 is not a whole number from 0 up",
        ),
        (
            backend(),
            rule(json!([to("shop", json!(1)), to("shop", json!(1))])),
            "/spec/rules/0/backendRefs/1: sends to the same slot as an entry before it; make one entry of both",
        ),
        (
            backend(),
            rule(json!([to("shop", json!(0)), to("shop-hotfix", json!(0))])),
            "/spec/rules/0/backendRefs: the weights of both slots are 0; give one of them the traffic",
        ),
        (
            backend(),
            rule(json!([to("shop", json!(2)), to("shop-hotfix", json!(1))])),
            "/spec/rules/0/backendRefs: the weights 2 and 1 are no whole percents; write weights that sum to 100",
        ),
        (backend(), rule(json!([{"name": 7}])), "/spec/rules/0/backendRefs/0/name: 7 is not a text"),
        (named("api"), shop(1, 0), "/spec/rules: no rule has the name api; add it or name another"),
        (
            named("web"),
            object(json!([{"name": "web"}])),
            "/spec/rules/0/backendRefs: is not there; name a rule with backends",
        ),
        (
            named("web"),
            rule(json!([to("legacy", json!(1))])),
            "/spec/rules/0/backendRefs: no rule has backends shop and shop-hotfix; add both to one, the second with weight 0",
        ),
    ];
    for (backend, object, expected) in cases {
        let refused = backend.read(&object).unwrap_err().to_string();
        assert_eq!(refused, format!("HTTPRoute prod/shop at {expected}"));
    }
}

fn condition(kind: &str, status: &str, generation: Value) -> Value {
    json!({"type": kind, "status": status, "reason": "Why", "message": "said so", "observedGeneration": generation})
}

fn parent(name: &str, accepted: Value, resolved: Value) -> Value {
    json!({"parentRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": name},
        "controllerName": "example.com/gateway", "conditions": [accepted, resolved]})
}

#[test]
fn in_force_is_what_every_parent_accepted_in_this_generation() {
    let yes = |kind: &str| condition(kind, "True", json!(4));
    let good = || parent("edge", yes("Accepted"), yes("ResolvedRefs"));
    let refused = |reason: &str| Uptake::Refused { reason: reason.to_owned() };
    let cases = [
        (json!([]), Uptake::Pending),
        (json!([good()]), Uptake::InForce),
        (json!([parent("other", yes("Accepted"), yes("ResolvedRefs"))]), Uptake::Pending),
        (
            json!([good(), parent("other", condition("Accepted", "False", json!(4)), yes("ResolvedRefs"))]),
            Uptake::InForce,
        ),
        (
            json!([parent("edge", condition("Accepted", "True", json!(3)), yes("ResolvedRefs"))]),
            Uptake::Pending,
        ),
        (
            json!([parent("edge", condition("Accepted", "False", json!(3)), yes("ResolvedRefs"))]),
            Uptake::Pending,
        ),
        (
            json!([parent("edge", condition("Accepted", "True", json!(null)), yes("ResolvedRefs"))]),
            Uptake::InForce,
        ),
        (
            json!([parent("edge", condition("Accepted", "Unknown", json!(4)), yes("ResolvedRefs"))]),
            Uptake::Pending,
        ),
        (json!([parent("edge", yes("Accepted"), yes("Other"))]), Uptake::Pending),
        (
            json!([parent("edge", yes("Accepted"), condition("ResolvedRefs", "False", json!(4)))]),
            refused("edge says not ResolvedRefs: Why: said so"),
        ),
        (
            json!([parent("edge", condition("Accepted", "False", json!(4)), yes("ResolvedRefs"))]),
            refused("edge says not Accepted: Why: said so"),
        ),
    ];
    for (parents, uptake) in cases {
        let mut object = shop(90, 10);
        object["status"] = json!({"parents": parents});
        assert_eq!(backend().uptake(&object, &Objections::default()), uptake, "{parents}");
    }
    let orphan = json!({"spec": {}});
    assert_eq!(
        backend().uptake(&orphan, &Objections::default()),
        refused("names no parent in /spec/parentRefs, so nobody serves it")
    );
}

#[test]
fn what_stood_against_a_route_before_does_not_count_against_it() {
    let no = |kind: &str, generation: u8| condition(kind, "False", json!(generation));
    let yes = |kind: &str| condition(kind, "True", json!(4));
    let with = |parents: &Value| {
        let mut object = shop(90, 10);
        object["spec"]["parentRefs"] =
            json!([{"name": "edge"}, {"name": "old", "sectionName": "web", "port": 80}]);
        object["status"] = json!({"parents": parents});
        object
    };
    let edge = parent("edge", yes("Accepted"), yes("ResolvedRefs"));
    let old = |conditions: Value| json!({"parentRef": {"name": "old", "sectionName": "web", "port": 80}, "conditions": conditions});
    // Who does not accept it need not say anything else.
    let refused = with(&json!([edge, old(json!([no("Accepted", 4)]))]));
    let before = backend().objections(&refused);
    let said: Vec<_> = before.iter().collect();
    assert_eq!(said, ["Gateway prod/old, section web, port 80 says not Accepted: Why"]);
    assert_ne!(backend().uptake(&refused, &Objections::default()), Uptake::InForce);
    assert_eq!(backend().uptake(&refused, &before), Uptake::InForce);

    // It has not seen this generation, so it may say otherwise yet.
    let stale = with(&json!([edge, old(json!([no("Accepted", 3)]))]));
    assert_eq!(backend().objections(&stale), Objections::default());
    assert_eq!(backend().uptake(&stale, &before), Uptake::Pending);
    // Something else is wrong with it, or the other one refuses.
    let mut otherwise = no("Accepted", 4);
    otherwise["reason"] = json!("Other");
    let others = [
        json!([edge, old(json!([otherwise]))]),
        json!([parent("edge", no("Accepted", 4), yes("ResolvedRefs")), old(json!([no("Accepted", 4)]))]),
    ];
    for parents in others {
        let uptake = backend().uptake(&with(&parents), &before);
        assert!(matches!(uptake, Uptake::Refused { .. }), "{parents}: {uptake:?}");
    }

    let silent = with(&json!([edge]));
    let before = backend().objections(&silent);
    assert_eq!(
        before.iter().collect::<Vec<_>>(),
        ["Gateway prod/old, section web, port 80 says nothing of it"]
    );
    assert_eq!(backend().uptake(&silent, &before), Uptake::InForce);
    assert_eq!(backend().uptake(&refused, &before), backend().uptake(&refused, &Objections::default()));
}
