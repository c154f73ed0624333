//! The names that common instrumentations use.

use serde::Deserialize;

use super::Unit;

/// Whose names of metrics and labels are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Convention {
    /// `http_requests_total` with `code`, `http_request_duration_seconds`: the client libraries' custom.
    #[default]
    HttpRequestsTotal,
    /// `http_server_request_duration_seconds` with `http_response_status_code`: OpenTelemetry's semantic conventions,
    /// as exported to Prometheus with the resource attributes promoted to labels.
    #[serde(rename = "opentelemetry")]
    OpenTelemetry,
    /// `istio_requests_total` as the caller's sidecar reports them, which sees refused connections too.
    Istio,
    /// `nginx_ingress_controller_requests` of the NGINX Ingress Controller.
    NginxIngress,
    /// `response_total` of Linkerd's proxies.
    Linkerd,
}

impl Convention {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::HttpRequestsTotal, Self::OpenTelemetry, Self::Istio, Self::NginxIngress, Self::Linkerd];

    pub(super) const fn names(self) -> &'static Names {
        match self {
            Self::HttpRequestsTotal => &HTTP_REQUESTS_TOTAL,
            Self::OpenTelemetry => &OPEN_TELEMETRY,
            Self::Istio => &ISTIO,
            Self::NginxIngress => &NGINX_INGRESS,
            Self::Linkerd => &LINKERD,
        }
    }
}

/// The names of one convention.
#[derive(Debug)]
pub(super) struct Names {
    /// The counter of requests; `None`: it is the count of the histogram.
    pub(super) requests: Option<&'static str>,
    /// The histogram, without `_bucket`.
    pub(super) latency: &'static str,
    pub(super) unit: Unit,
    pub(super) status: &'static str,
    pub(super) bad: Bad,
    pub(super) fixed: &'static [(&'static str, &'static str)],
    pub(super) environment: (&'static str, &'static str),
    pub(super) service: (&'static str, &'static str),
    pub(super) slot: (&'static str, &'static str),
    pub(super) ignore: &'static [&'static str],
}

/// Which values of the status label mean an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bad {
    /// `500` to `599`.
    ServerError,
    /// This word.
    Word(&'static str),
}

impl Bad {
    pub(crate) fn is(self, status: &str) -> bool {
        match self {
            Self::ServerError => {
                status.len() == 3 && status.starts_with('5') && status.bytes().all(|b| b.is_ascii_digit())
            }
            Self::Word(word) => status == word,
        }
    }

    /// Returns operator and value of the matcher that selects them.
    pub(crate) const fn matcher(self) -> (&'static str, &'static str) {
        match self {
            Self::ServerError => ("=~", "5[0-9][0-9]"),
            Self::Word(word) => ("=", word),
        }
    }
}

const ENVIRONMENT: &str = "${environment}";
const SERVICE: &str = "${service}";
const SLOT: &str = "${slot}";
const SERVICE_AND_SLOT: &str = "${service}-${slot}";

const HTTP_REQUESTS_TOTAL: Names = Names {
    requests: Some("http_requests_total"),
    latency: "http_request_duration_seconds",
    unit: Unit::Seconds,
    status: "code",
    bad: Bad::ServerError,
    fixed: &[],
    environment: ("namespace", ENVIRONMENT),
    service: ("app", SERVICE),
    slot: ("slot", SLOT),
    ignore: &[],
};

const OPEN_TELEMETRY: Names = Names {
    requests: None,
    latency: "http_server_request_duration_seconds",
    unit: Unit::Seconds,
    status: "http_response_status_code",
    bad: Bad::ServerError,
    fixed: &[],
    environment: ("deployment_environment_name", ENVIRONMENT),
    service: ("service_name", SERVICE),
    slot: ("slot", SLOT),
    ignore: &["error_type"],
};

const ISTIO: Names = Names {
    requests: Some("istio_requests_total"),
    latency: "istio_request_duration_milliseconds",
    unit: Unit::Milliseconds,
    status: "response_code",
    bad: Bad::ServerError,
    fixed: &[("reporter", "source")],
    environment: ("destination_workload_namespace", ENVIRONMENT),
    service: ("destination_canonical_service", SERVICE),
    slot: ("destination_workload", SERVICE_AND_SLOT),
    ignore: &["response_flags", "grpc_response_status"],
};

const NGINX_INGRESS: Names = Names {
    requests: Some("nginx_ingress_controller_requests"),
    latency: "nginx_ingress_controller_request_duration_seconds",
    unit: Unit::Seconds,
    status: "status",
    bad: Bad::ServerError,
    fixed: &[],
    environment: ("namespace", ENVIRONMENT),
    service: ("ingress", SERVICE),
    slot: ("service", SERVICE_AND_SLOT),
    ignore: &[],
};

const LINKERD: Names = Names {
    requests: Some("response_total"),
    latency: "response_latency_ms",
    unit: Unit::Milliseconds,
    status: "classification",
    bad: Bad::Word("failure"),
    fixed: &[("direction", "inbound")],
    environment: ("namespace", ENVIRONMENT),
    service: ("", ""),
    slot: ("deployment", SERVICE_AND_SLOT),
    ignore: &["status_code", "grpc_status", "error"],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_five_hundreds_are_server_errors() {
        for (status, bad) in [
            ("500", true),
            ("599", true),
            ("200", false),
            ("5", false),
            ("50", false),
            ("5xx", false),
            ("", false),
        ] {
            assert_eq!(Bad::ServerError.is(status), bad, "{status:?}");
        }
        assert!(Bad::Word("failure").is("failure") && !Bad::Word("failure").is("success"));
    }

    #[test]
    fn one_word_chooses() {
        let words = ["http_requests_total", "opentelemetry", "istio", "nginx_ingress", "linkerd"];
        let read = words.map(|word| serde_json::from_value::<Convention>(word.into()).unwrap());
        assert_eq!(read, Convention::ALL);
    }
}
