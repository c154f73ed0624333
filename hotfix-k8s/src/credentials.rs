//! Who we are to the API server, read anew when it takes our word no longer.
//!
//! kube reads a token file once a minute, a certificate once, and asks a plugin again when its token is about to expire. A
//! token that was revoked before is used until then. But a 401 says that, and that nothing was done: so everything is read
//! anew, and the request is sent once more.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use kube::client::{AuthError, Body};
use kube::{Client, Error};
use tokio::time::{Instant, sleep_until};
use tower::service_fn;

use crate::connection;

/// How long what was read anew counts, however often it is refused: a plugin is a process, and a new connection costs the
/// server more than an answer.
const REST: Duration = Duration::from_secs(1);

/// Connects. Nothing is sent yet.
pub(crate) fn connect(config: kube::Config) -> Result<Client, Error> {
    let namespace = config.default_namespace.clone();
    let client = connection::connect(config.clone())?;
    let current = Mutex::new(Current { client, number: 0 });
    let credentials = Arc::new(Credentials { config, current, rests: tokio::sync::Mutex::default() });
    let service = service_fn(move |request: Request<Body>| {
        let credentials = Arc::clone(&credentials);
        async move { credentials.send(request).await }
    });
    Ok(Client::new(service, namespace))
}

struct Credentials {
    /// Where to read them.
    config: kube::Config,
    current: Mutex<Current>,
    /// Until when they are not read again. Whoever reads them has this, and nobody else waits for it.
    rests: tokio::sync::Mutex<Option<Instant>>,
}

/// A client with what was read last.
#[derive(Clone)]
struct Current {
    client: Client,
    /// How often it was read anew.
    number: u64,
}

impl Credentials {
    fn current(&self) -> Current {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, Error> {
        let Current { client, number } = self.current();
        let again = copy(&request);
        let answer = client.send(request).await?;
        match again {
            Some(again) if answer.status() == StatusCode::UNAUTHORIZED => {
                self.renewed_since(number).await.send(again).await
            }
            _ => Ok(answer),
        }
    }

    /// Returns a client whose credentials were read after those of that number. Of several who ask, one reads.
    async fn renewed_since(&self, number: u64) -> Client {
        let mut rests = self.rests.lock().await;
        let mut current = self.current();
        if current.number == number {
            if let Some(rests) = *rests {
                sleep_until(rests).await;
            }
            // A plugin blocks until it has asked whomever it asks.
            let config = self.config.clone();
            let read = tokio::task::spawn_blocking(move || connection::connect(config)).await;
            match read.map(|client| client.map_err(|error| cause(&error))) {
                Ok(Ok(client)) => current.client = client,
                Ok(Err(cause)) => tracing::warn!(cause, "the credentials cannot be read anew"),
                Err(gone) => tracing::warn!(%gone, "the credentials were not read anew"),
            }
            current.number += 1;
            *rests = Some(Instant::now() + REST);
            self.current.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&current);
        }
        current.client
    }
}

/// Returns a copy of a request, unless its body comes as a stream.
fn copy(request: &Request<Body>) -> Option<Request<Body>> {
    let mut copy = Request::new(request.body().try_clone()?);
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    copy.headers_mut().clone_from(request.headers());
    Some(copy)
}

/// Says why credentials could not be read, without what a plugin printed, which may be credentials.
pub(crate) fn cause(error: &Error) -> String {
    match error {
        Error::Auth(AuthError::AuthExecRun { cmd, out }) => format!("{cmd} ended with {}", out.status),
        Error::Auth(AuthError::AuthExecParse(_)) => "what the plugin printed is not understood".to_owned(),
        error => crate::api::with_causes(error),
    }
}

#[cfg(test)]
#[path = "credentials_tests.rs"]
mod tests;
