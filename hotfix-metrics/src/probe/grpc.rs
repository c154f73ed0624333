//! A look by gRPC's health protocol: `grpc.health.v1.Health/Check`.

use std::time::Duration;

use hotfix_http::{Answer, ConfigError, Http, Protocol, public_endpoint};
use reqwest::header::{CONTENT_TYPE, TE};
use reqwest::{Method, Url};

use super::http::client;
use super::look::Seen;
use super::{Endpoint, ProbeConfig, ProbeFailureKind};

const PATH: &str = "/grpc.health.v1.Health/Check";
const ANSWER_LIMIT: usize = 4096;

/// The number of `SERVING` in `HealthCheckResponse.ServingStatus`.
const SERVING: u64 = 1;

#[derive(Debug)]
pub(super) struct GrpcLook {
    http: Http,
    url: Url,
    message: Vec<u8>,
}

impl GrpcLook {
    pub(super) fn new(config: &ProbeConfig, service: &str, endpoint: &Endpoint) -> Result<Self, ConfigError> {
        let mut url = public_endpoint("probe.endpoints", &endpoint.at)?;
        url.set_path(PATH);
        let http = client(config, endpoint, &url, Protocol::Http2)?;
        let message = request(service).ok_or_else(|| ConfigError::Invalid {
            field: "probe.ask.grpc.service",
            allowed: "must have at most 127 bytes".to_owned(),
        })?;
        Ok(Self { http, url, message })
    }

    pub(super) async fn seen(&self, time: Duration) -> Result<(), Seen> {
        let request = self.http.request(Method::POST, self.url.clone());
        let request = request
            .header(CONTENT_TYPE, "application/grpc")
            .header(TE, "trailers")
            .body(self.message.clone());
        let sent = self.http.send_within(request, ANSWER_LIMIT, time).await;
        judge(&sent.map_err(|fault| Seen::from(fault.into_cause()))?)
    }
}

/// Writes `HealthCheckRequest { service = 1 }` with the prefix of a message that is not compressed.
fn request(service: &str) -> Option<Vec<u8>> {
    let length = u8::try_from(service.len()).ok().filter(|length| *length < 0x80)?;
    let message = if length == 0 { Vec::new() } else { [&[0x0a, length], service.as_bytes()].concat() };
    Some([&[0, 0, 0, 0, u8::try_from(message.len()).ok()?], message.as_slice()].concat())
}

fn judge(answer: &Answer) -> Result<(), Seen> {
    let body = match &answer.body {
        Ok(body) => body,
        Err(cause) => return Err(cause.clone().into()),
    };
    if answer.status != 200 {
        return Err(Seen::new(ProbeFailureKind::Status, format!("status {} instead of 200", answer.status)));
    }
    // It comes behind the message; an answer without a message has it among the headers.
    let text = |name: &str| {
        let value = answer.trailers.get(name).or_else(|| answer.headers.get(name));
        value.and_then(|value| value.to_str().ok())
    };
    let what = match text("grpc-status") {
        Some("0") => return serves(body),
        None => return Err(Seen::new(ProbeFailureKind::NotServing, "the answer ends without a gRPC status")),
        Some("5") => "5 (the service is not known)",
        Some("12") => "12 (the server has no health service)",
        Some(code) => code,
    };
    let why = percent_decoded(text("grpc-message").unwrap_or_default());
    Err(Seen::new(ProbeFailureKind::NotServing, format!("gRPC status {what}")).with_body(&why))
}

fn serves(body: &[u8]) -> Result<(), Seen> {
    match serving_status(body) {
        Some(SERVING) => Ok(()),
        Some(0) => Err(Seen::new(ProbeFailureKind::NotServing, "it is not known whether the service serves")),
        Some(status) => Err(Seen::new(
            ProbeFailureKind::NotServing,
            format!("the service does not serve (status {status})"),
        )),
        None => {
            Err(Seen::new(ProbeFailureKind::NotServing, "the answer is no message of the health protocol"))
        }
    }
}

/// Reads a `grpc-message`, in which everything but printable ASCII is written as `%` and two digits.
fn percent_decoded(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let digits = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                decoded.push(byte);
                rest = &behind[2..];
            }
            _ => {
                decoded.push(*first);
                rest = behind;
            }
        }
    }
    decoded
}

/// Reads `HealthCheckResponse { status = 1 }`; a status of 0 is left out on the wire.
fn serving_status(body: &[u8]) -> Option<u64> {
    let (prefix, message) = body.split_at_checked(5)?;
    let length = u32::from_be_bytes(prefix[1..].try_into().ok()?) as usize;
    let message = (prefix[0] == 0).then(|| message.get(..length)).flatten()?;
    match message {
        [] => Some(0),
        [0x08, status] if *status < 0x80 => Some(u64::from(*status)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_those_of_the_health_protocol() {
        assert_eq!(request("").unwrap(), [0, 0, 0, 0, 0]);
        assert_eq!(request("shop").unwrap(), *b"\0\0\0\0\x06\x0a\x04shop");
        assert_eq!(request(&"s".repeat(128)), None);
        for (body, status) in [
            (&b"\0\0\0\0\x02\x08\x01"[..], Some(1)),
            (b"\0\0\0\0\x02\x08\x02", Some(2)),
            (b"\0\0\0\0\0", Some(0)),
            (b"\0\0\0\0\x02\x08", None),
            (b"\x01\0\0\0\x02\x08\x01", None),
            (b"", None),
        ] {
            assert_eq!(serving_status(body), status, "{body:?}");
        }
    }

    #[test]
    fn the_message_of_a_status_is_percent_encoded() {
        for (text, decoded) in [
            ("plain text", "plain text"),
            ("caf%C3%A9 %25", "caf\u{e9} %"),
            ("100% sure", "100% sure"),
            ("%", "%"),
            ("%4", "%4"),
            ("%zz%41", "%zzA"),
            ("", ""),
        ] {
            assert_eq!(String::from_utf8(percent_decoded(text)).unwrap(), decoded, "{text}");
        }
    }
}
