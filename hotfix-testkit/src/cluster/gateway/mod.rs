//! A small HTTP gateway that splits real traffic by the objects of a namespace, as an ingress controller and a mesh
//! would, so that tests can count the requests that failed while a release was changed.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use kube::Client;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use follow::Known;
use forward::Front;
pub use turns::Counts;
use world::{Backend, Kind};

mod follow;
mod forward;
mod pool;
mod routes;
mod turns;
mod world;

pub(super) use pool::{Connection, connect};

/// A running gateway of one namespace. Dropping it closes its port and every connection.
///
/// It reads Services, EndpointSlices, Pods (for subsets), VirtualServices with their DestinationRules, HTTPRoutes and
/// Ingresses with the canary annotations of NGINX, by watch. A request goes by the first of these that names its
/// host: a VirtualService, an HTTPRoute, an Ingress; otherwise to the Service of that name. What those say beside
/// matches and weights (rewrites, retries, mirrors, filters) is not done. On an HTTPRoute it says in the status that
/// the route is in force, when it is.
///
/// Bodies are passed on whole, not as they come. A request of which no byte was sent is tried at another pod; any
/// other failure is a failure, so that none is hidden.
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// use hotfix_testkit::cluster::{Gateway, Load, LoadPlan, TestCluster};
///
/// let cluster = TestCluster::shared().await?;
/// let namespace = cluster.namespace("shop").await?;
/// // Deploy something behind a Service `shop` here.
/// let gateway = Gateway::start(cluster.client()?, &namespace).await?;
/// let load = Load::start(LoadPlan::to(gateway.address(), "shop"));
/// load.more(100).await;
/// // Change the release here.
/// let report = load.stop().await;
/// assert_eq!(report.failed, 0, "{:?}", report.failures);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    front: Arc<Front>,
    known: watch::Receiver<Known>,
    _tasks: JoinSet<()>,
}

impl Gateway {
    /// Starts a gateway on a free port of the loopback interface and returns when it knows the namespace. Kinds that
    /// the server does not have then are looked for again and again. It lives in the runtime that this is called in.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(client: Client, namespace: &str) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (sender, mut known) = watch::channel(Known::nothing(namespace));
        let mut tasks = JoinSet::new();
        for kind in Kind::ALL {
            tasks.spawn(follow::follow(client.clone(), namespace.to_owned(), kind, sender.clone()));
        }
        follow::complete(&mut known).await?;
        let front = Arc::new(Front::new(known.clone()));
        tasks.spawn(forward::accept(listener, Arc::clone(&front)));
        Ok(Self { address, front, known, _tasks: tasks })
    }

    /// Returns where it listens. The `Host` of a request decides where the request goes.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns what was sent to each backend: a Service by its name, a subset as `service/subset`. What led to no
    /// backend at all is counted under an empty name.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, Counts> {
        self.front.counts()
    }

    /// Waits until requests go by this version of an object or a later one. The kind is one of those that the gateway
    /// reads, such as `VirtualService`; another kind is never seen.
    pub async fn has_seen(&self, kind: &str, name: &str, resource_version: &str) {
        let wanted: u64 = resource_version.parse().unwrap_or(u64::MAX);
        let seen = |known: &Known| {
            let kinds = Kind::ALL.into_iter().find(|known| known.resource()[2] == kind);
            let object = kinds.and_then(|kind| known.world.get(kind, name));
            let version =
                object.and_then(|object| object["metadata"]["resourceVersion"].as_str()?.parse().ok());
            version.is_some_and(|version: u64| version >= wanted)
        };
        let mut known = self.known.clone();
        // The sender lives in the tasks of this gateway, so it is there as long as this is.
        let _known = known.wait_for(seen).await;
    }

    /// Waits until a Service has that many ready pods at its first port.
    pub async fn has_endpoints(&self, service: &str, pods: usize) {
        let backend = Backend { service: service.to_owned(), ..Backend::nowhere() };
        let mut known = self.known.clone();
        let _known = known.wait_for(|known| known.world.endpoints(&backend).len() == pods).await;
    }
}
