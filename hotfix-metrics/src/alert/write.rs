//! Rules as Prometheus and its operator read them.

use serde_json::{Value, json};

use super::rules::{AlertRule, RuleGroup};
use super::yaml;

impl RuleGroup {
    /// Returns a rule file for `rule_files` of Prometheus.
    #[must_use]
    pub fn to_rule_file(&self) -> String {
        yaml::document(&self.spec())
    }

    /// Returns a `PrometheusRule` object for the Prometheus operator, named after the group. Many operators look only
    /// at objects with a label of their own, such as `release`: give it in `labels`.
    #[must_use]
    pub fn to_prometheus_rule(&self, namespace: &str, labels: &[(&str, &str)]) -> String {
        let labels: serde_json::Map<_, _> =
            labels.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
        yaml::document(&json!({
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {"name": self.name, "namespace": namespace, "labels": labels},
            "spec": self.spec(),
        }))
    }

    fn spec(&self) -> Value {
        let rules: Vec<_> = self.rules.iter().map(AlertRule::to_value).collect();
        json!({"groups": [{"name": self.name, "rules": rules}]})
    }
}

impl AlertRule {
    fn to_value(&self) -> Value {
        let mut rule = json!({
            "alert": self.alert,
            "expr": self.expr,
            "labels": self.labels,
            "annotations": self.annotations,
        });
        if let (Some(lasting), Some(rule)) = (self.lasting, rule.as_object_mut()) {
            rule.insert("for".to_owned(), Value::from(lasting.to_string()));
        }
        rule
    }
}
