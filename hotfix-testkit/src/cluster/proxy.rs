//! A proxy in front of the API server. Towards it, it is a client as any other, and the caller's token passes through.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Request;
use kube::config::AuthInfo;
use kube::{Client, Config};

use crate::http::Cut;
use crate::proxy::{Answered, FaultProxy, Upstream};

struct ApiServer(Client);

#[async_trait]
impl Upstream for ApiServer {
    async fn send(&self, request: Request<Bytes>) -> Result<Answered, Cut> {
        let request = request.map(|body| kube::client::Body::from(body.to_vec()));
        let response = self.0.send(request).await.map_err(|_| Cut)?;
        Ok(response.map(|body| body.map_err(|_| Cut).boxed_unsync()))
    }
}

impl FaultProxy {
    /// Starts a proxy in front of the API server that the configuration leads to. It lives in the runtime that this is
    /// called in.
    ///
    /// # Errors
    /// When the configuration cannot be used, or there is no port.
    pub async fn start(server: &Config) -> io::Result<Self> {
        let mut server = server.clone();
        // Whoever asks says who they are, and decides what is tried again.
        server.auth_info = AuthInfo::default();
        server.default_retry = false;
        let server = Client::try_from(server).map_err(io::Error::other)?;
        Self::before(Arc::new(ApiServer(server))).await
    }

    /// Returns the configuration with the way led through the proxy. The user stays the same, if it is one by token.
    ///
    /// # Panics
    /// Never: an address with a port is a URL.
    #[must_use]
    pub fn through(&self, config: &Config) -> Config {
        let mut config = config.clone();
        config.cluster_url = self.url().parse().expect("an address with a port is a URL");
        config
    }
}
