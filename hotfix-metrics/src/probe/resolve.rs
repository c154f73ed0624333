//! What a name leads to.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;

/// Says which instances there are behind a name: DNS, or another register of services.
#[async_trait]
pub trait Resolver: Send + Sync + fmt::Debug {
    /// Returns the addresses of all instances behind a name, in any order.
    ///
    /// # Errors
    /// When they cannot be found out, or there are none: the look has failed then.
    async fn resolve(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// Asks the system, which mostly asks DNS.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((name, port)).await?.collect())
    }
}
