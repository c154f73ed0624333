//! Talking to the service of one pod, past every Service and route.

use std::io;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use hyper::Method;
use k8s_openapi::api::core::v1::Pod;

use super::super::network::{ports, reach};
use super::{Behaviour, Identity};
use crate::exchange::exchange;

/// The service of one pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoPod {
    address: SocketAddr,
}

impl DemoPod {
    /// The service that listens there.
    #[must_use]
    pub const fn at(address: SocketAddr) -> Self {
        Self { address }
    }

    /// The service of a pod, at the first port of its first container; nothing while the pod has no address.
    #[must_use]
    pub fn of(pod: &Pod) -> Option<Self> {
        let shown: IpAddr = pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()?;
        let port = ports(pod.spec.as_ref()?.containers.first()?).next()?;
        Some(Self::at(reach(shown, port)))
    }

    /// Returns where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks it who it is, which it counts as a request.
    ///
    /// # Errors
    /// When it cannot be reached, or its answer is an error.
    pub async fn identity(&self) -> io::Result<Identity> {
        let (status, body) = self.send(Method::GET, "/", Bytes::new()).await?;
        match status {
            200 => Ok(serde_json::from_slice(&body)?),
            _ => Err(io::Error::other(format!("{} answered {status}", self.address))),
        }
    }

    /// Makes it behave like this from now on, until its process ends. How it is pulled and ends stays as it was.
    ///
    /// # Errors
    /// When it cannot be reached, or does not understand.
    pub async fn behave(&self, behaviour: &Behaviour) -> io::Result<()> {
        let body = serde_json::to_vec(behaviour)?;
        match self.send(Method::POST, "/behaviour", body.into()).await? {
            (200, _) => Ok(()),
            (status, why) => {
                let why = String::from_utf8_lossy(&why);
                Err(io::Error::other(format!("{} answered {status}: {why}", self.address)))
            }
        }
    }

    /// Makes its process exit with code 1 now. One that is down already is left alone.
    pub async fn crash(&self) {
        let _broken_off = self.send(Method::POST, "/crash", Bytes::new()).await;
    }

    /// Gets a page, such as `/metrics`, and returns the status of the answer and its body.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn get(&self, path: &str) -> io::Result<(u16, Bytes)> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> io::Result<(u16, Bytes)> {
        exchange(self.address, method, path, body).await
    }
}
