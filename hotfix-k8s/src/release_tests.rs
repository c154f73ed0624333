use serde_json::json;

use super::*;

fn digest(digit: char) -> String {
    format!("sha256:{}", digit.to_string().repeat(64))
}

fn deployment(image: &str, label: Option<&str>, mark: Option<&str>) -> Value {
    let mut deployment = json!({
        "metadata": {"annotations": {}},
        "spec": {"template": {
            "metadata": {"labels": {"app": "shop"}},
            "spec": {"containers": [{"name": "web", "image": image}]},
        }},
    });
    if let Some(label) = label {
        deployment["spec"]["template"]["metadata"]["labels"][names::VERSION] = label.into();
    }
    if let Some(mark) = mark {
        deployment["metadata"]["annotations"][names::RELEASE] = mark.into();
    }
    deployment
}

fn pod(image_id: &str) -> Pod {
    let pod = json!({
        "metadata": {"name": "shop-1"},
        "status": {"containerStatuses": [{"name": "web", "imageID": image_id}]},
    });
    Pod::read(&pod)
}

fn name(deployment: &Value, pods: &[Pod]) -> Result<(String, String), String> {
    let mark = Mark::read(deployment, "Deployment prod/shop").map_err(|error| error.to_string())?;
    let pods: Vec<&Pod> = pods.iter().collect();
    let release = identify(deployment, "Deployment prod/shop", mark, "web", &pods);
    let release = release.map_err(|error| error.to_string())?;
    let Artifact::Image(image) = &release.artifact else { return Err("no image".to_owned()) };
    Ok((release.tag.to_string(), image.to_string()))
}

#[test]
fn a_release_is_named_by_its_mark_its_image_or_its_pods() {
    let (one, two) = (digest('1'), digest('2'));
    let by_digest = format!("shop/web:1.4.0@{one}");
    let staged = Mark::text(&Release {
        version: Version::new(9, 0, 0),
        tag: TagName::new("shop-9").unwrap(),
        artifact: Artifact::Image(ImageReference::new(&by_digest).unwrap()),
    });
    let cases = [
        (deployment(&by_digest, None, None), vec![], ("v1.4.0", by_digest.clone())),
        (deployment(&by_digest, None, Some(&staged)), vec![], ("shop-9", by_digest.clone())),
        (
            deployment(&format!("shop/web:1.5.0@{two}"), None, Some(&staged)),
            vec![],
            ("v1.5.0", format!("shop/web:1.5.0@{two}")),
        ),
        (
            deployment("hub:5000/shop/web:v1.4.0", None, None),
            vec![pod(&format!("hub:5000/shop/web@{one}")), pod(&format!("docker-pullable://x@{one}"))],
            ("v1.4.0", format!("hub:5000/shop/web:v1.4.0@{one}")),
        ),
        (
            deployment("hub:5000/web", Some("2.0.1"), None),
            vec![pod(&one)],
            ("v2.0.1", format!("hub:5000/web@{one}")),
        ),
    ];
    for (deployment, pods, (tag, image)) in cases {
        assert_eq!(name(&deployment, &pods), Ok((tag.to_owned(), image)));
    }
}

#[test]
fn what_cannot_be_named_is_said_with_the_mend() {
    let (one, two) = (digest('1'), digest('2'));
    let cases = [
        (
            deployment("shop/web:1.4.0", None, None),
            vec![],
            "has no digest and no running pod tells one".to_owned(),
        ),
        (
            deployment("shop/web:1.4.0", None, None),
            vec![pod(&one), pod(&two)],
            format!("run the digests {one}, {two} of the image shop/web:1.4.0"),
        ),
        (
            deployment(&format!("shop/web:latest@{one}"), None, None),
            vec![],
            "does not tell its version: neither the tag".to_owned(),
        ),
        (
            deployment("shop/web:1.4.0", None, Some("{")),
            vec![],
            "hotfix.dev/release of Deployment".to_owned(),
        ),
    ];
    for (deployment, pods, expected) in cases {
        let error = name(&deployment, &pods).unwrap_err();
        assert!(error.contains(&expected), "{error}");
    }
}
