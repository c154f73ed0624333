//! The agent's admin port: reports that can be waited for, counters, and `/metrics`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::report::{SeriesReport, Until};
use super::target::TargetHandle;
use super::{Shared, admin_limits, prometheus};
use crate::proxy::Server;

type Answer = Response<Full<Bytes>>;

/// Longest time a client may wait for a report; it asks again.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

pub(super) fn serve(listener: TcpListener, shared: Arc<Shared>) -> io::Result<Server> {
    Server::start(listener, admin_limits(), move |request, _| {
        let shared = Arc::clone(&shared);
        async move { answer(&shared, &request).await }
    })
}

async fn answer(shared: &Shared, request: &Request<Incoming>) -> Answer {
    if request.method() != Method::GET {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here\n");
    }
    let parts: Vec<&str> = request.uri().path().trim_matches('/').split('/').collect();
    match parts[..] {
        ["metrics"] => metrics(shared),
        ["v1", "report", environment, service] => match target(shared, environment, service) {
            Ok(handle) => report(&handle, request.uri().query().unwrap_or_default()).await,
            Err(refusal) => refusal,
        },
        ["v1", "counters", environment, service] => match target(shared, environment, service) {
            Ok(handle) => {
                let series: Vec<SeriesReport> = handle
                    .series
                    .all()
                    .iter()
                    .map(super::series::Series::report)
                    .collect();
                json(&series)
            }
            Err(refusal) => refusal,
        },
        _ => text(
            StatusCode::NOT_FOUND,
            "there is /metrics, /v1/report/<target> and /v1/counters/<target>\n",
        ),
    }
}

fn target(shared: &Shared, environment: &str, service: &str) -> Result<TargetHandle, Answer> {
    let parsed = format!("{environment}/{service}")
        .parse()
        .map_err(|_| unknown())?;
    match shared.target(&parsed) {
        Ok(Some(handle)) => Ok(handle),
        Ok(None) => Err(unknown()),
        Err(error) => Err(text(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error}\n"))),
    }
}

fn unknown() -> Answer {
    text(StatusCode::NOT_FOUND, "there is no such target\n")
}

/// Answers when the report is as asked, or with the present one when the time is up.
async fn report(handle: &TargetHandle, query: &str) -> Answer {
    let (until, wait) = read_query(query);
    handle.nudge.notify_one();
    let mut reports = handle.report.clone();
    let holds = reports.wait_for(|report| until.holds(report));
    // Whether it came or not: the reader compares.
    let _ = timeout(wait.min(LONGEST_WAIT), holds).await;
    let report = Arc::clone(&reports.borrow());
    json(&*report)
}

fn read_query(query: &str) -> (Until, Duration) {
    let (mut until, mut wait) = (Until::default(), Duration::ZERO);
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let value = value.parse().unwrap_or(0);
        match name {
            "version_above" => until.version_above = Some(value),
            "seen" => until.seen = value,
            "routed" => until.routed = value,
            "settled" => until.settled = value,
            "wait_ms" => wait = Duration::from_millis(value),
            _ => {}
        }
    }
    (until, wait)
}

fn metrics(shared: &Shared) -> Answer {
    let mut answer = Response::new(Full::from(prometheus::page(&shared.targets())));
    let format = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, format);
    answer
}

fn json<T: Serialize>(value: &T) -> Answer {
    match serde_json::to_vec(value) {
        Ok(body) => {
            let mut answer = Response::new(Full::from(body));
            answer
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            answer
        }
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error}\n")),
    }
}

fn text(status: StatusCode, text: &str) -> Answer {
    let mut answer = Response::new(Full::from(text.to_owned()));
    *answer.status_mut() = status;
    answer
}
