//! The agent's admin port: reports that can be waited for, counters, and `/metrics`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hotfix_core::model::SlotName;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::board::Board;
use super::report::{SeriesReport, Until};
use super::series::Series;
use super::{Shared, admin_limits, prometheus};
use crate::error::LocalError;
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
    let query = request.uri().query().unwrap_or_default();
    let parts: Vec<&str> = request.uri().path().trim_matches('/').split('/').collect();
    let (what, environment, service) = match parts[..] {
        ["metrics"] => return metrics(shared),
        ["v1", what, environment, service] => (what, environment, service),
        _ => ("", "", ""),
    };
    let board = match find(shared, environment, service) {
        Ok(Some(board)) => board,
        Ok(None) => return text(StatusCode::NOT_FOUND, "there is no such target\n"),
        Err(error) => return text(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error}\n")),
    };
    match what {
        "report" => report(&board, query).await,
        "counters" => counters(&board),
        "history" => history(&board, query),
        _ => text(StatusCode::NOT_FOUND, "there are report, counters and history of a target\n"),
    }
}

/// A name that cannot be a target's names none.
fn find(shared: &Shared, environment: &str, service: &str) -> Result<Option<Arc<Board>>, LocalError> {
    match format!("{environment}/{service}").parse() {
        Ok(target) => shared.target(&target),
        Err(_) => Ok(None),
    }
}

fn counters(board: &Board) -> Answer {
    let series: Vec<SeriesReport> = board.series.all().iter().map(Series::report).collect();
    json(&series)
}

/// Answers when the report is as asked, or with the present one when the time is up.
async fn report(board: &Board, query: &str) -> Answer {
    let (until, wait) = read_query(query);
    board.nudge.notify_one();
    let mut reports = board.reports();
    let holds = reports.wait_for(|report| until.holds(report));
    // Whether it came or not: the reader compares.
    let _ = timeout(wait.min(LONGEST_WAIT), holds).await;
    json(&*board.report())
}

fn history(board: &Board, query: &str) -> Answer {
    let value = |wanted: &str| pairs(query).find_map(|(name, value)| (name == wanted).then_some(value));
    let number = |name: &str| value(name).and_then(|value| value.parse::<u64>().ok());
    let slot = value("slot").and_then(|slot| SlotName::new(slot).ok());
    let (Some(slot), Some(interval), Some(points)) = (slot, number("interval_ms"), number("points")) else {
        return text(StatusCode::BAD_REQUEST, "slot, interval_ms and points are needed\n");
    };
    let points = usize::try_from(points).unwrap_or(usize::MAX);
    json(&board.history.read(&slot, Duration::from_millis(interval), points))
}

fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter_map(|pair| pair.split_once('='))
}

fn read_query(query: &str) -> (Until, Duration) {
    let (mut until, mut wait) = (Until::default(), Duration::ZERO);
    for (name, value) in pairs(query) {
        let value = value.parse().unwrap_or(0);
        match name {
            "version_not" => until.version_not = Some(value),
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
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
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
