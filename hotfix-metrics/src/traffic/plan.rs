//! A configuration made ready: the queries to send, and what each series of an answer is.

use hotfix_core::model::{LatencyBound, SlotName, Target};
use hotfix_http::ConfigError;

use super::convention::{Bad, Names};
use super::label::{Label, Slot, is_label_name};
use super::rates::{Counter, Rates};
use super::{LabelConfig, LabelsConfig, QueriesConfig, TrafficConfig, Unit};
use crate::prometheus::Series;
use crate::promql::{Template, Values, quoted};

/// What to ask and how to read the answers.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    /// The queries, to be evaluated at the same time.
    pub(crate) parts: Vec<Part>,
    /// The same for people, who want rates.
    pub(crate) rates: Rates,
    pub(crate) unit: Unit,
    environment: Option<Label>,
    service: Option<Label>,
    slot: Label,
    status: String,
    kind: Option<String>,
    bad: Bad,
    ignore: Vec<String>,
}

/// A query and what it is about.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// With the asked buckets only, where they can be named.
    pub(crate) now: Template,
    /// With all buckets.
    pub(crate) past: Template,
    pub(crate) meaning: Meaning,
}

/// What the series of an answer are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// All of one kind.
    All(Role),
    /// Told apart by the name of the metric: the counter of requests, and the histogram without `_bucket`.
    ByName { requests: String, latency: String },
}

/// What a series counts. A native histogram counts requests and tells how slow they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Requests; those with a bad status are errors.
    Requests,
    /// Errors.
    Errors,
    /// Requests below the bound in `le`, or how slow they were as a native histogram.
    Latency,
}

const WINDOW: &str = "[${window}]";
const PLACEHOLDERS: [&str; 3] = ["environment", "service", "slots"];
const BOUNDS: &str = "bounds";

impl Reading {
    pub(crate) fn new(config: &TrafficConfig) -> Result<Self, ConfigError> {
        let TrafficConfig { convention, labels, queries } = config;
        let names = convention.names();
        let reading = Self::of_labels(names, labels)?;
        match queries {
            Some(queries) => reading.with_queries(queries),
            None => reading.with_metrics(names),
        }
    }

    fn of_labels(names: &Names, labels: &LabelsConfig) -> Result<Self, ConfigError> {
        let LabelsConfig { environment, service, slot, status, kind, ignore } = labels;
        let slot = chosen(slot.as_ref(), names.slot);
        let status = status.as_deref().unwrap_or(names.status).to_owned();
        let named = [("traffic.labels.status", Some(&status)), ("traffic.labels.kind", kind.as_ref())];
        for (field, name) in named.into_iter().filter_map(|(field, name)| Some((field, name?))) {
            if !is_label_name(name) {
                return Err(ConfigError::Invalid {
                    field,
                    allowed: format!("{name:?} is no name of a label"),
                });
            }
        }
        let by_default = || names.ignore.iter().map(|name| (*name).to_owned()).collect();
        Ok(Self {
            parts: Vec::new(),
            rates: Rates::default(),
            unit: names.unit,
            environment: selector("traffic.labels.environment", environment.as_ref(), names.environment)?,
            service: selector("traffic.labels.service", service.as_ref(), names.service)?,
            slot: Label::new("traffic.labels.slot", slot.0, slot.1, Slot::One)?,
            status,
            kind: kind.clone(),
            bad: names.bad,
            ignore: ignore.clone().unwrap_or_else(by_default),
        })
    }

