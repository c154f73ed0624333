use std::collections::BTreeSet;

use super::super::http_route::Rules;
use super::super::patched::{hotfix, patched, slot, slots};
use super::*;

fn shop() -> HttpRoute {
    let rules = Rules::Named(["api", "all"].map(str::to_owned).into());
    let [namespace, name, services, main, hotfix] =
        ["prod", "shop", "prod", "shop", "shop-hotfix"].map(str::to_owned);
    let testers = Testers::new("x-hotfix", "try").ok();
    HttpRoute { namespace, name, slots: slots(), services, main, hotfix, rules, testers }
}

fn backend(name: &str, weight: u64) -> Value {
    json!({"group": "", "kind": "Service", "name": name, "port": 80, "weight": weight})
}

fn pair() -> Value {
    json!([backend("shop", 100), backend("shop-hotfix", 0)])
}

fn prefix(path: &str) -> Value {
    json!({"type": "PathPrefix", "value": path})
}

fn object(rules: Value) -> Value {
    json!({"metadata": {"generation": 3}, "spec": {"parentRefs": [{"name": "edge"}], "rules": rules}})
}

fn before() -> Value {
    let asked = json!({"type": "Exact", "name": "api", "value": "1"});
    object(json!([
        {"name": "docs", "matches": [{"path": prefix("/docs")}], "backendRefs": [backend("docs", 1)]},
        {
            "name": "api", "timeouts": {"request": "3s"}, "backendRefs": pair(),
            "matches": [{"path": prefix("/api")}, {"path": prefix("/"), "headers": [asked]}],
        },
        {"name": "all", "matches": [{"path": prefix("/")}], "backendRefs": pair()},
    ]))
}

fn opened(object: &Value) -> Value {
    patched(object, &shop().open(object, &slot("hotfix")).unwrap().unwrap())
}

#[test]
fn testers_meet_the_same_matches_and_policies_and_one_slot() {
    let tester = json!({"type": "Exact", "name": "x-hotfix", "value": "try"});
    let asked = json!({"type": "Exact", "name": "api", "value": "1"});
    let there = json!([backend("shop-hotfix", 1)]);
    let rules = &before()["spec"]["rules"];
    let expected = object(json!([
        rules[0],
        {
            "name": "hotfix-testers-1", "timeouts": {"request": "3s"}, "backendRefs": there,
            "matches": [
                {"path": prefix("/api"), "headers": [tester]},
                {"path": prefix("/"), "headers": [asked, tester]},
            ],
        },
        rules[1],
        {
            "name": "hotfix-testers-0", "backendRefs": there,
            "matches": [{"path": prefix("/"), "headers": [tester]}],
        },
        rules[2],
    ]));
    assert_eq!(opened(&before()), expected);
}

#[test]
fn opening_again_changes_nothing_and_closing_gives_the_object_back() {
    let open = opened(&before());
    assert_eq!(shop().open(&open, &slot("hotfix")), Ok(Some(Vec::new())));
    assert_eq!(patched(&open, &shop().close(&open).unwrap()), before());
    assert_eq!(shop().close(&before()), Ok(Vec::new()));
    let nobody = HttpRoute { testers: None, ..shop() };
    assert_eq!(nobody.open(&before(), &slot("hotfix")), Ok(None));
    assert_eq!(patched(&open, &nobody.close(&open).unwrap()), before());
}

#[test]
fn weights_pass_the_rules_for_testers_by() {
    let open = opened(&before());
    let every = HttpRoute { rules: Rules::Every, ..shop() };
    for route in [shop(), every] {
        assert_eq!(route.read(&open), Ok(hotfix(0)));
        let shifted = patched(&open, &route.write(&open, &hotfix(30)).unwrap());
        assert_eq!(shifted["spec"]["rules"][1], open["spec"]["rules"][1]);
        assert_eq!(shifted["spec"]["rules"][2]["backendRefs"][1]["weight"], 30);
        // Both in one patch, as a shift writes them.
        let both = [
            route.write(&before(), &hotfix(30)).unwrap(),
            shop().open(&before(), &slot("hotfix")).unwrap().unwrap(),
        ];
        assert_eq!(patched(&before(), &both.concat()), shifted);
    }
}

#[test]
fn a_header_that_the_rule_asks_for_itself_is_refused() {
    let headers = json!([{"type": "Exact", "name": "X-Hotfix", "value": "no"}]);
    let taken = object(json!([{"name": "all", "matches": [{"headers": headers}], "backendRefs": pair()}]));
    let all = HttpRoute { rules: Rules::Named(BTreeSet::from(["all".to_owned()])), ..shop() };
    let refused = all.open(&taken, &slot("hotfix")).unwrap_err();
    let golden = "HTTPRoute prod/shop at /spec/rules/0/matches/0/headers/0: this match asks for the testers' header \
                  itself; choose another header";
    assert_eq!(refused.to_string(), golden);
}
