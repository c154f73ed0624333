//! What was written to the API server, in words.

use hotfix_testkit::cluster::AuditEvent;
use serde_json::Value;

/// Puts a write into a line: which object, and what changed of it. Tests and the fence are left out.
pub(crate) fn words(event: &AuditEvent) -> String {
    let kind = event.resource.as_deref().unwrap_or("?").trim_end_matches('s');
    let name = event.name.as_deref().unwrap_or("?");
    let operations = event.request.as_ref().and_then(Value::as_array);
    let did = match (event.verb.as_str(), operations) {
        ("create", _) => "created, without pods".to_owned(),
        (_, Some(operations)) => {
            let told: Vec<_> = operations.iter().filter_map(change).collect();
            if told.is_empty() { "fence raised, nothing else".to_owned() } else { told.join(", ") }
        }
        (verb, None) => verb.to_owned(),
    };
    let refused =
        if event.status < 400 { String::new() } else { format!(" (refused: HTTP {})", event.status) };
    format!("{kind} {name}: {did}{refused}")
}

fn change(operation: &Value) -> Option<String> {
    const OURS: &str = "/metadata/annotations/hotfix.dev~1";
    let (verb, path, value) = (operation["op"].as_str()?, operation["path"].as_str()?, &operation["value"]);
    match (verb, path.strip_prefix(OURS)) {
        ("test", _) | (_, Some("fence")) => None,
        ("remove", _) => Some(format!("{path} removed")),
        (_, Some("release")) => Some(release(value)),
        (_, Some("live")) => Some(format!("live is {}", value.as_str().unwrap_or("?"))),
        (_, Some("restored")) => Some("noted that it was restored".to_owned()),
        _ if path == "/metadata/annotations" => None,
        _ if path == "/spec/template" => Some(format!("image {}", image(value))),
        (_, _) => Some(format!("{} = {value}", path.trim_start_matches("/spec/"))),
    }
}

fn release(mark: &Value) -> String {
    let mark: Option<Value> = mark.as_str().and_then(|text| serde_json::from_str(text).ok());
    match mark.as_ref().and_then(|mark| mark["tag"].as_str()) {
        Some(tag) => format!("holds {tag}"),
        None => "holds nothing".to_owned(),
    }
}

/// The image of a template, with as much of its digest as tells it from others.
fn image(template: &Value) -> String {
    let image = template.pointer("/spec/containers/0/image").and_then(Value::as_str).unwrap_or("?");
    match image.split_once("@sha256:") {
        Some((name, digest)) => format!("{name}@sha256:{}", digest.get(..12).unwrap_or(digest)),
        None => image.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::change;

    #[test]
    fn a_patch_is_told_without_its_tests_and_its_fence() {
        let digest = "0123456789ab".repeat(5);
        let cases = [
            (json!({"op": "test", "path": "/spec/replicas", "value": 0}), None),
            (
                json!({"op": "replace", "path": "/metadata/annotations/hotfix.dev~1fence", "value": "{}"}),
                None,
            ),
            (json!({"op": "replace", "path": "/spec/replicas", "value": 3}), Some("replicas = 3".to_owned())),
            (
                json!({"op": "add", "path": "/spec/template", "value": {"spec": {"containers": [
                    {"image": format!("demo/shop@sha256:{digest}")},
                ]}}}),
                Some("image demo/shop@sha256:0123456789ab".to_owned()),
            ),
            (
                json!({
                    "op": "add", "path": "/metadata/annotations/hotfix.dev~1release", "value": "{\"tag\":\"v2.1.1\"}",
                }),
                Some("holds v2.1.1".to_owned()),
            ),
            (
                json!({"op": "replace", "path": "/metadata/annotations/hotfix.dev~1release", "value": "none"}),
                Some("holds nothing".to_owned()),
            ),
        ];
        for (operation, expected) in cases {
            assert_eq!(change(&operation), expected, "{operation}");
        }
    }
}
