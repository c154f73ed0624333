use serde_json::json;

use super::super::patched::{hotfix, json, patched, slots};
use super::*;
use crate::traffic::{Objections, Uptake};

fn backend() -> CanaryIngress {
    CanaryIngress {
        namespace: "prod".to_owned(),
        name: "shop-hotfix".to_owned(),
        slots: slots(),
        hotfix: "shop-hotfix".to_owned(),
    }
}

fn to(service: &str) -> Value {
    json!({"rules": [{"host": "shop.example.com", "http": {"paths": [
        {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"number": 80}}}}
    ]}}]})
}

fn annotated(annotations: &[(&str, &str)]) -> Value {
    let annotations: serde_json::Map<String, Value> =
        annotations.iter().map(|(name, value)| (format!("{PREFIX}{name}"), json!(value))).collect();
    json!({"metadata": {"name": "shop-hotfix", "annotations": annotations}, "spec": to("shop-hotfix")})
}

fn weighing(weight: &str) -> Value {
    annotated(&[("canary", "true"), ("canary-weight", weight), ("canary-by-header", "x-hotfix")])
}

#[test]
fn a_shift_replaces_one_annotation() {
    assert_eq!(backend().read(&weighing("10")), Ok(hotfix(10)));
    let pointer = "/metadata/annotations/nginx.ingress.kubernetes.io~1canary-weight";
    let patch = backend().write(&weighing("10"), &hotfix(25)).unwrap();
    assert_eq!(patched(&weighing("10"), &patch), weighing("25"));
    let golden = json!([
        {"op": "test", "path": pointer, "value": "10"},
        {"op": "replace", "path": pointer, "value": "25"},
    ]);
    assert_eq!(json(patch), golden);
    assert_eq!(backend().write(&weighing("10"), &hotfix(10)), Ok(Vec::new()));
}

#[test]
fn no_weight_is_none_and_is_added() {
    let bare = annotated(&[("canary", "true")]);
    assert_eq!(backend().read(&bare), Ok(hotfix(0)));
    assert_eq!(backend().write(&bare, &hotfix(0)), Ok(Vec::new()));
    let after = patched(&bare, &backend().write(&bare, &hotfix(5)).unwrap());
    assert_eq!(after, annotated(&[("canary", "true"), ("canary-weight", "5")]));
}

#[test]
fn a_weight_is_measured_by_its_total() {
    let of = |weight: &str| {
        annotated(&[("canary", "true"), ("canary-weight", weight), ("canary-weight-total", "1000")])
    };
    assert_eq!(backend().read(&of("150")), Ok(hotfix(15)));
    let after = patched(&of("155"), &backend().write(&of("155"), &hotfix(20)).unwrap());
    assert_eq!(after, of("200"));
}

/// Each shape that is not understood, where, and what is said of it.
#[test]
fn refusals_name_the_place_and_the_mend() {
    let with = |name: &str, value: &str| {
        let mut object = weighing("10");
        object["metadata"]["annotations"][format!("{PREFIX}{name}")] = json!(value);
        object
    };
    let elsewhere = |spec: Value| {
        let mut object = weighing("10");
        object["spec"] = spec;
        object
    };
    let only = |name: &str| annotated(&[("canary", "true"), (name, "x")]);
    let resource = json!({"defaultBackend": {"resource": {"kind": "Bucket"}}});
    let cases = [
        (
            json!({"metadata": {}}),
            "/metadata/annotations: is not there; annotate the canary Ingress with nginx.ingress.kubernetes.io/canary: \"true\"",
        ),
        (
            annotated(&[]),
            "/metadata/annotations/nginx.ingress.kubernetes.io~1canary: is not there; annotate the canary Ingress with nginx.ingress.kubernetes.io/canary: \"true\"",
        ),
        (
            with("canary", "false"),
            "/metadata/annotations/nginx.ingress.kubernetes.io~1canary: \"false\" is not \"true\"; annotate the canary Ingress with nginx.ingress.kubernetes.io/canary: \"true\"",
        ),
        (
            only("canary-by-header"),
            "/metadata/annotations/nginx.ingress.kubernetes.io~1canary-by-header: the canary goes by header alone, which splits nothing; add nginx.ingress.kubernetes.io/canary-weight: \"0\"",
        ),
        (
            only("canary-by-cookie"),
            "/metadata/annotations/nginx.ingress.kubernetes.io~1canary-by-cookie: the canary goes by cookie alone, which splits nothing; add nginx.ingress.kubernetes.io/canary-weight: \"0\"",
        ),
        (
            with("canary-weight", "ten"),
            "/metadata/annotations/nginx.ingress.kubernetes.io~1canary-weight: \"ten\" is not a whole number",
        ),
        (
            with("canary-weight", "101"),
            "/metadata/annotations/nginx.ingress.kubernetes.io~1canary-weight: \"101\" of 100 is no whole percentage; write a multiple of 1",
        ),
        (
            with("canary-weight-total", "1000"),
            "/metadata/annotations/nginx.ingress.kubernetes.io~1canary-weight: \"15\" of 1000 is no whole percentage; write a multiple of 10",
        ),
        (
            with("canary-weight-total", "50"),
            "/metadata/annotations/nginx.ingress.kubernetes.io~1canary-weight-total: \"50\" is no multiple of 100, so not every percentage is a weight",
        ),
        (
            with("canary-weight-total", "0"),
            "/metadata/annotations/nginx.ingress.kubernetes.io~1canary-weight-total: \"0\" is no multiple of 100, so not every percentage is a weight",
        ),
        (
            with("affinity", "cookie"),
            "/metadata/annotations/nginx.ingress.kubernetes.io~1affinity: sessions would stay with the canary at weight 0; annotate it with nginx.ingress.kubernetes.io/affinity-canary-behavior: \"legacy\"",
        ),
        (elsewhere(json!(null)), "/spec: is not there; give the Ingress rules"),
        (
            elsewhere(to("shop")),
            "/spec/rules/0/http/paths/0/backend/service: the backend is shop, not shop-hotfix; give it an Ingress of its own",
        ),
        (
            elsewhere(resource),
            "/spec/defaultBackend/service: is not there; the backend of a canary Ingress is the Service shop-hotfix",
        ),
    ];
    for (mut object, expected) in cases {
        if expected.contains("\"15\" of") {
            object["metadata"]["annotations"][format!("{PREFIX}canary-weight")] = json!("15");
        }
        let refused = backend().read(&object).unwrap_err().to_string();
        assert_eq!(refused, format!("Ingress prod/shop-hotfix at {expected}"));
    }
}

#[test]
fn sessions_that_leave_with_the_weight_are_fine() {
    let mut object = weighing("10");
    object["metadata"]["annotations"][format!("{PREFIX}affinity")] = json!("cookie");
    object["metadata"]["annotations"][format!("{PREFIX}affinity-canary-behavior")] = json!("legacy");
    assert_eq!(backend().read(&object), Ok(hotfix(10)));
    assert_eq!(backend().uptake(&object, &Objections::default()), Uptake::InForce);
}
