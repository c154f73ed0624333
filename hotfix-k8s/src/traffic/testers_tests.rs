use std::collections::BTreeSet;

use serde_json::json;

use super::super::Route;
use super::super::patched::{hosts, hotfix, patched, slot};
use super::super::virtual_service::Routes;
use super::*;

fn testers() -> Testers {
    Testers::new("x-hotfix", "try").unwrap()
}

fn pair() -> Value {
    json!([
        {"destination": {"host": "shop", "port": {"number": 80}}, "weight": 100},
        {"destination": {"host": "shop-hotfix", "port": {"number": 8080}}, "headers": {"request": {"set": {"a": "b"}}}, "weight": 0},
    ])
}

fn object(http: Value) -> Value {
    json!({"metadata": {"generation": 3}, "spec": {"hosts": ["shop"], "http": http}})
}

fn shop() -> Value {
    object(json!([
        {"name": "docs", "match": [{"uri": {"prefix": "/docs"}}], "redirect": {"uri": "/"}},
        {"name": "api", "match": [{"uri": {"prefix": "/api"}}, {"headers": {"api": {"exact": "1"}}}], "timeout": "3s", "route": pair()},
        {"route": pair()},
    ]))
}

fn opened(object: &Value) -> Value {
    patched(object, &hosts().open_to_testers(object, &testers(), &slot("hotfix")).unwrap())
}

#[test]
fn testers_meet_the_same_matches_and_policies_and_one_slot() {
    let destination = json!([{
        "destination": {"host": "shop-hotfix", "port": {"number": 8080}}, "headers": {"request": {"set": {"a": "b"}}}
    }]);
    let expected = object(json!([
        shop()["spec"]["http"][0],
        {
            "name": "hotfix-testers",
            "match": [
                {"uri": {"prefix": "/api"}, "headers": {"x-hotfix": {"exact": "try"}}},
                {"headers": {"api": {"exact": "1"}, "x-hotfix": {"exact": "try"}}},
            ],
            "timeout": "3s",
            "route": destination,
        },
        shop()["spec"]["http"][1],
        {"name": "hotfix-testers", "match": [{"headers": {"x-hotfix": {"exact": "try"}}}], "route": destination},
        shop()["spec"]["http"][2],
    ]));
    assert_eq!(opened(&shop()), expected);
}

#[test]
fn opening_again_changes_nothing_and_closing_gives_the_object_back() {
    let open = opened(&shop());
    assert_eq!(hosts().open_to_testers(&open, &testers(), &slot("hotfix")), Ok(Vec::new()));
    assert_eq!(patched(&open, &hosts().close_to_testers(&open).unwrap()), shop());
    assert_eq!(hosts().close_to_testers(&shop()), Ok(Vec::new()));
    assert_eq!(hosts().close_to_testers(&json!({"spec": {}})), Ok(Vec::new()));
}

#[test]
fn a_stale_route_is_brought_up_to_date_and_none_is_left_over() {
    let open = opened(&shop());
    let to_main = patched(&open, &hosts().open_to_testers(&open, &testers(), &slot("main")).unwrap());
    assert_eq!(to_main["spec"]["http"][1]["route"][0]["destination"]["host"], "shop");
    assert_eq!(opened(&to_main), open);
    let api_only = VirtualService { routes: Routes::Named(BTreeSet::from(["api".to_owned()])), ..hosts() };
    let left = patched(&open, &api_only.open_to_testers(&open, &testers(), &slot("hotfix")).unwrap());
    assert_eq!(left["spec"]["http"].as_array().unwrap().len(), 4);
    assert_eq!(left["spec"]["http"][1], open["spec"]["http"][1]);
}

#[test]
fn weights_pass_the_tester_routes_by() {
    let open = opened(&shop());
    assert_eq!(hosts().read(&open), Ok(hotfix(0)));
    let shifted = patched(&open, &hosts().write(&open, &hotfix(30)).unwrap());
    assert_eq!(shifted["spec"]["http"][1], open["spec"]["http"][1]);
    assert_eq!(shifted["spec"]["http"][2]["route"][1]["weight"], 30);
}

#[test]
fn a_header_that_the_route_asks_for_itself_and_a_slot_that_is_not_there_are_refused() {
    let taken = object(json!([{"match": [{"headers": {"x-hotfix": {"exact": "no"}}}], "route": pair()}]));
    let refused = hosts().open_to_testers(&taken, &testers(), &slot("hotfix")).unwrap_err();
    let golden = "VirtualService prod/shop at /spec/http/0/match/0/headers/x-hotfix: this match asks for the testers' \
                  header itself; choose another header";
    assert_eq!(refused.to_string(), golden);
    let refused = hosts().open_to_testers(&shop(), &testers(), &slot("blue")).unwrap_err();
    assert!(refused.reason.starts_with("there is no slot blue; "), "{refused}");
}
