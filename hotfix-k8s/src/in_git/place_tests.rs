//! Each form of a file: where the image is found, what is written there, and what is refused.

use serde_json::json;

use super::*;

const SHOP: Container<'_> = Container { namespace: "prod", deployment: "shop", name: "web" };

fn config(image: serde_json::Value) -> InGit {
    serde_json::from_value(json!({
        "owners": [{"argo_cd": {"name": "shop"}}], "repository": "fleet", "service": "production-shop",
        "branch": "main", "file": "shop.yaml", "image": image,
    }))
    .unwrap()
}

fn written(parts: &[(Part, &str)]) -> Written {
    Written(parts.iter().map(|(part, value)| (*part, (*value).to_owned())).collect())
}

fn refused(image: serde_json::Value, text: &str) -> String {
    Found::in_file(&config(image), SHOP, text).unwrap_err().to_string()
}

const MANIFESTS: &str = "\
# of the shop team
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: prod}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
  namespace: staging
spec: {template: {spec: {containers: [{name: web, image: 'shop/web:v0'}]}}}
---
apiVersion: apps/v1\r
kind: Deployment\r
metadata:\r
  name: shop\r
spec:\r
  replicas: 3 # enough\r
  template:\r
    spec:\r
      containers:\r
      - {name: log, image: log:v1}\r
      - name: web\r
        image: \"shop/web:v1\"   # by the pipeline\r
        env: &env [{name: IMAGE, value: shop/web:v1}]\r
";

#[test]
fn a_manifest_is_found_among_others_and_only_its_image_changes() {
    let config = config(json!("manifest"));
    let found = Found::in_file(&config, SHOP, MANIFESTS).unwrap();
    assert_eq!(found.written(), written(&[(Part::Reference, "shop/web:v1")]));
    let after = found.replaced(MANIFESTS, &written(&[(Part::Reference, "shop/web:v2@sha256:ab")]));
    assert_eq!(after, MANIFESTS.replace("\"shop/web:v1\"", "\"shop/web:v2@sha256:ab\""));
    let again = Found::in_file(&config, SHOP, &after).unwrap();
    assert_eq!(again.written(), written(&[(Part::Reference, "shop/web:v2@sha256:ab")]));
    assert_eq!(again.replaced(&after, &found.written()), MANIFESTS);
}

#[test]
fn an_entry_of_a_kustomization_has_what_it_has() {
    let config = config(json!({"kustomization": {"name": "shop/web"}}));
    let text = "kind: Kustomization\nimages:\n- name: other\n  newTag: v1\n- newTag: v1 # ours\n  name: shop/web\n  newName: 'host:5000/web'\n  digest: sha256:1\n";
    let found = Found::in_file(&config, SHOP, text).unwrap();
    let expected = [(Part::Name, "host:5000/web"), (Part::Tag, "v1"), (Part::Digest, "sha256:1")];
    assert_eq!(found.written(), written(&expected));
    let wanted = [(Part::Name, "host:5000/web"), (Part::Tag, "v2"), (Part::Digest, "sha256:22")];
    let after = text.replace("v1 # ours", "v2 # ours").replace("sha256:1", "sha256:22");
    assert_eq!(found.replaced(text, &written(&wanted)), after);
}

#[test]
fn values_are_found_by_their_paths() {
    let text = "image:\n  repository: shop/web\n  tag: '1.20'\nsides:\n- image: log:v1\n";
    let tag = config(json!({"values": {"repository": "image.repository", "tag": "image.tag"}}));
    let found = Found::in_file(&tag, SHOP, text).unwrap();
    assert_eq!(found.written(), written(&[(Part::Name, "shop/web"), (Part::Tag, "1.20")]));
    let wanted = written(&[(Part::Name, "shop/web"), (Part::Tag, "1.30")]);
    assert_eq!(found.replaced(text, &wanted), text.replace("'1.20'", "'1.30'"));
    let side = config(json!({"values": {"reference": "sides.0.image"}}));
    let found = Found::in_file(&side, SHOP, text).unwrap();
    assert_eq!(found.written(), written(&[(Part::Reference, "log:v1")]));
}

#[test]
fn what_is_not_understood_is_refused_with_the_place_and_the_mend() {
    let manifest = || json!("manifest");
    let of = |image: &str| {
        format!(
            "kind: Deployment\nmetadata: {{name: shop}}\nspec:\n  template:\n    spec:\n      containers:\n      - name: web\n        {image}\n"
        )
    };
    let values = || json!({"values": {"tag": "image.tag"}});
    let images = || json!({"kustomization": {"name": "web"}});
    let cases = [
        (manifest(), "a: [".to_owned(), "shop.yaml: it cannot be read as YAML: "),
        (manifest(), "kind: Service\n".to_owned(), "shop.yaml: Deployment prod/shop is not there; write it"),
        (manifest(), [of("image: a"), of("image: a")].join("---\n"), "Deployment prod/shop is there 2 times"),
        (manifest(), of("env: []"), "the image of container web of Deployment prod/shop is not there"),
        (
            manifest(),
            of("image: a\n        image: b"),
            "the image of container web of Deployment prod/shop is there 2",
        ),
        (manifest(), of("image: |\n          a"), "of Deployment prod/shop is no text on one line"),
        (manifest(), of("image: {a: b}"), "of Deployment prod/shop is no text on one line"),
        (manifest(), format!("{}x: *i\n", of("image: &i a")), "has an anchor that is used elsewhere"),
        (
            manifest(),
            format!("kind: &k Deployment\n{}", of("image: *k").replacen("kind: Deployment\n", "", 1)),
            "is an alias",
        ),
        (
            images(),
            "images: [{name: web, newName: b}]\n".to_owned(),
            "the entry web of images has neither a tag nor",
        ),
        (images(), "images: []\n".to_owned(), "the entry web of images is not there"),
        (values(), "image: {repository: web}\n".to_owned(), "shop.yaml: image.tag is not there"),
        (values(), "image: {tag: 1}\n---\nimage: {tag: 2}\n".to_owned(), "image.tag is there 2 times"),
    ];
    for (image, text, expected) in cases {
        let error = refused(image, &text);
        assert!(error.contains(expected), "{error}\nin\n{text}");
    }
}
