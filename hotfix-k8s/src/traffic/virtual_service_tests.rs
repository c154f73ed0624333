use serde_json::json;

use super::super::patched::{hosts, hotfix, json, patched};
use super::*;
use crate::traffic::Objections;

fn subsets() -> VirtualService {
    let of = Service { namespace: "prod".to_owned(), name: "shop".to_owned() };
    let destinations = Recipients::Subsets { of, main: "main".to_owned(), hotfix: "hotfix".to_owned() };
    VirtualService { destinations, ..hosts() }
}

fn named(names: &[&str]) -> VirtualService {
    let names = names.iter().map(|&name| name.to_owned()).collect();
    VirtualService { routes: Routes::Named(names), ..hosts() }
}

fn to(host: &str, weight: Value) -> Value {
    json!({"destination": {"host": host, "port": {"number": 80}}, "weight": weight})
}

fn object(http: Value) -> Value {
    json!({
        "metadata": {"name": "shop", "namespace": "prod", "generation": 7},
        "spec": {"hosts": ["shop.example.com"], "http": http}
    })
}

fn shop(main: u8, hotfix: u8) -> Value {
    object(json!([{
        "name": "primary",
        "match": [{"uri": {"prefix": "/"}}],
        "timeout": "3s",
        "route": [to("shop", json!(main)), to("shop-hotfix.prod.svc.cluster.local", json!(hotfix))]
    }]))
}

#[test]
fn a_shift_replaces_two_numbers_and_tests_what_was_read() {
    assert_eq!(hosts().read(&shop(90, 10)), Ok(hotfix(10)));
    let patch = hosts().write(&shop(90, 10), &hotfix(25)).unwrap();
    let golden = json!([
        {"op": "test", "path": "/metadata/generation", "value": 7},
        {"op": "test", "path": "/spec/http/0/route/0/weight", "value": 90},
        {"op": "replace", "path": "/spec/http/0/route/0/weight", "value": 75},
        {"op": "test", "path": "/spec/http/0/route/1/weight", "value": 10},
        {"op": "replace", "path": "/spec/http/0/route/1/weight", "value": 25},
    ]);
    assert_eq!(json(patch), golden);
    assert_eq!(hosts().write(&shop(90, 10), &hotfix(10)), Ok(Vec::new()));
}

#[test]
fn a_weight_that_is_not_written_counts_as_istio_counts_it() {
    let unwritten = |main: Value, hotfix: Value| {
        object(json!([{"route": [
            {"destination": {"host": "shop"}, "weight": main},
            {"destination": {"host": "shop-hotfix"}, "weight": hotfix},
        ]}]))
    };
    assert_eq!(hosts().read(&unwritten(json!(100), json!(null))), Ok(hotfix(0)));
    assert_eq!(hosts().read(&unwritten(json!(1), json!(1))), Ok(hotfix(50)));
    assert_eq!(hosts().write(&unwritten(json!(1), json!(1)), &hotfix(50)), Ok(Vec::new()));
    let golden = json!([
        {"op": "test", "path": "/metadata/generation", "value": 7},
        {"op": "test", "path": "/spec/http/0/route/0/weight", "value": 100},
        {"op": "replace", "path": "/spec/http/0/route/0/weight", "value": 90},
        {"op": "add", "path": "/spec/http/0/route/1/weight", "value": 10},
    ]);
    let patch = hosts().write(&unwritten(json!(100), json!(null)), &hotfix(10)).unwrap();
    assert_eq!(json(patch), golden);
}

#[test]
fn subsets_of_one_service_are_told_apart() {
    let subset = |name: &str, weight: u8| json!({"destination": {"host": "shop.prod", "subset": name}, "weight": weight});
    let object = object(json!([{"route": [subset("main", 100), subset("hotfix", 0)]}]));
    assert_eq!(subsets().read(&object), Ok(hotfix(0)));
    let after = patched(&object, &subsets().write(&object, &hotfix(100)).unwrap());
    assert_eq!(after["spec"]["http"][0]["route"], json!([subset("main", 0), subset("hotfix", 100)]));
}

#[test]
fn tls_and_tcp_routes_are_split_too() {
    let pair = json!([to("shop", json!(90)), to("shop-hotfix", json!(10))]);
    let object = json!({"spec": {
        "tls": [{"match": [{"sniHosts": ["shop"]}], "route": pair}], "tcp": [{"route": pair}]
    }});
    let after = patched(&object, &hosts().write(&object, &hotfix(0)).unwrap());
    let moved = json!([to("shop", json!(100)), to("shop-hotfix", json!(0))]);
    assert_eq!(after["spec"]["tls"][0]["route"], moved);
    assert_eq!(after["spec"]["tcp"][0]["route"], moved);
}