    /// One query for all metrics of a convention: what it answers was true at the same time.
    fn with_metrics(mut self, names: &Names) -> Result<Self, ConfigError> {
        let latency = names.latency;
        let counter = names.requests.map_or_else(|| format!("{latency}_count"), ToOwned::to_owned);
        let metrics = format!("{counter}|{latency}|{latency}_bucket");
        let matchers = self.matchers(&metrics, names.fixed);
        let known: Vec<_> = PLACEHOLDERS.into_iter().chain([BOUNDS]).collect();
        let make = |matchers: &str| template("traffic.labels", &format!("{{{matchers}}}{WINDOW}"), &known);
        self.parts.push(Part {
            // The empty alternative is for series that are no buckets.
            now: make(&format!("{matchers},le=~\"|${{{BOUNDS}}}\""))?,
            past: make(&matchers)?,
            meaning: Meaning::ByName { requests: counter.clone(), latency: latency.to_owned() },
        });
        let (operator, status) = self.bad.matcher();
        let failed = format!(",{}{operator}{}", self.status, quoted(status));
        let select = |metric: &str, and: &str| make(&format!("{}{and}", self.matchers(metric, names.fixed)));
        // A native histogram has no series that counts beside it.
        let counted = |and: &str| {
            let native = names.requests.is_none().then(|| select(latency, and)).transpose()?;
            Ok::<_, ConfigError>(Counter { counter: select(&counter, and)?, native })
        };
        self.rates = Rates {
            requests: Some(counted("")?),
            errors: None,
            failed: Some(counted(&failed)?),
            latency: vec![select(&format!("{latency}_bucket"), "")?, select(latency, "")?],
        };
        Ok(self)
    }

    fn with_queries(mut self, queries: &QueriesConfig) -> Result<Self, ConfigError> {
        let QueriesConfig { requests, errors, latency, unit } = queries;
        let parts = &mut self.parts;
        let mut add = |field, text: &str, role| {
            let now = template(field, text, &PLACEHOLDERS)?;
            parts.push(Part { past: now.clone(), now: now.clone(), meaning: Meaning::All(role) });
            Ok(now)
        };
        self.rates.requests =
            Some(Counter::plain(add("traffic.queries.requests", requests, Role::Requests)?));
        if let Some(errors) = errors {
            let errors = Counter::plain(add("traffic.queries.errors", errors, Role::Errors)?);
            self.rates.errors = Some(errors.clone());
            self.rates.failed = Some(errors);
            // The errors are counted by their own query, so no status of a request means one.
            self.bad = Bad::Word("");
        }
        if let Some(latency) = latency {
            self.rates.latency.push(add("traffic.queries.latency", latency, Role::Latency)?);
        }
        self.unit = *unit;
        Ok(self)
    }

    fn matchers(&self, metrics: &str, fixed: &[(&str, &str)]) -> String {
        let operator = if metrics.contains('|') { "=~" } else { "=" };
        let mut matchers = vec![format!("__name__{operator}{}", quoted(metrics))];
        matchers.extend(fixed.iter().map(|(name, value)| format!("{name}={}", quoted(value))));
        let own = [(&self.environment, "environment"), (&self.service, "service")];
        for (label, placeholder) in own {
            matchers.extend(label.as_ref().map(|label| format!("{}=\"${{{placeholder}}}\"", label.name)));
        }
        matchers.push(format!("{}=~\"${{slots}}\"", self.slot.name));
        matchers.join(",")
    }

    /// Returns whether anything is asked that tells how long requests took.
    pub(crate) fn knows_latency(&self) -> bool {
        let tells =
            |meaning: &Meaning| matches!(meaning, Meaning::ByName { .. } | Meaning::All(Role::Latency));
        self.parts.iter().any(|part| tells(&part.meaning))
    }

    /// Returns what the placeholders stand for.
    pub(crate) fn values(&self, target: &Target, slots: &[SlotName], bounds: &[LatencyBound]) -> Values {
        let value = |label: &Option<Label>, plain: &str| {
            label.as_ref().map_or_else(|| plain.to_owned(), |label| label.of(target, None))
        };
        Values::from([
            ("environment", vec![value(&self.environment, target.environment.as_str())]),
            ("service", vec![value(&self.service, target.service.as_str())]),
            ("slots", slots.iter().map(|slot| self.slot.of(target, Some(slot))).collect()),
            (BOUNDS, labels_of(bounds, self.unit)),
        ])
    }

    /// Returns the value of the slot's label for each slot.
    pub(crate) fn slots<'a>(&self, target: &Target, slots: &'a [SlotName]) -> Vec<(String, &'a SlotName)> {
        slots.iter().map(|slot| (self.slot.of(target, Some(slot)), slot)).collect()
    }

    pub(crate) fn slot_label(&self) -> &str {
        &self.slot.name
    }

    pub(crate) fn status_label(&self) -> &str {
        &self.status
    }

    /// Returns the kind of requests that a series counts, where kinds are told apart.
    pub(crate) fn kind_of(&self, series: Series<'_>) -> Option<String> {
        self.kind.as_ref().map(|label| series.label(label).to_owned())
    }

    pub(crate) const fn bad(&self) -> Bad {
        self.bad
    }

    /// Returns whether a label tells one series of an instance from another. Those that tell how a request ended do not.
    pub(crate) fn distinguishes(&self, label: &str) -> bool {
        !matches!(label, "__name__" | "le")
            && label != self.status
            && !self.ignore.iter().any(|name| name == label)
    }
}

