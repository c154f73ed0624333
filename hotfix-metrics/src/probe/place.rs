//! Where to look now: where an endpoint says, or at each instance that its name leads to.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::join_all;
use hotfix_core::model::Period;
use hotfix_core::port::Clock;
use hotfix_http::ConfigError;
use reqwest::Url;

use super::look::{Look, Seen};
use super::{Ask, Endpoint, Instances, ProbeConfig, ProbeFailure, ProbeFailureKind, Resolver};

/// An endpoint, and what a look saw of it.
pub(super) type Looked = (Endpoint, Result<Period, ProbeFailure>);

/// One endpoint of the configuration.
#[derive(Debug)]
pub(super) enum Place {
    /// It is looked at itself.
    Named(Box<(Endpoint, Look)>),
    /// Each instance is that its name leads to.
    Each(Box<Each>),
}

#[derive(Debug)]
pub(super) struct Each {
    config: ProbeConfig,
    endpoint: Endpoint,
    name: String,
    port: u16,
    /// Those of the last look. Kept, because connections are.
    looks: Mutex<BTreeMap<SocketAddr, Arc<Look>>>,
}

impl Place {
    pub(super) fn new(config: &ProbeConfig, endpoint: &Endpoint) -> Result<Self, ConfigError> {
        match config.instances {
            Instances::Any => Ok(Self::Named(Box::new((endpoint.clone(), Look::new(config, endpoint)?)))),
            Instances::Each => Ok(Self::Each(Box::new(Each::new(config, endpoint)?))),
        }
    }

    /// The endpoint, if it is looked at itself.
    pub(super) fn named(&self) -> Option<&Endpoint> {
        match self {
            Self::Named(named) => Some(&named.0),
            Self::Each(_) => None,
        }
    }

    /// Looks once at everything that is there now.
    pub(super) async fn look(&self, resolver: &dyn Resolver, clock: &dyn Clock) -> Vec<Looked> {
        match self {
            Self::Named(named) => vec![(named.0.clone(), named.1.at(clock.now()).await)],
            Self::Each(each) => each.look(resolver, clock).await,
        }
    }
}

impl Each {
    fn new(config: &ProbeConfig, endpoint: &Endpoint) -> Result<Self, ConfigError> {
        let invalid = |allowed: String| Err(ConfigError::Invalid { field: "probe.endpoints", allowed });
        if let Some(instance) = endpoint.instance {
            return invalid(format!("must not name the instance {instance} where each is looked at"));
        }
        // What is wrong with the endpoint itself is said as ever.
        Look::new(config, endpoint)?;
        let (name, port) = parts(&config.ask, &endpoint.at);
        if name.parse::<IpAddr>().is_ok() {
            return invalid(format!("must have a name that leads to the instances instead of {name}"));
        }
        let each =
            Self { config: config.clone(), endpoint: endpoint.clone(), name, port, looks: Mutex::default() };
        each.look_at((Ipv4Addr::LOCALHOST, port).into())?;
        Ok(each)
    }

    async fn look(&self, resolver: &dyn Resolver, clock: &dyn Clock) -> Vec<Looked> {
        let at = clock.now();
        let found = match self.found(resolver).await {
            Ok(found) => found,
            Err(seen) => return vec![(self.endpoint.clone(), Err(seen.failure(at, Period::from_millis(0))))],
        };
        let looks = found.into_iter().map(|(instance, look)| async move {
            let endpoint = Endpoint { instance: Some(instance), ..self.endpoint.clone() };
            (endpoint, look.at(clock.now()).await)
        });
        join_all(looks).await
    }

    /// Finds out which instances there are, in the order of their addresses.
    async fn found(&self, resolver: &dyn Resolver) -> Result<BTreeMap<SocketAddr, Arc<Look>>, Seen> {
        let Self { name, port, config, .. } = self;
        let resolved =
            tokio::time::timeout(config.timeout.to_duration(), resolver.resolve(name, *port)).await;
        let lost = |cause: String| Seen::new(ProbeFailureKind::Connection, format!("{name}: {cause}"));
        let addresses: BTreeSet<_> = match resolved {
            Ok(Ok(addresses)) => addresses.into_iter().collect(),
            Ok(Err(error)) => return Err(lost(error.to_string())),
            Err(_elapsed) => return Err(lost("not resolved in time".to_owned())),
        };
        if addresses.is_empty() {
            return Err(lost("leads to no instance".to_owned()));
        }
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        looks.retain(|address, _| addresses.contains(address));
        for address in addresses {
            if let Entry::Vacant(missing) = looks.entry(address) {
                let look = self.look_at(address);
                let look =
                    look.map_err(|error| Seen::new(ProbeFailureKind::Configuration, error.to_string()))?;
                missing.insert(Arc::new(look));
            }
        }
        Ok(looks.clone())
    }

    fn look_at(&self, instance: SocketAddr) -> Result<Look, ConfigError> {
        Look::new(&self.config, &Endpoint { instance: Some(instance), ..self.endpoint.clone() })
    }
}

/// The name and the port of an endpoint that can be looked at.
fn parts(ask: &Ask, at: &str) -> (String, u16) {
    let parts = match ask {
        Ask::Tcp => at.rsplit_once(':').and_then(|(name, port)| Some((name.to_owned(), port.parse().ok()?))),
        Ask::Http(_) | Ask::Grpc { .. } => Url::parse(at)
            .ok()
            .and_then(|url| Some((url.host_str()?.to_owned(), url.port_or_known_default()?))),
    };
    let (name, port) = parts.unwrap_or_default();
    (name.trim_matches(['[', ']']).to_owned(), port)
}
