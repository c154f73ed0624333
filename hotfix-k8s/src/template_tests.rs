use json_patch::diff;

use super::*;

fn template() -> Value {
    json!({
        "metadata": {
            "creationTimestamp": null,
            "labels": {"app": "shop", "team": "checkout"},
            "annotations": {"sidecar.istio.io/inject": "true", "hotfix.dev/renewed": "run:1"},
        },
        "spec": {
            "containers": [
                {"name": "web", "image": "shop/web:1", "env": [{"name": "MODE", "value": "slow"}]},
                {"name": "proxy", "image": "proxy:7"},
            ],
            "terminationGracePeriodSeconds": 30,
        },
    })
}

fn image() -> ImageReference {
    ImageReference::new(&format!("shop/web@sha256:{}", "ab".repeat(32))).unwrap()
}

fn copy(overrides: &Overrides) -> Value {
    let image = image();
    let label = ("app", "shop-hotfix");
    Changes { container: "web", image: &image, label: Some(label), slot: "hotfix", overrides }.of(&template())
}

#[test]
fn nothing_but_image_and_labels_differs() {
    let expected = json!([
        {"op": "remove", "path": "/metadata/annotations/hotfix.dev~1renewed"},
        {"op": "replace", "path": "/metadata/labels/app", "value": "shop-hotfix"},
        {"op": "add", "path": "/metadata/labels/hotfix.dev~1artifact", "value": "abababababababab"},
        {"op": "add", "path": "/metadata/labels/hotfix.dev~1slot", "value": "hotfix"},
        {"op": "replace", "path": "/spec/containers/0/image", "value": image().as_str()},
    ]);
    let mut found = serde_json::to_value(diff(&template(), &copy(&Overrides::default()))).unwrap();
    found.as_array_mut().unwrap().sort_by_key(|operation| operation["path"].to_string());
    assert_eq!(found, expected);
}

#[test]
fn overrides_replace_by_name_and_add_the_rest() {
    let env = [
        ("MODE".to_owned(), EnvValue::Value("fast".to_owned())),
        ("TOKEN".to_owned(), EnvValue::Secret { name: "shop".to_owned(), key: "token".to_owned() }),
    ];
    let env_from = vec![EnvFrom::ConfigMap("shop-flags".to_owned())];
    let copy = copy(&Overrides { env: env.into(), env_from });
    let expected = json!([
        {"name": "MODE", "value": "fast"},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "shop", "key": "token"}}},
    ]);
    assert_eq!(copy.pointer("/spec/containers/0/env"), Some(&expected));
    let expected = json!([{"configMapRef": {"name": "shop-flags"}}]);
    assert_eq!(copy.pointer("/spec/containers/0/envFrom"), Some(&expected));
    assert_eq!(copy.pointer("/spec/containers/1"), template().pointer("/spec/containers/1"));
}

#[test]
fn the_container_is_the_configured_or_the_only_one() {
    let many = template();
    let of = |template: &Value, configured| container(Some(template), "Deployment prod/shop", configured);
    assert_eq!(of(&many, Some("web")), Ok("web".to_owned()));
    let error = of(&many, None).unwrap_err().to_string();
    assert!(error.starts_with("Deployment prod/shop has web, proxy as containers; name the one"), "{error}");
    let error = of(&many, Some("api")).unwrap_err().to_string();
    assert!(error.contains("has no container \"api\"; name one of web, proxy"), "{error}");
    let one = json!({"spec": {"containers": [{"name": "api"}]}});
    assert_eq!(of(&one, None), Ok("api".to_owned()));
}

#[test]
fn a_renewed_template_runs_the_same() {
    let again = renewed(&template(), "run:9");
    assert_eq!(again.pointer("/metadata/annotations/hotfix.dev~1renewed"), Some(&json!("run:9")));
    assert!(is_same(&template(), &again));
    let bare = json!({"metadata": {"labels": {}}});
    assert!(is_same(&bare, &renewed(&bare, "run:9")));
    assert!(!is_same(&template(), &copy(&Overrides::default())));
}
