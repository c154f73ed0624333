//! The rules that watch a release, as data.

use std::collections::BTreeMap;

use hotfix_core::model::{Period, SlotName, Target, Timestamp};
use hotfix_http::ConfigError;

use super::AlertsConfig;
use crate::promql::Values;
use crate::traffic::{Counter, Reading, TrafficConfig};

/// Writes rules about the traffic of workloads.
#[derive(Debug, Clone)]
pub struct Alerting {
    reading: Reading,
    config: AlertsConfig,
    failed: Counter,
    requests: Counter,
}

/// A release to watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseWatch {
    /// Where it was released.
    pub target: Target,
    /// The slots whose traffic is that of the workload.
    pub slots: Vec<SlotName>,
    /// What was released.
    pub version: semver::Version,
    /// When its rollout began. What is compared with the time before is compared with the time before this.
    pub since: Timestamp,
}

/// Rules that are evaluated together.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleGroup {
    /// Its name.
    pub name: String,
    /// The rules.
    pub rules: Vec<AlertRule>,
}

/// A rule that alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertRule {
    /// The name of the alert.
    pub alert: String,
    /// Alerts for each series that this gives.
    pub expr: String,
    /// For how long it must give it; `None`: not at all.
    pub lasting: Option<Period>,
    /// Labels of the alert.
    pub labels: BTreeMap<String, String>,
    /// What people are told.
    pub annotations: BTreeMap<String, String>,
}

/// How fast the error budget of 30 days burns: the factor, the long and the short window, and who is told.
///
/// From the chapter "Alerting on SLOs" of Google's Site Reliability Workbook.
const BURNS: [(&str, f64, Period, Period, &str); 3] = [
    ("ErrorBudgetBurnFast", 14.4, Period::from_hours(1), Period::from_mins(5), "page"),
    ("ErrorBudgetBurnSlow", 6.0, Period::from_hours(6), Period::from_mins(30), "page"),
    ("ErrorBudgetBurnLasting", 1.0, Period::from_hours(72), Period::from_hours(6), "ticket"),
];

/// Over which time the present is looked at.
const NOW: Period = Period::from_mins(5);

impl Alerting {
    /// Builds it.
    ///
    /// # Errors
    /// [`ConfigError`] naming the field that cannot work.
    pub fn new(traffic: &TrafficConfig, config: &AlertsConfig) -> Result<Self, ConfigError> {
        let invalid = |field, allowed: &str| Err(ConfigError::Invalid { field, allowed: allowed.to_owned() });
        if !(config.error_ratio > 0.0 && config.error_ratio < 1.0) {
            return invalid("alerts.error_ratio", "must lie between 0 and 1");
        }
        if !(config.objective > 0.0 && config.objective < 1.0) {
            return invalid("alerts.objective", "must lie between 0 and 1, such as 0.999");
        }
        if !(config.slower_than > 1.0 && config.slower_than.is_finite()) {
            return invalid("alerts.slower_than", "must be above 1, such as 1.5");
        }
        if !(config.least_traffic >= 0.0 && config.least_traffic.is_finite()) {
            return invalid("alerts.least_traffic", "must be requests per second");
        }
        let reading = Reading::new(traffic)?;
        let mend = "rules need a query of their own for errors";
        let missing = ConfigError::Missing { field: "traffic.queries.errors", mend };
        let (requests, failed) = (reading.rates.requests.clone(), reading.rates.failed.clone());
        let (Some(requests), Some(failed)) = (requests, failed) else {
            return Err(missing);
        };
        Ok(Self { reading, config: config.clone(), failed, requests })
    }

    /// Returns the rules for a release: errors and response times right after it, and the error budget from then on as
    /// the net below.
    #[must_use]
    pub fn rules(&self, release: &ReleaseWatch) -> RuleGroup {
        let values = self.reading.values(&release.target, &release.slots, &[]);
        let mut rules = vec![self.high_error_rate(release, &values)];
        rules.extend(self.response_time(release, &values));
        rules.extend(BURNS.map(|(alert, factor, long, short, severity)| {
            self.burn(release, &values, alert, factor, [long, short], severity)
        }));
        RuleGroup { name: format!("hotfix-{}-{}", release.target.environment, release.target.service), rules }
    }

    fn high_error_rate(&self, release: &ReleaseWatch, values: &Values) -> AlertRule {
        let limit = self.config.error_ratio;
        let expr = format!("{} > {limit}\nand {}", self.ratio(values, NOW), self.busy(values));
        let summary = format!("{} has many errors after {}", release.target, release.version);
        let description =
            "{{ $value | humanizePercentage }} of the requests of the last 5 minutes ended in an error.";
        self.rule(
            "HighErrorRateAfterDeploy",
            expr,
            Some(self.config.lasting),
            "page",
            release,
            [&summary, description],
        )
    }

    /// Compares with the time before the rollout began; without histograms there is nothing to compare.
    fn response_time(&self, release: &ReleaseWatch, values: &Values) -> Option<AlertRule> {
        let quantile = |over: Period, moment: &str| self.reading.rates.quantile(0.95, values, over, moment);
        let now = quantile(NOW, "")?;
        let before = quantile(self.config.before, &format!(" @ {}", release.since.timestamp()))?;
        let factor = self.config.slower_than;
        let expr = format!("{now}\n> {factor} *\n{before}\nand {}", self.busy(values));
        let summary = format!("{} has become slow with {}", release.target, release.version);
        let unit = self.reading.unit;
        let description = format!(
            "95 % of the requests take up to {{{{ $value }}}} {unit}, more than {factor} times as long as before."
        );
        Some(self.rule(
            "ResponseTimeRegression",
            expr,
            Some(self.config.lasting),
            "page",
            release,
            [&summary, &description],
        ))
    }

    fn burn(
        &self,
        release: &ReleaseWatch,
        values: &Values,
        alert: &str,
        factor: f64,
        windows: [Period; 2],
        severity: &str,
    ) -> AlertRule {
        let budget = format!("{:.6}", 1.0 - self.config.objective);
        let budget = budget.trim_end_matches('0');
        let [long, short] =
            windows.map(|window| format!("{} > {factor} * {budget}", self.ratio(values, window)));
        let summary =
            format!("{} burns its error budget at {factor} times the pace that it can stand", release.target);
        let description = format!(
            "{{{{ $value | humanizePercentage }}}} of the requests of the last {} ended in an error.",
            windows[0]
        );
        self.rule(alert, format!("{long}\nand {short}"), None, severity, release, [&summary, &description])
    }

    fn ratio(&self, values: &Values, window: Period) -> String {
        let rate = |counter: &Counter| format!("sum({})", counter.rate(values, window));
        format!("{} / {}", rate(&self.failed), rate(&self.requests))
    }

    fn busy(&self, values: &Values) -> String {
        format!("sum({}) > {}", self.requests.rate(values, NOW), self.config.least_traffic)
    }

    fn rule(
        &self,
        alert: &str,
        expr: String,
        lasting: Option<Period>,
        severity: &str,
        release: &ReleaseWatch,
        [summary, description]: [&str; 2],
    ) -> AlertRule {
        let mut labels = self.config.labels.clone();
        labels.extend(
            [
                ("severity", severity.to_owned()),
                ("environment", release.target.environment.to_string()),
                ("service", release.target.service.to_string()),
                ("version", release.version.to_string()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        let texts = [
            ("summary", Some(summary)),
            ("description", Some(description)),
            ("runbook_url", self.config.runbook.as_deref()),
        ];
        let texts = texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.to_owned())));
        AlertRule { alert: alert.to_owned(), expr, lasting, labels, annotations: texts.collect() }
    }
}
