//! Readiness probes: whether a container can take traffic.

use std::time::Duration;

use http_body_util::Empty;
use hyper::Request;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::{Container, HTTPGetAction, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::super::network::PodAddress;

/// What is asked of a container, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReadinessProbe {
    question: Question,
    initial_delay: Duration,
    period: Duration,
    timeout: Duration,
    successes: i32,
    failures: i32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Question {
    Http { port: u16, path: String, headers: Vec<(String, String)> },
    Tcp { port: u16 },
}

impl ReadinessProbe {
    /// Reads the probe of a container; none means that it is ready as soon as it runs.
    ///
    /// # Errors
    /// A sentence about a probe of a kind that is not known here.
    pub(super) fn of(container: &Container, longest_period: Duration) -> Result<Option<Self>, String> {
        let Some(probe) = &container.readiness_probe else { return Ok(None) };
        let seconds = |value: Option<i32>, otherwise: u64| {
            Duration::from_secs(value.and_then(|value| u64::try_from(value).ok()).unwrap_or(otherwise))
        };
        Ok(Some(Self {
            question: question(container, probe)?,
            initial_delay: seconds(probe.initial_delay_seconds, 0),
            period: seconds(probe.period_seconds, 10).min(longest_period),
            timeout: seconds(probe.timeout_seconds, 1),
            successes: probe.success_threshold.unwrap_or(1),
            failures: probe.failure_threshold.unwrap_or(3),
        }))
    }

    /// Asks for ever, and says each time that the answer changes whether the container is ready.
    pub(super) async fn ask(&self, address: &PodAddress, mut changed: impl FnMut(bool)) {
        sleep(self.initial_delay).await;
        let (mut ready, mut in_a_row) = (false, 0);
        loop {
            let answer = timeout(self.timeout, self.question.ask(address)).await.is_ok_and(|yes| yes);
            in_a_row = if answer == ready { 0 } else { in_a_row + 1 };
            let needed = if answer { self.successes } else { self.failures };
            if answer != ready && in_a_row >= needed {
                (ready, in_a_row) = (answer, 0);
                changed(ready);
            }
            sleep(self.period).await;
        }
    }
}

fn question(container: &Container, probe: &Probe) -> Result<Question, String> {
    let unknown = || "the test node asks by httpGet and tcpSocket only".to_owned();
    if let Some(HTTPGetAction { path, port, http_headers, scheme, .. }) = &probe.http_get {
        if scheme.as_deref().is_some_and(|scheme| scheme != "HTTP") {
            return Err("the test node asks without TLS only".to_owned());
        }
        let headers = http_headers.iter().flatten().map(|header| (header.name.clone(), header.value.clone()));
        let path = path.clone().unwrap_or_else(|| "/".to_owned());
        return Ok(Question::Http { port: port_of(container, port)?, path, headers: headers.collect() });
    }
    let tcp = probe.tcp_socket.as_ref().ok_or_else(unknown)?;
    Ok(Question::Tcp { port: port_of(container, &tcp.port)? })
}

fn port_of(container: &Container, wanted: &IntOrString) -> Result<u16, String> {
    let number = match wanted {
        IntOrString::Int(number) => Some(*number),
        IntOrString::String(name) => {
            let mut ports = container.ports.iter().flatten();
            ports.find(|port| port.name.as_deref() == Some(name)).map(|port| port.container_port)
        }
    };
    let port = number.and_then(|number| u16::try_from(number).ok());
    port.ok_or_else(|| format!("container {} has no port {wanted:?}", container.name))
}

impl Question {
    async fn ask(&self, address: &PodAddress) -> bool {
        match self {
            Self::Tcp { port } => TcpStream::connect(address.at(*port)).await.is_ok(),
            Self::Http { port, path, headers } => {
                let status = get(address, *port, path, headers).await;
                // What a kubelet takes for an answer: redirects as well.
                status.is_some_and(|status| (200..400).contains(&status))
            }
        }
    }
}

async fn get(address: &PodAddress, port: u16, path: &str, headers: &[(String, String)]) -> Option<u16> {
    let socket = TcpStream::connect(address.at(port)).await.ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.ok()?;
    let mut request = Request::get(path).header("host", format!("{}:{port}", address.shown()));
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request.body(Empty::<bytes::Bytes>::new()).ok()?;
    // It ends when the sender is dropped.
    tokio::spawn(connection);
    Some(sender.send_request(request).await.ok()?.status().as_u16())
}
