//! The answers of the service.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::metrics::Metrics;
use super::{Assignment, Behaviour, Identity};
use crate::cluster::behaviour::Readiness;

/// The service of one process.
#[derive(Debug)]
pub(super) struct Service {
    identity: Identity,
    behaviour: Mutex<Behaviour>,
    started: Instant,
    crash: Notify,
    draining: AtomicBool,
    answered: AtomicU64,
    metrics: Metrics,
}

impl Service {
    pub(super) fn new(assignment: Assignment) -> Self {
        Self {
            identity: assignment.identity,
            behaviour: Mutex::new(assignment.behaviour),
            started: Instant::now(),
            crash: Notify::new(),
            draining: AtomicBool::new(false),
            answered: AtomicU64::new(0),
            metrics: Metrics::default(),
        }
    }

    pub(super) fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until somebody asks for a crash.
    pub(super) async fn crash(&self) {
        self.crash.notified().await;
    }

    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let mut response = match (request.method(), path.as_str()) {
            (&Method::GET, "/metrics") => text(StatusCode::OK, self.metrics.page()),
            (&Method::GET, "/healthz") => self.health(),
            (&Method::POST, "/behaviour") => self.change(request).await,
            (&Method::POST, "/crash") => {
                self.crash.notify_one();
                text(StatusCode::ACCEPTED, "crashing\n".to_owned())
            }
            _ => self.work().await,
        };
        if self.draining.load(Ordering::Acquire) {
            // Whoever keeps the connection should ask somebody else next time.
            let headers = response.headers_mut();
            headers.insert("connection", hyper::header::HeaderValue::from_static("close"));
        }
        response
    }

    fn health(&self) -> Response<Full<Bytes>> {
        let ready = match self.behaviour().readiness {
            Readiness::After(delay) => self.started.elapsed() >= delay.to_duration(),
            Readiness::Never => false,
        };
        if ready && !self.draining.load(Ordering::Acquire) {
            text(StatusCode::OK, "ready\n".to_owned())
        } else {
            text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n".to_owned())
        }
    }

    async fn change(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let Ok(body) = request.into_body().collect().await else {
            return text(StatusCode::BAD_REQUEST, "the body broke off\n".to_owned());
        };
        match serde_json::from_slice(&body.to_bytes()) {
            Ok(behaviour) => {
                *self.behaviour() = behaviour;
                text(StatusCode::OK, "changed\n".to_owned())
            }
            Err(error) => text(StatusCode::BAD_REQUEST, format!("{error}\n")),
        }
    }

    async fn work(&self) -> Response<Full<Bytes>> {
        let began = Instant::now();
        let (latency, errors) = {
            let behaviour = self.behaviour();
            (behaviour.latency.to_duration(), u64::from(behaviour.error_percent))
        };
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let number = self.answered.fetch_add(1, Ordering::Relaxed);
        // Of any hundred answers in a row exactly so many fail, and as far apart as can be.
        let fails = (number + 1) * errors / 100 > number * errors / 100;
        let status = if fails { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
        let body = serde_json::to_string(&self.identity).unwrap_or_default();
        let mut response = text(status, body);
        let json = hyper::header::HeaderValue::from_static("application/json");
        response.headers_mut().insert("content-type", json);
        self.metrics.record(status.as_u16(), began.elapsed());
        response
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response
}
