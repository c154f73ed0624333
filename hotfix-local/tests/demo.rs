//! The service that the tests deploy: this very binary, started again by the manifest of a release.
//!
//! A binary target of the crate would be installed at users; an example is not built when only the tests are. The
//! test below does nothing unless the variable that the manifests set is there.

use std::convert::Infallible;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;

/// Set for every process of a test to the folder of its fixture, which kills what carries it.
pub(crate) const FOLDER: &str = "HOTFIX_TEST_FOLDER";

/// The test that is the service.
pub(crate) const SERVE: &str = "demo::serve";

static READY: AtomicBool = AtomicBool::new(true);

#[test]
#[expect(clippy::disallowed_methods, reason = "the service is set up by its environment")]
fn serve() {
    let (Ok(_), Ok(port)) = (std::env::var(FOLDER), std::env::var("PORT")) else {
        return;
    };
    if let Some(status) = setting("exit") {
        std::process::exit(status.parse().expect("a status"));
    }
    READY.store(setting("never_ready").is_none(), Ordering::SeqCst);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run(port.parse().expect("a port")));
}

/// A line `name=value` of the release's file `behaviour`.
fn setting(name: &str) -> Option<String> {
    let text = std::fs::read_to_string(Path::new("behaviour")).unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
}

async fn run(port: u16) {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("the port");
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        tokio::spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer));
            // The other side may go away at any time.
            let _ = connection.await;
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let (status, text) = match path.as_str() {
        "/health" => health(),
        "/crash" => std::process::exit(7),
        "/unready" => {
            READY.store(false, Ordering::SeqCst);
            (StatusCode::OK, String::new())
        }
        "/slow" => {
            // Long enough for a retire to begin meanwhile, whatever the machine is doing.
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            (StatusCode::OK, format!("slow {}", name()))
        }
        "/fail" => (StatusCode::INTERNAL_SERVER_ERROR, String::new()),
        "/pid" => (StatusCode::OK, std::process::id().to_string()),
        "/echo" => {
            let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes);
            return Ok(Response::new(Full::new(body.unwrap_or_default())));
        }
        path => match path.strip_prefix("/take/").and_then(|millis| millis.parse().ok()) {
            Some(millis) => {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                (StatusCode::OK, name())
            }
            None => work(),
        },
    };
    let mut answer = Response::new(Full::from(text));
    *answer.status_mut() = status;
    Ok(answer)
}

fn health() -> (StatusCode, String) {
    let ready = READY.load(Ordering::SeqCst);
    (if ready { StatusCode::NO_CONTENT } else { StatusCode::SERVICE_UNAVAILABLE }, String::new())
}

fn work() -> (StatusCode, String) {
    let status = setting("status").map_or(StatusCode::OK, |status| status.parse().expect("a status"));
    (status, name())
}

fn name() -> String {
    setting("name").unwrap_or_default()
}
