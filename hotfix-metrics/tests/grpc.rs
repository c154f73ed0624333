//! What a probe says of servers of gRPC's health protocol: the status stands behind the message, or instead of it.

use std::convert::Infallible;

use bytes::Bytes;
use hotfix_metrics::{Ask, Health, ProbeFailureKind};
use http_body_util::{BodyExt as _, Full};
use hyper::HeaderMap;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

use crate::probes::{config, failure, look};

/// A message of the server, and the headers behind it.
type Told = (&'static [u8], &'static [(&'static str, &'static str)]);

const SERVING: &[u8] = b"\0\0\0\0\x02\x08\x01";
const NOT_SERVING: &[u8] = b"\0\0\0\0\x02\x08\x02";
const UNKNOWN: &[u8] = b"\0\0\0\0\0";
const OK: &[(&str, &str)] = &[("grpc-status", "0")];

/// Answers by the service that is asked for.
fn told(service: &[u8]) -> Told {
    match service {
        b"shop" => (SERVING, OK),
        b"cart" => (NOT_SERVING, OK),
        b"mute" => (UNKNOWN, OK),
        b"late" => (SERVING, &[("grpc-status", "14"), ("grpc-message", "caf%C3%A9 is closed")]),
        b"half" => (SERVING, &[]),
        b"torn" => (b"\0\0\0\0\x02\x08", OK),
        _ => (b"", &[("grpc-status", "5"), ("grpc-message", "unknown service password=canary")]),
    }
}

async fn answer(
    request: hyper::Request<Incoming>,
) -> hyper::Response<http_body_util::combinators::BoxBody<Bytes, Infallible>> {
    assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
    assert_eq!(request.headers()["te"], "trailers");
    let asked = request.into_body().collect().await.unwrap().to_bytes();
    let service = asked.get(7..).unwrap_or_default();
    let mut response = hyper::Response::builder().header("content-type", "application/grpc");
    // One that has no health service, and one that knows of no such service, answer with headers alone.
    if service == b"none" {
        response = response.header("grpc-status", "12").header("grpc-message", "unknown method Check");
        return response.body(Full::default().boxed()).unwrap();
    }
    let (message, behind) = told(service);
    let mut trailers = HeaderMap::new();
    for (name, value) in behind {
        trailers.insert(*name, value.parse().unwrap());
    }
    let body = Full::new(Bytes::from_static(message));
    response.body(body.with_trailers(async move { Some(Ok(trailers)) }).boxed()).unwrap()
}

async fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let service = service_fn(|request| async { Ok::<_, Infallible>(answer(request).await) });
            let served = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(served.serve_connection(TokioIo::new(socket), service));
        }
    });
    at
}

#[tokio::test]
async fn grpc_says_itself_whether_it_serves() {
    let at = server().await;
    let ask = |service: &str| config(&at, Ask::Grpc { service: service.to_owned() });
    let evidence = look(&ask("shop")).await;
    assert_eq!(evidence.health(), Health::Healthy, "{evidence:?}");
    for (service, cause, said) in [
        ("cart", "the service does not serve (status 2)", None),
        ("mute", "it is not known whether the service serves", None),
        ("late", "gRPC status 14", Some("caf\u{e9} is closed")),
        ("half", "the answer ends without a gRPC status", None),
        ("torn", "the answer is no message of the health protocol", None),
        ("pay", "gRPC status 5 (the service is not known)", Some("unknown service password=[redacted]")),
        ("none", "gRPC status 12 (the server has no health service)", Some("unknown method Check")),
    ] {
        let failure = failure(&ask(service)).await;
        let seen = (failure.kind, failure.cause.as_str(), failure.body.as_deref());
        assert_eq!(seen, (ProbeFailureKind::NotServing, cause, said), "{service}");
    }
}
