//! What holds for every object that is understood, with whatever of others in it.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::http_route::{HttpRoute, Rules};
use super::ingress::CanaryIngress;
use super::patched::{hosts, hotfix, patched, slots};
use super::{NotUnderstood, Objections, Route};

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
pub(super) fn foreign() -> impl Strategy<Value = Value> {
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

fn destination(host: &str, weight: Option<u32>) -> Value {
    match weight {
        Some(weight) => json!({"destination": {"host": host}, "weight": weight}),
        None => json!({"destination": {"host": host}}),
    }
}

fn backend(name: &str, weight: Option<u32>) -> Value {
    match weight {
        Some(weight) => json!({"name": name, "port": 80, "weight": weight}),
        None => json!({"name": name, "port": 80}),
    }
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

/// A list of ours whose canary has a quarter, at some place among routes of others that are not understood, send to one
/// slot alone or give nothing to either.
fn among_strangers(
    lists: &'static str,
    list: &'static str,
    entry: fn(&str, Option<u32>) -> Value,
) -> impl Strategy<Value = (Value, usize)> {
    let unusual = vec![
        json!([entry("shop", Some(1)), entry("shop", Some(2)), entry("shop-hotfix", Some(3))]),
        json!([entry("shop-hotfix", None)]),
        json!([entry("shop", Some(0)), entry("shop-hotfix", Some(0)), entry("other", Some(7))]),
        json!([{"destination": {"host": "shop", "subset": "v1"}, "name": "shop", "weight": "much"}]),
    ];
    let unusual = prop_oneof![prop::sample::select(unusual), foreign()];
    let strangers = prop_oneof![unusual.prop_map(move |inner| json!({ list: inner })), foreign()];
    let strangers = prop::collection::vec(strangers, 0..4);
    (strangers, any::<prop::sample::Index>()).prop_map(move |(mut routes, at)| {
        let at = at.index(routes.len() + 1);
        routes.insert(at, json!({ list: [entry("shop", Some(75)), entry("shop-hotfix", Some(25))] }));
        (json!({"metadata": {"name": "shop", "generation": 3}, "spec": { lists: routes }}), at)
    })
}

/// The way back is there for every list of ours, whatever others put beside it.
fn goes_back(route: &dyn Route, (object, at): &(Value, usize)) -> Result<(), TestCaseError> {
    let patch = route.write(object, &hotfix(0));
    prop_assert!(patch.is_ok(), "{patch:?}");
    let after = patched(object, &patch.unwrap_or_default());
    let list = ["/spec/http", "/spec/rules"].into_iter().find_map(|path| after.pointer(path)).unwrap();
    let weights = list[*at]["route"].as_array().or(list[*at]["backendRefs"].as_array()).unwrap();
    prop_assert_eq!([&weights[0]["weight"], &weights[1]["weight"]], [100, 0]);
    prop_assert_eq!(of_others(after), of_others(object.clone()));
    Ok(())
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
    let services = object.pointer_mut("/spec/weighted/services").and_then(Value::as_array_mut);
    for entry in services.into_iter().flatten() {
        let is_ours = entry["name"].as_str().is_some_and(|name| name == "shop" || name == "shop-hotfix");
        if is_ours && entry["kind"].is_null() && entry["namespace"].is_null() {
            entry.as_object_mut().unwrap().remove("weight");
        }
    }
    if let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove("nginx.ingress.kubernetes.io/canary-weight");
    }
    object
}

/// The rules of every backend. What is refused is written not at all, and only for a reason that says where.
pub(super) fn upholds(route: &dyn Route, object: &Value, percent: u8) -> Result<(), TestCaseError> {
    let wanted = hotfix(percent);
    let patch = match route.write(object, &wanted) {
        Ok(patch) => patch,
        Err(NotUnderstood { path, reason, .. }) => {
            prop_assert!(object.pointer(&path).is_some(), "{path}: {reason}");
            return Ok(());
        }
    };
    let after = patched(object, &patch);
    match route.read(&after) {
        // A list that gives nothing to either slot has nothing to move.
        Err(NotUnderstood { reason, .. }) if matches!(percent, 0 | 100) => {
            prop_assert!(reason.starts_with("the weights of both slots are 0"), "{reason}");
        }
        read => prop_assert_eq!(read, Ok(wanted.clone())),
    }
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
    fn a_virtual_service_keeps_what_others_wrote(object in object("http", "route", destination), percent in 0_u8..=100) {
        upholds(&hosts(), &object, percent)?;
    }

    #[test]
    fn an_http_route_keeps_what_others_wrote(object in object("rules", "backendRefs", backend), percent in 0_u8..=100) {
        upholds(&http_route(), &object, percent)?;
    }

    #[test]
    fn a_virtual_service_goes_back_among_strangers(scene in among_strangers("http", "route", destination)) {
        goes_back(&hosts(), &scene)?;
    }

    #[test]
    fn an_http_route_goes_back_among_strangers(scene in among_strangers("rules", "backendRefs", backend)) {
        goes_back(&http_route(), &scene)?;
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
            let _uptake = backend.uptake(&object, &Objections::default());
        }
    }
}
