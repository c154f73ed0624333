//! The parts that only serve: the deployed service, which does as a file of its release says, and the agent.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use hotfix_local::{Agent, AgentConfig};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;

/// The header that names the release that answered.
pub(super) const RELEASE: &str = "x-release";
/// The file of a release that says how it answers: its name and a status, on one line.
pub(super) const BEHAVIOUR: &str = "behaviour";

/// Serves on a port until it is killed. Healthy, whatever it answers to users.
pub(super) fn main(port: &str) -> Result<(), String> {
    let port: u16 = port.parse().map_err(|error| format!("port {port}: {error}"))?;
    let text = std::fs::read_to_string(BEHAVIOUR).map_err(|error| format!("{BEHAVIOUR}: {error}"))?;
    let (name, status) = text.trim().split_once(' ').ok_or("the behaviour is not `NAME STATUS`")?;
    let status = status.parse::<StatusCode>().map_err(|error| format!("status {status}: {error}"))?;
    let name: Arc<str> = name.into();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await;
        let listener = listener.map_err(|error| format!("port {port}: {error}"))?;
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let name = Arc::clone(&name);
            tokio::spawn(async move {
                let answer = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
                    let healthy = request.uri().path() == "/health";
                    let answer = answer(&name, if healthy { StatusCode::OK } else { status });
                    async move { Ok::<_, Infallible>(answer) }
                });
                // The other side may go away at any time.
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), answer)
                    .await;
            });
        }
    })
}

fn answer(name: &str, status: StatusCode) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(name.to_owned()));
    *answer.status_mut() = status;
    if let Ok(value) = name.parse() {
        answer.headers_mut().insert(RELEASE, value);
    }
    answer
}

/// Runs the agent of a state directory until it is killed.
pub(super) fn agent(state: &Path) -> Result<(), String> {
    super::runtime()?.block_on(async {
        let agent = Agent::start(AgentConfig::new(state)).await.map_err(|error| error.to_string())?;
        std::future::pending::<()>().await;
        agent.stop().await;
        Ok(())
    })
}
