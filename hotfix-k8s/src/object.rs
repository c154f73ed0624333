//! Names of objects in a cluster.

use std::fmt;

use crate::rights::Resource;

/// A kind of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Group and version, such as `apps/v1`.
    pub(crate) api_version: &'static str,
    pub(crate) name: &'static str,
    /// What it is called in a path.
    pub(crate) plural: &'static str,
}

impl Kind {
    /// Returns one of the kind.
    pub(crate) fn object(self, namespace: &str, name: &str) -> ObjectRef {
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        ObjectRef { api_version: self.api_version, kind: self.name, namespace, name }
    }

    /// Returns what a Role calls it.
    pub(crate) fn resource(self) -> Resource {
        let group = self.api_version.split_once('/').map_or("", |(group, _)| group);
        Resource { group, name: self.plural }
    }
}

/// One namespaced object, printed `VirtualService prod/shop`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ObjectRef {
    /// Group and version, such as `apps/v1`.
    pub(crate) api_version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl ObjectRef {
    pub(crate) fn deployment(namespace: &str, name: &str) -> Self {
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        Self { api_version: "apps/v1", kind: "Deployment", namespace, name }
    }

    /// A StatefulSet or a DaemonSet.
    pub(crate) fn set(kind: &'static str, namespace: &str, name: &str) -> Self {
        Self { kind, ..Self::deployment(namespace, name) }
    }

    pub(crate) fn service(namespace: &str, name: &str) -> Self {
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        Self { api_version: "v1", kind: "Service", namespace, name }
    }

    pub(crate) fn pod(namespace: &str, name: &str) -> Self {
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        Self { api_version: "v1", kind: "Pod", namespace, name }
    }

    /// Returns the path of all objects of its kind in its namespace.
    pub(crate) fn collection(&self) -> String {
        collection(self.api_version, &self.plural(), &self.namespace)
    }

    /// Returns the name of its kind in a path; holds for every kind that is written here.
    pub(crate) fn plural(&self) -> String {
        let kind = self.kind.to_lowercase();
        match kind.strip_suffix('y') {
            Some(stem) => format!("{stem}ies"),
            None if kind.ends_with('s') => format!("{kind}es"),
            None => format!("{kind}s"),
        }
    }
}

/// Returns the path of all objects of a kind in a namespace.
pub(crate) fn collection(api_version: &str, plural: &str, namespace: &str) -> String {
    let root = if api_version.contains('/') { "apis" } else { "api" };
    format!("/{root}/{api_version}/namespaces/{namespace}/{plural}")
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_api() {
        let of = |api_version, kind| {
            let (namespace, name) = ("prod".to_owned(), "shop".to_owned());
            ObjectRef { api_version, kind, namespace, name }.collection()
        };
        assert_eq!(of("v1", "Service"), "/api/v1/namespaces/prod/services");
        assert_eq!(of("apps/v1", "Deployment"), "/apis/apps/v1/namespaces/prod/deployments");
        assert_eq!(
            of("networking.k8s.io/v1", "Ingress"),
            "/apis/networking.k8s.io/v1/namespaces/prod/ingresses"
        );
        let route = "/apis/gateway.networking.k8s.io/v1/namespaces/prod/httproutes";
        assert_eq!(of("gateway.networking.k8s.io/v1", "HTTPRoute"), route);
    }
}