impl Meaning {
    /// Returns what a series of that name counts; `None`: nothing of use.
    pub(crate) fn of(&self, metric: &str) -> Option<Role> {
        match self {
            Self::All(role) => Some(*role),
            Self::ByName { requests, .. } if metric == requests => Some(Role::Requests),
            Self::ByName { requests, latency } => match metric.strip_prefix(latency.as_str())? {
                // A native histogram has no series for its count.
                "" if requests.strip_suffix("_count") == Some(latency) => Some(Role::Requests),
                "" | "_bucket" => Some(Role::Latency),
                _ => None,
            },
        }
    }
}

fn template(field: &'static str, text: &str, known: &[&str]) -> Result<Template, ConfigError> {
    Template::new(text, known).map_err(|error| ConfigError::Invalid { field, allowed: error.to_string() })
}

fn chosen<'a>(own: Option<&'a LabelConfig>, convention: (&'a str, &'a str)) -> (&'a str, &'a str) {
    own.map_or(convention, |label| (&label.name, &label.value))
}

/// Builds a label that selects a target; one without a name does not.
fn selector(
    field: &'static str,
    own: Option<&LabelConfig>,
    convention: (&str, &str),
) -> Result<Option<Label>, ConfigError> {
    let (name, value) = chosen(own, convention);
    if name.is_empty() { Ok(None) } else { Label::new(field, name, value, Slot::All).map(Some) }
}

/// Returns the ways in which clients and servers write the bounds, and the one that is not bounded.
fn labels_of(bounds: &[LatencyBound], unit: Unit) -> Vec<String> {
    let mut labels: Vec<_> =
        bounds.iter().flat_map(|bound| ways(bound.seconds() * unit.per_second())).collect();
    if !labels.is_empty() {
        labels.push("+Inf".to_owned());
    }
    labels
}

/// `1`, `1.0` (Prometheus 3, Java, Python) and `1e-06` (Go).
fn ways(number: f64) -> Vec<String> {
    let plain = number.to_string();
    let mut ways = vec![];
    if number.fract() == 0.0 {
        ways.push(format!("{plain}.0"));
    }
    if number < 1e-3 {
        let scientific = format!("{number:e}");
        let (mantissa, exponent) = scientific.split_once("e-").unwrap_or((&scientific, "0"));
        ways.push(format!("{mantissa}e-{exponent:0>2}"));
        ways.push(scientific);
    }
    ways.push(plain);
    ways
}

#[cfg(test)]
mod tests {
    use super::super::Convention;
    use super::*;

    fn fill(config: &TrafficConfig, bounds: &[u64]) -> Vec<String> {
        let reading = Reading::new(config).unwrap();
        let (target, slots) =
            ("production/shop".parse().unwrap(), ["blue".parse().unwrap(), "green".parse().unwrap()]);
        let bounds: Vec<_> =
            bounds.iter().map(|micros| LatencyBound::from_micros(*micros).unwrap()).collect();
        let values = reading.values(&target, &slots, &bounds);
        reading
            .parts
            .iter()
            .map(|part| part.now.fill(&values, Some(hotfix_core::model::Period::from_secs(90))))
            .collect()
    }