#[test]
fn others_keep_their_part_and_the_way_back_is_never_refused() {
    let shared = |main: u32, hotfix: u32| {
        object(json!([{"route": [
            to("shop", json!(main)), to("legacy", json!(15)), to("shop-hotfix", json!(hotfix))
        ]}]))
    };
    assert_eq!(hosts().read(&shared(68, 17)), Ok(hotfix(20)));
    for (percent, main, canary) in [(0, 85, 0), (40, 51, 34), (100, 0, 85)] {
        let after = patched(&shared(68, 17), &hosts().write(&shared(68, 17), &hotfix(percent)).unwrap());
        assert_eq!(after, shared(main, canary), "{percent} %");
    }
    let refused = hosts().write(&shared(68, 17), &hotfix(25)).unwrap_err().to_string();
    let golden = "VirtualService prod/shop at /spec/http/0/route: entries of others have weights, and 25 % of the 85 \
                  left is no whole weight; multiply all weights of this list by 100";
    assert_eq!(refused, golden);
}

#[test]
fn named_routes_are_written_and_others_are_their_owners_affair() {
    let pair = |main: u8| json!([to("shop", json!(main)), to("shop-hotfix", json!(100 - main))]);
    let object = object(json!([
        {"name": "beta", "match": [{"headers": {"beta": {"exact": "1"}}}], "route": pair(0)},
        {"name": "legacy", "route": [to("shop", json!(null))]},
        {"name": "primary", "route": pair(100)},
    ]));
    let backend = named(&["primary"]);
    assert_eq!(backend.read(&object), Ok(hotfix(0)));
    let after = patched(&object, &backend.write(&object, &hotfix(10)).unwrap());
    assert_eq!(after["spec"]["http"][2]["route"], pair(90));
    assert_eq!(after["spec"]["http"][0], object["spec"]["http"][0]);
    assert!(
        hosts().read(&object).unwrap_err().to_string().contains("/spec/http/1/route: sends traffic to shop")
    );
}

#[test]
fn a_route_that_somebody_adds_keeps_no_undo_from_the_others() {
    let with_added = |main: u8, hotfix: u8| {
        let pair = json!([to("shop", json!(main)), to("shop-hotfix", json!(hotfix))]);
        object(json!([{"name": "new", "route": [to("shop-hotfix", json!(null))]}, {"route": pair}]))
    };
    let refused = hosts().read(&with_added(75, 25)).unwrap_err();
    assert_eq!(refused.path, "/spec/http/0/route");
    let undo = hosts().write(&with_added(75, 25), &hotfix(0)).unwrap();
    assert_eq!(patched(&with_added(75, 25), &undo), with_added(100, 0));
}

#[test]
fn a_named_route_that_is_gone_or_there_twice_keeps_no_undo_from_the_others() {
    let of = |main: u8| {
        let pair = json!([to("shop", json!(main)), to("shop-hotfix", json!(100 - main))]);
        object(
            json!([{"name": "web", "route": pair}, {"name": "api", "route": pair}, {"name": "api", "route": pair}]),
        )
    };
    let backend = named(&["gone", "api", "web"]);
    assert_eq!(backend.read(&of(75)).unwrap_err().path, "/spec/http/2");
    assert_eq!(patched(&of(75), &backend.write(&of(75), &hotfix(0)).unwrap()), of(100));
    let refused = named(&["gone"]).write(&of(75), &hotfix(0)).unwrap_err().to_string();
    let golden =
        "VirtualService prod/shop at /spec/http: no http route has the name gone; add it or name another";
    assert_eq!(refused, golden);
}

#[test]
fn weights_that_are_no_percents_cannot_be_read_but_are_mended() {
    let object = shop(1, 2);
    let refused = hosts().read(&object).unwrap_err().to_string();
    assert_eq!(
        refused,
        "VirtualService prod/shop at /spec/http/0/route: the weights 1 and 2 are no whole percents; write weights \
         that sum to 100"
    );
    assert_eq!(patched(&object, &hosts().write(&object, &hotfix(0)).unwrap()), shop(100, 0));
}

fn route(route: Value) -> Value {
    object(json!([{"name": "primary", "route": route}]))
}

fn pair() -> Value {
    json!([to("shop", json!(90)), to("shop-hotfix", json!(10))])
}

/// Checks where a shape is not understood, and what is said of it.
fn refused<const N: usize>(cases: [(VirtualService, Value, &str); N]) {
    for (backend, object, expected) in cases {
        let refused = backend.read(&object).unwrap_err().to_string();
        assert_eq!(refused, format!("VirtualService prod/shop at {expected}"));
    }
}

