//! Writes the alert rules for a release, as a rule file and as an object for the Prometheus operator.
//!
//! `cargo run --example alert_rules [CONVENTION]`, where the convention is `http_requests_total`, `opentelemetry`,
//! `istio`, `nginx_ingress` or `linkerd`.

use std::error::Error;

use hotfix::metrics::{
    Alerting, AlertsConfig, Convention, LabelConfig, LabelsConfig, ReleaseWatch, TrafficConfig,
};
use hotfix::model::Timestamp;

fn main() -> Result<(), Box<dyn Error>> {
    let word = std::env::args().nth(1).unwrap_or_else(|| "http_requests_total".to_owned());
    let convention: Convention = serde_json::from_value(word.into())?;

    // The label that the deployer puts on the instances; the convention's own would be `slot`.
    let slot = Some(LabelConfig::new("track", "${slot}"));
    let labels = LabelsConfig { slot, ..LabelsConfig::default() };
    let traffic = TrafficConfig { convention, labels, ..TrafficConfig::default() };
    let alerts = AlertsConfig {
        objective: 0.9995,
        labels: [("team".to_owned(), "checkout".to_owned())].into(),
        runbook: Some("https://runbooks.example/checkout".to_owned()),
        ..AlertsConfig::default()
    };
    let rules = Alerting::new(&traffic, &alerts)?.rules(&ReleaseWatch {
        target: "production/checkout".parse()?,
        slots: vec!["stable".parse()?, "canary".parse()?],
        version: "2.4.1".parse()?,
        since: Timestamp::from_timestamp(1_795_255_200, 0).ok_or("a time that there is")?,
    });

    say("# rules.yml: add it to rule_files of Prometheus");
    say(&rules.to_rule_file());
    say("---\n# prometheus-rule.yml: kubectl apply -f it where the Prometheus operator runs");
    say(&rules.to_prometheus_rule("monitoring", &[("release", "kube-prometheus-stack")]));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "this is a program for people")]
fn say(text: &str) {
    println!("{text}");
}