    #[test]
    fn one_query_reads_all_metrics_of_a_convention() {
        let query = |convention, bounds: &[u64]| {
            fill(&TrafficConfig { convention, ..TrafficConfig::default() }, bounds).join("\n")
        };
        assert_eq!(
            query(Convention::HttpRequestsTotal, &[250_000, 1_000_000]),
            r#"{__name__=~"http_requests_total|http_request_duration_seconds|http_request_duration_seconds_bucket",namespace="production",app="shop",slot=~"blue|green",le=~"|0\\.25|1\\.0|1|\\+Inf"}[1m30s]"#
        );
        assert_eq!(
            query(Convention::OpenTelemetry, &[]),
            r#"{__name__=~"http_server_request_duration_seconds_count|http_server_request_duration_seconds|http_server_request_duration_seconds_bucket",deployment_environment_name="production",service_name="shop",slot=~"blue|green",le=~"|"}[1m30s]"#
        );
        assert_eq!(
            query(Convention::Istio, &[2_500]),
            r#"{__name__=~"istio_requests_total|istio_request_duration_milliseconds|istio_request_duration_milliseconds_bucket",reporter="source",destination_workload_namespace="production",destination_canonical_service="shop",destination_workload=~"shop-blue|shop-green",le=~"|2\\.5|\\+Inf"}[1m30s]"#
        );
        assert_eq!(
            query(Convention::NginxIngress, &[5]),
            r#"{__name__=~"nginx_ingress_controller_requests|nginx_ingress_controller_request_duration_seconds|nginx_ingress_controller_request_duration_seconds_bucket",namespace="production",ingress="shop",service=~"shop-blue|shop-green",le=~"|5e-06|5e-6|0\\.000005|\\+Inf"}[1m30s]"#
        );
        assert_eq!(
            query(Convention::Linkerd, &[]),
            r#"{__name__=~"response_total|response_latency_ms|response_latency_ms_bucket",direction="inbound",namespace="production",deployment=~"shop-blue|shop-green",le=~"|"}[1m30s]"#
        );
    }

    #[test]
    fn own_labels_and_queries_replace_the_conventions() {
        let queries = QueriesConfig {
            requests: "hits{e=\"${environment}\",c=~\"${slots}\"}[${window}]".to_owned(),
            errors: Some("sum(bad{s='${service}'})".to_owned()),
            latency: None,
            unit: Unit::Seconds,
        };
        let labels = LabelsConfig {
            slot: Some(LabelConfig::new("c", "v-${slot}")),
            service: Some(LabelConfig::new("s", "the ${service}")),
            ..LabelsConfig::default()
        };
        let config = TrafficConfig { labels, queries: Some(queries), ..TrafficConfig::default() };
        assert_eq!(
            fill(&config, &[]),
            [r#"hits{e="production",c=~"v-blue|v-green"}[1m30s]"#, "sum(bad{s='the shop'})"]
        );
        assert!(!Reading::new(&config).unwrap().knows_latency());
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_field() {
        let queries = |requests: &str| {
            let queries = QueriesConfig {
                requests: requests.to_owned(),
                errors: None,
                latency: None,
                unit: Unit::Seconds,
            };
            TrafficConfig { queries: Some(queries), ..TrafficConfig::default() }
        };
        let labels = |labels| TrafficConfig { labels, ..TrafficConfig::default() };
        for (config, message) in [
            (
                queries("x{s=${service}}"),
                "traffic.queries.requests is not valid: ${service} stands outside of a string, where nothing can be escaped; put it in quotes",
            ),
            (
                labels(LabelsConfig { status: Some("a b".into()), ..LabelsConfig::default() }),
                "traffic.labels.status is not valid: \"a b\" is no name of a label",
            ),
            (
                labels(LabelsConfig { slot: Some(LabelConfig::new("s", "x")), ..LabelsConfig::default() }),
                "traffic.labels.slot is not valid: must hold ${slot}, or the slots cannot be told apart",
            ),
        ] {
            assert_eq!(Reading::new(&config).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn series_are_told_apart_by_their_metric() {
        let meaning = |requests: &str, latency: &str| Meaning::ByName {
            requests: requests.into(),
            latency: latency.into(),
        };
        for (meaning, metric, role) in [
            (meaning("r_total", "d"), "r_total", Some(Role::Requests)),
            (meaning("r_total", "d"), "d_bucket", Some(Role::Latency)),
            (meaning("r_total", "d"), "d", Some(Role::Latency)),
            (meaning("r_total", "d"), "d_sum", None),
            (meaning("d_count", "d"), "d_count", Some(Role::Requests)),
            (meaning("d_count", "d"), "d", Some(Role::Requests)),
        ] {
            assert_eq!(meaning.of(metric), role, "{metric}");
        }
    }
}
