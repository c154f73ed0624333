//! The objects that say where requests go, as the API server last told them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde_json::Value;

/// A kind of object that the gateway reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Service,
    EndpointSlice,
    Pod,
    Ingress,
    HttpRoute,
    VirtualService,
    DestinationRule,
}

impl Kind {
    pub(super) const ALL: [Self; 7] = [
        Self::Service,
        Self::EndpointSlice,
        Self::Pod,
        Self::Ingress,
        Self::HttpRoute,
        Self::VirtualService,
        Self::DestinationRule,
    ];

    /// Group, version, kind and the name of the kind in a path.
    pub(super) const fn resource(self) -> [&'static str; 4] {
        match self {
            Self::Service => ["", "v1", "Service", "services"],
            Self::EndpointSlice => ["discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"],
            Self::Pod => ["", "v1", "Pod", "pods"],
            Self::Ingress => ["networking.k8s.io", "v1", "Ingress", "ingresses"],
            Self::HttpRoute => ["gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes"],
            Self::VirtualService => ["networking.istio.io", "v1", "VirtualService", "virtualservices"],
            Self::DestinationRule => ["networking.istio.io", "v1", "DestinationRule", "destinationrules"],
        }
    }
}

/// The objects of one namespace. Never changed while it is used, only replaced.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    namespace: String,
    objects: BTreeMap<Kind, BTreeMap<String, Arc<Value>>>,
}

/// Where a request can go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Backend {
    pub(super) service: String,
    pub(super) subset: Option<String>,
    /// A port of the Service, by number or by name; nothing for its first.
    pub(super) port: Value,
    pub(super) weight: u64,
}

impl Backend {
    /// What a request is sent to that leads nowhere.
    pub(super) const fn nowhere() -> Self {
        Self { service: String::new(), subset: None, port: Value::Null, weight: 1 }
    }

    /// The name under which it is counted.
    pub(super) fn name(&self) -> String {
        self.subset
            .as_ref()
            .map_or_else(|| self.service.clone(), |subset| format!("{}/{subset}", self.service))
    }
}

impl World {
    pub(super) fn of(namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), objects: BTreeMap::new() }
    }

    pub(super) fn put(&mut self, kind: Kind, object: Value) {
        if let Some(name) = object["metadata"]["name"].as_str().map(str::to_owned) {
            self.objects.entry(kind).or_default().insert(name, Arc::new(object));
        }
    }

    pub(super) fn remove(&mut self, kind: Kind, name: &str) {
        self.objects.entry(kind).or_default().remove(name);
    }

    pub(super) fn replace(&mut self, kind: Kind, objects: Vec<Value>) {
        self.objects.remove(&kind);
        objects.into_iter().for_each(|object| self.put(kind, object));
    }

    pub(super) fn get(&self, kind: Kind, name: &str) -> Option<&Arc<Value>> {
        self.objects.get(&kind)?.get(name)
    }

    /// All objects of a kind, in the order of their names.
    pub(super) fn all(&self, kind: Kind) -> impl Iterator<Item = &Value> {
        self.objects.get(&kind).into_iter().flat_map(BTreeMap::values).map(|object| &**object)
    }

    /// A host as the namespace knows it: a Service by its bare name, whatever else as it is.
    pub(super) fn short<'a>(&self, host: &'a str) -> &'a str {
        let host = host.split(':').next().unwrap_or(host);
        let Some((first, rest)) = host.split_once('.') else {
            return host;
        };
        let rest = rest.strip_suffix(".cluster.local").unwrap_or(rest);
        let rest = rest.strip_suffix(".svc").unwrap_or(rest);
        if rest == self.namespace { first } else { host }
    }

    /// The addresses that can take requests for a backend now.
    pub(super) fn endpoints(&self, backend: &Backend) -> Vec<SocketAddr> {
        let Some(service) = self.get(Kind::Service, &backend.service) else {
            return Vec::new();
        };
        let ports = elements(&service["spec"]["ports"]);
        let asked = |port: &&Value| port["port"] == backend.port || port["name"] == backend.port;
        let port = if backend.port.is_null() { ports.first() } else { ports.iter().find(asked) };
        let Some(name) = port.map(|port| port["name"].as_str().unwrap_or_default()) else {
            return Vec::new();
        };
        let slices = self.all(Kind::EndpointSlice).filter(|slice| {
            slice["metadata"]["labels"]["kubernetes.io/service-name"] == backend.service.as_str()
        });
        slices.flat_map(|slice| self.addresses(slice, name, backend)).collect()
    }

    fn addresses(&self, slice: &Value, port: &str, backend: &Backend) -> Vec<SocketAddr> {
        let named = |entry: &&Value| entry["name"].as_str().unwrap_or_default() == port;
        let number = elements(&slice["ports"]).iter().find(named).and_then(|entry| entry["port"].as_u64());
        let Some(port) = number.and_then(|number| u16::try_from(number).ok()) else {
            return Vec::new();
        };
        let ready = elements(&slice["endpoints"]).iter().filter(|endpoint| {
            endpoint["conditions"]["ready"] != false && self.is_of_the_subset(endpoint, backend)
        });
        let address = |endpoint: &Value| endpoint["addresses"][0].as_str()?.parse::<IpAddr>().ok();
        ready.filter_map(address).map(|ip| SocketAddr::new(ip, port)).collect()
    }

    fn is_of_the_subset(&self, endpoint: &Value, backend: &Backend) -> bool {
        let Some(subset) = &backend.subset else {
            return true;
        };
        let rules = self.all(Kind::DestinationRule);
        let rule = rules
            .filter_map(|rule| Some((rule["spec"]["host"].as_str()?, rule)))
            .find(|(host, _)| self.short(host) == backend.service);
        let subsets = rule.map_or(&[][..], |(_, rule)| elements(&rule["spec"]["subsets"]));
        let Some(labels) = subsets.iter().find(|entry| entry["name"] == subset.as_str()) else {
            return false;
        };
        let pod = endpoint["targetRef"]["name"].as_str().and_then(|name| self.get(Kind::Pod, name));
        let wanted = labels["labels"].as_object().into_iter().flatten();
        pod.is_some_and(|pod| {
            wanted.into_iter().all(|(label, value)| &pod["metadata"]["labels"][label] == value)
        })
    }
}

/// The elements of a list; none of anything else.
pub(super) fn elements(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
