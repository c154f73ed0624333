use proptest::prelude::*;
use serde_json::json;

use super::super::patched::{hotfix, json, patched, slots};
use super::super::properties::{foreign, upholds};
use super::*;
use crate::traffic::{Objections, Uptake};

fn backend() -> TraefikService {
    TraefikService {
        object: KIND.object("prod", "shop"),
        slots: slots(),
        main: "shop".to_owned(),
        hotfix: "shop-hotfix".to_owned(),
    }
}

fn weighted(services: &Value) -> Value {
    let sticky = json!({"cookie": {"name": "lb", "httpOnly": true}});
    json!({
        "metadata": {"name": "shop", "namespace": "prod", "generation": 7},
        "spec": {"weighted": {"sticky": sticky, "services": services}, "x": [null]}
    })
}

fn to(name: &str, weight: u32) -> Value {
    json!({"name": name, "port": 80, "weight": weight, "serversTransport": "fast", "passHostHeader": false})
}

#[test]
fn a_shift_replaces_two_numbers_and_tests_what_was_read() {
    let shop = |main: u32, hotfix: u32| weighted(&json!([to("shop-hotfix", hotfix), to("shop", main)]));
    assert_eq!(backend().read(&shop(3, 1)), Ok(hotfix(25)));
    let patch = backend().write(&shop(1, 0), &hotfix(5)).unwrap();
    assert_eq!(patched(&shop(1, 0), &patch), shop(95, 5));
    let golden = json!([
        {"op": "test", "path": "/metadata/generation", "value": 7},
        {"op": "test", "path": "/spec/weighted/services/1/weight", "value": 1},
        {"op": "replace", "path": "/spec/weighted/services/1/weight", "value": 95},
        {"op": "test", "path": "/spec/weighted/services/0/weight", "value": 0},
        {"op": "replace", "path": "/spec/weighted/services/0/weight", "value": 5},
    ]);
    assert_eq!(json(patch), golden);
    assert_eq!(backend().write(&shop(1, 0), &hotfix(0)), Ok(Vec::new()));
}

#[test]
fn a_weight_that_is_not_written_is_one() {
    let object = weighted(&json!([{"name": "shop"}, {"name": "shop-hotfix", "kind": "Service"}]));
    assert_eq!(backend().read(&object), Ok(hotfix(50)));
    let after = patched(&object, &backend().write(&object, &hotfix(0)).unwrap());
    let services =
        json!([{"name": "shop", "weight": 100}, {"name": "shop-hotfix", "kind": "Service", "weight": 0}]);
    assert_eq!(after, weighted(&services));
}

#[test]
fn services_of_the_same_name_elsewhere_are_others() {
    let mut nested = to("shop", 300);
    nested["kind"] = json!("TraefikService");
    let mut elsewhere = to("shop-hotfix", 100);
    elsewhere["namespace"] = json!("staging");
    let mut here = to("shop-hotfix", 1);
    here["namespace"] = json!("prod");
    let object = weighted(&json!([nested, elsewhere, to("shop", 9), here]));
    assert_eq!(backend().read(&object), Ok(hotfix(10)));
    let mut expected = object.clone();
    expected["spec"]["weighted"]["services"][2]["weight"] = json!(10);
    expected["spec"]["weighted"]["services"][3]["weight"] = json!(0);
    assert_eq!(patched(&object, &backend().write(&object, &hotfix(0)).unwrap()), expected);
}

/// Each shape that is not understood, where, and what is said of it.
#[test]
fn refusals_name_the_place_and_the_mend() {
    let absent = "is not there; name the services shop and shop-hotfix, the second with weight 0";
    let cases = [
        (json!({}), format!("/spec: {absent}")),
        (json!({"spec": {"mirroring": {"name": "shop"}}}), format!("/spec/weighted: {absent}")),
        (json!({"spec": {"weighted": {}}}), format!("/spec/weighted/services: {absent}")),
        (weighted(&json!(7)), "/spec/weighted/services: 7 is not a list".to_owned()),
        (
            weighted(&json!([to("pay", 1)])),
            "/spec/weighted/services: has no services shop and shop-hotfix; add both, the second with weight 0".to_owned(),
        ),
        (
            weighted(&json!([to("shop", 1)])),
            "/spec/weighted/services: sends traffic to shop and has no service shop-hotfix; add it with weight 0".to_owned(),
        ),
        (
            weighted(&json!([to("shop-hotfix", 1)])),
            "/spec/weighted/services: sends traffic to shop-hotfix and has no service shop; add it with weight 0".to_owned(),
        ),
        (
            weighted(&json!([to("shop", 1), {"name": "shop-hotfix", "weight": "1"}])),
            "/spec/weighted/services/1/weight: \"1\" is not a whole number from 0 up".to_owned(),
        ),
        (
            weighted(&json!([to("shop", 2), to("shop-hotfix", 1)])),
            "/spec/weighted/services: the weights 2 and 1 are no whole percents; write weights that sum to 100".to_owned(),
        ),
    ];
    for (object, expected) in cases {
        let refused = backend().read(&object).unwrap_err().to_string();
        assert_eq!(refused, format!("TraefikService prod/shop at {expected}"));
    }
}

#[test]
fn what_is_written_is_in_force() {
    let object = weighted(&json!([to("shop", 1), to("shop-hotfix", 0)]));
    assert_eq!(backend().uptake(&object, &Objections::default()), Uptake::InForce);
}

fn services() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec!["shop", "shop-hotfix", "other"]);
    let weight = prop_oneof![Just(None), (0_u32..300).prop_map(Some)];
    let extra =
        prop::sample::select(vec![json!({}), json!({"kind": "TraefikService"}), json!({"namespace": "x"})]);
    let entry = (name, weight, extra).prop_map(|(name, weight, mut entry)| {
        entry["name"] = json!(name);
        if let Some(weight) = weight {
            entry["weight"] = json!(weight);
        }
        entry
    });
    prop::collection::vec(entry, 0..5).prop_map(|services| weighted(&json!(services)))
}

proptest! {
    #[test]
    fn what_others_wrote_is_kept(object in services(), percent in 0_u8..=100) {
        upholds(&backend(), &object, percent)?;
    }

    /// Whatever stands there, nothing panics, and what is refused says where.
    #[test]
    fn any_json_is_read_or_refused(services in foreign(), metadata in foreign()) {
        let object = json!({"spec": {"weighted": {"services": services}}, "metadata": metadata});
        prop_assert!(backend().read(&object).is_err());
        prop_assert!(backend().write(&object, &hotfix(0)).is_err());
    }
}
