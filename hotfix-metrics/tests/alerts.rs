//! Rules as `promtool` checks and tests them.

use std::path::Path;
use std::process::Command;

use hotfix_core::model::Timestamp;
use hotfix_metrics::{
    AlertRule, Alerting, AlertsConfig, Convention, QueriesConfig, ReleaseWatch, RuleGroup, TrafficConfig,
    Unit,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Minutes from the beginning to the rollout.
const ROLLOUT: i64 = 60;

fn release() -> ReleaseWatch {
    ReleaseWatch {
        target: "production/shop".parse().unwrap(),
        slots: vec!["blue".parse().unwrap(), "green".parse().unwrap()],
        version: "2.1.1".parse().unwrap(),
        since: Timestamp::from_timestamp(ROLLOUT * 60, 0).unwrap(),
    }
}

fn rules(traffic: &TrafficConfig) -> RuleGroup {
    let config =
        AlertsConfig { runbook: Some("https://runbooks.example/shop".into()), ..AlertsConfig::default() };
    Alerting::new(traffic, &config).unwrap().rules(&release())
}

/// Runs `promtool` in a folder and returns what it says.
pub(crate) fn promtool(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    #[expect(clippy::disallowed_methods, reason = "the test is about this program")]
    let output = Command::new("promtool").args(arguments).current_dir(folder).output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    if output.status.success() { Ok(said) } else { Err(said) }
}

#[test]
fn promtool_accepts_the_rules_of_every_convention() {
    for convention in Convention::ALL {
        let folder = TempDir::new().unwrap();
        let group = rules(&TrafficConfig { convention, ..TrafficConfig::default() });
        std::fs::write(folder.path().join("rules.yml"), group.to_rule_file()).unwrap();
        let said = promtool(folder.path(), &["check", "rules", "rules.yml"]).unwrap();
        assert!(said.contains("SUCCESS: 5 rules found"), "{convention:?}: {said}");
    }
}

#[test]
fn the_files_are_as_people_read_them() {
    let group = rules(&TrafficConfig::default());
    assert_eq!(group.to_rule_file(), include_str!("golden/rules.yml"));
    let object = group.to_prometheus_rule("monitoring", &[("release", "kube-prometheus-stack")]);
    assert_eq!(object, include_str!("golden/prometheus_rule.yml"));
}

/// A series of requests, as the notation of `promtool` has it: a value a minute.
fn series(labels: &str, values: &str) -> Value {
    let common = "namespace=\"production\",app=\"shop\",slot=\"blue\"";
    json!({"series": format!("http_requests_total{{{common},{labels}}}"), "values": values})
}

fn buckets(fast: &str, all: &str) -> Vec<Value> {
    let bucket = |le: &str, values: &str| {
        let common = "namespace=\"production\",app=\"shop\",slot=\"blue\"";
        json!({"series": format!("http_request_duration_seconds_bucket{{{common},le=\"{le}\"}}"), "values": values})
    };
    vec![bucket("0.1", fast), bucket("1", all), bucket("+Inf", all)]
}

/// Lets `promtool` say which of our alerts fire at a minute: it says what it got where nothing was expected.
fn firing(input: &[Value], minute: u32) -> Vec<String> {
    let folder = TempDir::new().unwrap();
    let group = rules(&TrafficConfig::default());
    std::fs::write(folder.path().join("rules.yml"), group.to_rule_file()).unwrap();
    let quiet = |rule: &AlertRule| json!({"eval_time": format!("{minute}m"), "alertname": rule.alert, "exp_alerts": []});
    let quiet: Vec<_> = group.rules.iter().map(quiet).collect();
    let test = json!({
        "rule_files": ["rules.yml"],
        "tests": [{"interval": "1m", "input_series": input, "alert_rule_test": quiet}],
    });
    std::fs::write(folder.path().join("test.yml"), test.to_string()).unwrap();
    let said = promtool(folder.path(), &["test", "rules", "test.yml"]);
    let fires = |alert: &String| {
        said.as_ref().is_err_and(|said| said.contains(&format!("Labels:{{alertname=\"{alert}\"")))
    };
    let firing: Vec<_> = group.rules.iter().map(|rule| rule.alert.clone()).filter(fires).collect();
    assert_eq!(said.is_err(), !firing.is_empty(), "{said:?}");
    firing
}

#[test]
fn errors_after_the_rollout_alert_once_they_last() {
    // 10 requests a second; from minute 61 on, one more that fails.
    let input = [series("code=\"200\"", "0+600x120"), series("code=\"500\"", "0x60 0+60x60")];
    assert_eq!(firing(&input, 60), Vec::<String>::new());
    assert_eq!(
        firing(&input, 70),
        ["HighErrorRateAfterDeploy", "ErrorBudgetBurnFast", "ErrorBudgetBurnSlow", "ErrorBudgetBurnLasting"]
    );
}

#[test]
fn a_slow_burn_alerts_without_a_peak() {
    // 0.8 % errors all the time: 8 times as much as the objective allows.
    let input = [series("code=\"200\"", "0+9920x500"), series("code=\"500\"", "0+80x500")];
    assert_eq!(firing(&input, 480), ["ErrorBudgetBurnSlow", "ErrorBudgetBurnLasting"]);
}

#[test]
fn a_service_without_traffic_is_left_alone() {
    // Two requests a minute, one of which fails.
    let input = [series("code=\"200\"", "0+1x120"), series("code=\"500\"", "0+1x120")];
    assert!(!firing(&input, 90).contains(&"HighErrorRateAfterDeploy".to_owned()));
}

#[test]
fn slower_answers_than_before_alert() {
    let quick = [series("code=\"200\"", "0+600x120")];
    let slow = [&quick[..], &buckets("0+600x60 36060+60x60", "0+600x120")].concat();
    assert_eq!(firing(&slow, 59), Vec::<String>::new());
    assert_eq!(firing(&slow, 75), ["ResponseTimeRegression"]);
    let same = [&quick[..], &buckets("0+600x120", "0+600x120")].concat();
    assert_eq!(firing(&same, 75), Vec::<String>::new());
}

#[test]
fn what_people_are_told_names_service_version_and_value() {
    let folder = TempDir::new().unwrap();
    let group = rules(&TrafficConfig::default());
    std::fs::write(folder.path().join("rules.yml"), group.to_rule_file()).unwrap();
    let test = json!({
        "rule_files": ["rules.yml"],
        "tests": [{
            "interval": "1m",
            "input_series": [series("code=\"200\"", "0+600x120"), series("code=\"500\"", "0+60x120")],
            "alert_rule_test": [{
                "eval_time": "70m",
                "alertname": "HighErrorRateAfterDeploy",
                "exp_alerts": [{
                    "exp_labels": {"environment": "production", "service": "shop", "severity": "page", "version": "2.1.1"},
                    "exp_annotations": {
                        "summary": "production/shop has many errors after 2.1.1",
                        "description": "9.091% of the requests of the last 5 minutes ended in an error.",
                        "runbook_url": "https://runbooks.example/shop",
                    },
                }],
            }],
        }],
    });
    std::fs::write(folder.path().join("test.yml"), test.to_string()).unwrap();
    promtool(folder.path(), &["test", "rules", "test.yml"]).unwrap();
}

#[test]
fn what_cannot_alert_is_refused() {
    let refusal = |config| Alerting::new(&TrafficConfig::default(), &config).unwrap_err().to_string();
    assert_eq!(
        refusal(AlertsConfig { error_ratio: 5.0, ..AlertsConfig::default() }),
        "alerts.error_ratio is not valid: must lie between 0 and 1"
    );
    assert_eq!(
        refusal(AlertsConfig { objective: 99.9, ..AlertsConfig::default() }),
        "alerts.objective is not valid: must lie between 0 and 1, such as 0.999"
    );
    let requests = "hits{c=~\"${slots}\"}[${window}]".to_owned();
    let queries = QueriesConfig { requests, errors: None, latency: None, unit: Unit::Seconds };
    let own = TrafficConfig { queries: Some(queries), ..TrafficConfig::default() };
    assert_eq!(
        Alerting::new(&own, &AlertsConfig::default()).unwrap_err().to_string(),
        "traffic.queries.errors is not set: rules need a query of their own for errors"
    );
}
