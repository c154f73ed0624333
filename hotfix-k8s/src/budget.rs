//! PodDisruptionBudgets: one that selects by the label that tells the slots apart does not protect the other slot.

use hotfix_core::model::Target;
use serde_json::Value;
use tokio::time::Instant;

use crate::deployer::KubernetesDeployer;
use crate::error::Unusable;
use crate::object;
use crate::sight::Sight;
use crate::slot::Side;

impl KubernetesDeployer {
    /// Reads the budgets of a target's namespace.
    pub(crate) async fn budgets(&self, target: &Target, deadline: Instant) -> Result<Vec<Value>, Unusable> {
        let namespace = &self.target(target)?.namespace;
        let collection = object::collection("policy/v1", "poddisruptionbudgets", namespace);
        let all = self.api.list(&collection, "", deadline).await;
        all.map_err(|failure| crate::deployer::request(format!("poddisruptionbudgets {namespace}"), failure))
    }
}

/// Says which budgets protect the pods of the main Deployment and not those of its copy.
pub(crate) fn notices(sight: &Sight, budgets: &[Value]) -> Vec<String> {
    let labels =
        |side| sight.deployment(side).map(|object| &object.value["spec"]["template"]["metadata"]["labels"]);
    let Some((main, copy)) = labels(Side::Main).zip(labels(Side::Hotfix)) else { return Vec::new() };
    let partial = budgets.iter().filter(|budget| {
        let selector = &budget["spec"]["selector"];
        selects(selector, main) && !selects(selector, copy)
    });
    let notice = |budget: &Value| {
        format!(
            "PodDisruptionBudget {} protects the pods of {} and not those of its copy; widen its selector, or give the \
             copy one of its own",
            budget["metadata"]["name"].as_str().unwrap_or_default(),
            sight.main.reference,
        )
    };
    partial.map(notice).collect()
}

/// Whether a label selector selects these labels. An empty one selects all, none at all nothing.
fn selects(selector: &Value, labels: &Value) -> bool {
    let Some(selector) = selector.as_object() else { return false };
    let equal = selector.get("matchLabels").and_then(Value::as_object);
    let expressions = selector.get("matchExpressions").and_then(Value::as_array);
    equal.into_iter().flatten().all(|(name, value)| labels[name] == *value)
        && expressions.into_iter().flatten().all(|expression| holds(expression, labels))
}

fn holds(expression: &Value, labels: &Value) -> bool {
    let found = expression["key"].as_str().map(|key| &labels[key]).filter(|value| !value.is_null());
    let among = |value: &Value| expression["values"].as_array().is_some_and(|values| values.contains(value));
    match expression["operator"].as_str() {
        Some("In") => found.is_some_and(among),
        Some("NotIn") => !found.is_some_and(among),
        Some("Exists") => found.is_some(),
        Some("DoesNotExist") => found.is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_selector_is_read_as_kubernetes_reads_it() {
        let labels = json!({"app": "shop", "team": "checkout"});
        let expression = |key: &str, operator: &str, values: Value| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
        let cases = [
            (json!({}), true),
            (json!(null), false),
            (json!({"matchLabels": {"app": "shop"}}), true),
            (json!({"matchLabels": {"app": "shop", "tier": "web"}}), false),
            (expression("app", "In", json!(["shop", "shop-hotfix"])), true),
            (expression("app", "In", json!(["pay"])), false),
            (expression("tier", "In", json!(["web"])), false),
            (expression("app", "NotIn", json!(["shop"])), false),
            (expression("tier", "NotIn", json!(["web"])), true),
            (expression("team", "Exists", json!(null)), true),
            (expression("tier", "DoesNotExist", json!(null)), true),
            (expression("tier", "Gt", json!(["1"])), false),
        ];
        for (selector, expected) in cases {
            assert_eq!(selects(&selector, &labels), expected, "{selector}");
        }
    }
}
