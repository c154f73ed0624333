//! What holds for every object that is understood, with whatever of others in it.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::http_route::{HttpRoute, Rules};
use super::ingress::CanaryIngress;
use super::patched::{hosts, hotfix, patched, slots};
use super::{NotUnderstood, Route};

fn http_route() -> HttpRoute {
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

fn canary_ingress() -> CanaryIngress {
    CanaryIngress {
        namespace: "prod".to_owned(),
        name: "shop".to_owned(),
        slots: slots(),
        hotfix: "shop-hotfix".to_owned(),
    }
}

/// Any JSON, as others put it beside ours.
fn foreign() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z~/. -]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z~/]{1,6}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

/// Fields that mean nothing to us; their names begin with `x`.
fn fields() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map("x[a-z~/]{0,5}", foreign(), 0..4).prop_map(|map| map.into_iter().collect())
}

fn with(mut fields: Map<String, Value>, own: Value) -> Value {
    let Value::Object(own) = own else { unreachable!("own fields are an object") };
    fields.extend(own);
    Value::Object(fields)
}

/// A weight, written or not.
fn weight() -> impl Strategy<Value = Option<u32>> {
    prop_oneof![4 => (0_u32..=100).prop_map(Some), 1 => Just(None)]
}

/// Entries of both slots in any order, with entries of others between them. `entry` makes one of a name and a weight.
fn shares(entry: fn(&str, Option<u32>) -> Value) -> impl Strategy<Value = Value> {
    let ours = (weight(), weight(), fields(), fields());
    let others = prop::collection::vec((0_u32..3, fields()), 0..3);
    (ours, others, any::<prop::sample::Index>(), any::<prop::sample::Index>()).prop_map(
        move |((main, canary, first, second), others, main_at, canary_at)| {
            let mut list: Vec<Value> = others
                .into_iter()
                .map(|(weight, fields)| with(fields, entry("other", Some(weight * 50))))
                .collect();
            list.insert(main_at.index(list.len() + 1), with(first, entry("shop", main)));
            list.insert(canary_at.index(list.len() + 1), with(second, entry("shop-hotfix", canary)));
            Value::Array(list)
        },
    )
}

/// A whole object: routes of ours and of others, each with fields of others.
fn object(
    lists: &'static str,
    list: &'static str,
    entry: fn(&str, Option<u32>) -> Value,
) -> impl Strategy<Value = Value> {
    let ours =
        (fields(), shares(entry)).prop_map(move |(fields, shares)| with(fields, json!({ list: shares })));
    let others = (fields(), 0_u32..9)
        .prop_map(move |(fields, weight)| with(fields, json!({ list: [entry("other", Some(weight))] })));
    let routes =
        prop::collection::vec(prop_oneof![2 => ours, 1 => others, 1 => fields().prop_map(Value::from)], 1..5);
    (routes, fields(), fields()).prop_map(move |(routes, spec, status)| {
        json!({
            "metadata": {"name": "shop", "generation": 3, "annotations": {"a": "b"}},
            "spec": with(spec, json!({ lists: routes })),
            "status": status,
        })
    })
}

fn virtual_services() -> impl Strategy<Value = Value> {
    object("http", "route", |host, weight| match weight {
        Some(weight) => json!({"destination": {"host": host}, "weight": weight}),
        None => json!({"destination": {"host": host}}),
    })
}

fn http_routes() -> impl Strategy<Value = Value> {
    object("rules", "backendRefs", |name, weight| match weight {
        Some(weight) => json!({"name": name, "port": 80, "weight": weight}),
        None => json!({"name": name, "port": 80}),
    })
}

fn ingresses() -> impl Strategy<Value = Value> {
    let weight = prop_oneof![(0_u32..=100).prop_map(Some), Just(None)];
    (fields(), fields(), weight, 1_u32..20).prop_map(|(annotations, spec, weight, total)| {
        let prefixed = |name: &str| format!("nginx.ingress.kubernetes.io/{name}");
        let mut ours =
            json!({ prefixed("canary"): "true", prefixed("canary-weight-total"): (total * 100).to_string() });
        if let Some(weight) = weight {
            ours[prefixed("canary-weight")] = json!((weight * total).to_string());
        }
        json!({"metadata": {"annotations": with(annotations, ours)}, "spec": spec})
    })
}

/// Takes the weights of ours out of an object, so that what is left is what others own.
fn of_others(mut object: Value) -> Value {
    for (lists, list) in [("http", "route"), ("rules", "backendRefs")] {
        let routes = object["spec"].get_mut(lists).and_then(Value::as_array_mut);
        let entries = routes.into_iter().flatten().filter_map(|route| route.get_mut(list)?.as_array_mut());
        for entry in entries.flatten() {
            let host = entry["destination"]["host"].as_str().or(entry["name"].as_str()).unwrap_or_default();
            if host == "shop" || host == "shop-hotfix" {
                entry.as_object_mut().unwrap().remove("weight");
            }
        }
    }
    if let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove("nginx.ingress.kubernetes.io/canary-weight");
    }
    object
}

/// The rules of every backend. What is refused is written not at all, and only for a reason that says where.
fn upholds(route: &dyn Route, object: &Value, percent: u8) -> Result<(), TestCaseError> {
    let wanted = hotfix(percent);
    let patch = match route.write(object, &wanted) {
        Ok(patch) => patch,
        Err(NotUnderstood { path, reason, .. }) => {
            prop_assert!(object.pointer(&path).is_some(), "{path}: {reason}");
            return Ok(());
        }
    };
    let after = patched(object, &patch);
    prop_assert_eq!(route.read(&after), Ok(wanted.clone()));
    prop_assert_eq!(route.write(&after, &wanted), Ok(Vec::new()));
    prop_assert_eq!(of_others(after), of_others(object.clone()));
    if let Ok(read) = route.read(object) {
        prop_assert_eq!(route.write(object, &read), Ok(Vec::new()));
        prop_assert_eq!(read.iter().map(|(_, weight)| u32::from(weight)).sum::<u32>(), 100);
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_virtual_service_keeps_what_others_wrote(object in virtual_services(), percent in 0_u8..=100) {
        upholds(&hosts(), &object, percent)?;
    }

    #[test]
    fn an_http_route_keeps_what_others_wrote(object in http_routes(), percent in 0_u8..=100) {
        upholds(&http_route(), &object, percent)?;
    }

    #[test]
    fn an_ingress_keeps_what_others_wrote(object in ingresses(), percent in 0_u8..=100) {
        upholds(&canary_ingress(), &object, percent)?;
    }

    /// Whatever stands there, nothing panics, and what is refused says where.
    #[test]
    fn any_json_is_read_or_refused(spec in foreign(), metadata in foreign()) {
        let object = json!({"spec": spec, "metadata": metadata});
        let backends: [&dyn Route; 3] = [&hosts(), &http_route(), &canary_ingress()];
        for backend in backends {
            prop_assert!(backend.read(&object).is_err());
            let _uptake = backend.uptake(&object);
        }
    }
}