#[test]
fn a_slot_without_a_destination_is_named() {
    refused([
        (hosts(), json!({}), "/spec: is not there; give the VirtualService routes"),
        (hosts(), json!({"spec": {"http": {}}}), "/spec/http: an object is not a list"),
        (
            hosts(),
            json!({"spec": {}}),
            "/spec: no route has destinations shop and shop-hotfix; add both to one, the second with weight 0",
        ),
        (
            hosts(),
            route(json!([to("shop", json!(100))])),
            "/spec/http/0/route: sends traffic to shop and has no destination shop-hotfix; add it with weight 0",
        ),
        (
            hosts(),
            route(json!([to("shop-hotfix", json!(null))])),
            "/spec/http/0/route: sends traffic to shop-hotfix and has no destination shop; add it with weight 0",
        ),
        (
            hosts(),
            route(json!([to("shop.other", json!(100))])),
            "/spec: no route has destinations shop and shop-hotfix; add both to one, the second with weight 0",
        ),
        (
            subsets(),
            route(json!([{"destination": {"host": "shop", "subset": "main"}}])),
            "/spec/http/0/route: sends traffic to shop subset main and has no destination shop subset hotfix; add it with weight 0",
        ),
    ]);
}

#[test]
fn weights_and_destinations_of_another_shape_are_named() {
    let subset = json!([{"destination": {"host": "shop", "subset": "v1"}}]);
    refused([
        (
            hosts(),
            route(json!([to("shop", json!("90"))])),
            r#"/spec/http/0/route/0/weight: "90" is not a whole number from 0 up"#,
        ),
        (
            hosts(),
            route(json!([to("shop", json!(-1))])),
            "/spec/http/0/route/0/weight: -1 is not a whole number from 0 up",
        ),
        (
            hosts(),
            route(json!([to("shop", json!(1)), to("shop.prod", json!(1))])),
            "/spec/http/0/route/1: sends to the same slot as an entry before it; make one entry of both",
        ),
        (
            hosts(),
            route(json!([to("shop", json!(0)), to("shop-hotfix", json!(0))])),
            "/spec/http/0/route: the weights of both slots are 0; give one of them the traffic",
        ),
        (
            hosts(),
            route(json!([{"weight": 1}])),
            "/spec/http/0/route/0/destination: is not there; name a destination",
        ),
        (
            hosts(),
            route(subset),
            "/spec/http/0/route/0/destination: is a subset (v1) of shop, and the slots are whole Services; name the slots by subsets",
        ),
        (
            hosts(),
            object(
                json!([{"route": pair()}, {"route": [to("shop", json!(50)), to("shop-hotfix", json!(50))]}]),
            ),
            "/spec/http/1/route: gives hotfix 50 %, where another list gives it 10 %; write the same weights in both",
        ),
        (
            subsets(),
            route(json!([to("shop", json!(1))])),
            "/spec/http/0/route/0/destination: is all of shop, and the slots are its subsets main and hotfix; name a subset",
        ),
    ]);
}

#[test]
fn a_named_route_has_to_be_there_once_with_both_slots() {
    let delegate = object(json!([{"name": "primary", "delegate": {"name": "other"}}]));
    refused([
        (
            named(&["web"]),
            json!({"spec": {}}),
            "/spec/http: is not there; add an http route with the name web",
        ),
        (
            named(&["web"]),
            route(pair()),
            "/spec/http: no http route has the name web; add it or name another",
        ),
        (named(&["primary"]), delegate, "/spec/http/0/route: is not there; name a route with destinations"),
        (
            named(&["primary"]),
            route(json!([to("legacy", json!(null))])),
            "/spec/http/0/route: no route has destinations shop and shop-hotfix; add both to one, the second with weight 0",
        ),
        (
            named(&["a"]),
            object(json!([{"name": "a", "route": pair()}, {"name": "a", "route": pair()}])),
            "/spec/http/1: a second http route has the name a; rename one",
        ),
    ]);
}

#[test]
fn weights_of_an_unknown_slot_are_refused() {
    let refused = hosts().write(&shop(90, 10), &Weights::all("blue".parse().unwrap())).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "VirtualService prod/shop at : there is no slot blue; the slots are main and hotfix"
    );
}

#[test]
fn uptake_is_what_the_status_says_if_there_is_one() {
    let cases = [
        (json!(null), Uptake::InForce),
        (json!({"observedGeneration": 6}), Uptake::Pending),
        (json!({"observedGeneration": "7"}), Uptake::InForce),
        (json!({"conditions": [{"type": "Reconciled", "status": "False"}]}), Uptake::Pending),
        (
            json!({"observedGeneration": 7, "conditions": [{"type": "Reconciled", "status": "True"}]}),
            Uptake::InForce,
        ),
        (json!({"observedGeneration": 7, "validationMessages": [{"level": "ERROR"}]}), Uptake::InForce),
    ];
    for (status, uptake) in cases {
        let mut object = shop(90, 10);
        object["status"] = status.clone();
        assert_eq!(hosts().uptake(&object, &Objections::default()), uptake, "{status}");
    }
}
