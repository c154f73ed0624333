//! From the configured traffic backend to what the rest of the crate asks of it.

use hotfix_core::port::TrafficSplit;

use super::backend::{Means, Reached, Site};
use super::configured::Traffic;
use crate::config::Named;
use crate::object::ObjectRef;
use crate::shape::{Names, Shape};
use crate::slot::{Side, Slots};

/// Makes the configuration's `Traffic` of a list of backends, one a line: the file, what it is called in the
/// configuration, the type of its configuration, and other types that this is made of.
macro_rules! backends {
    ($($module:ident: $variant:ident($config:ident) $(, $more:ident)*;)*) => {
        pub(crate) mod configured {
            use serde::{Deserialize, Serialize};

            use super::backend::Backend;
            use super::service::ServiceTraffic;

            $(pub use super::$module::{$config, $($more),*};)*

            /// Where it is written which slot gets how much traffic.
            #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
            #[serde(rename_all = "snake_case", deny_unknown_fields)]
            #[non_exhaustive]
            pub enum Traffic {
                /// In the selector of the Service: all of it to one slot (blue-green).
                #[default]
                Service,
                $(
                    #[doc = concat!("By a [`", stringify!($config), "`].")]
                    $variant($config),
                )*
            }

            impl Traffic {
                /// Returns what it means.
                pub(crate) fn backend(&self) -> &dyn Backend {
                    match self {
                        Self::Service => &ServiceTraffic,
                        $(Self::$variant(configured) => configured,)*
                    }
                }

                /// One of each, with nothing said of it.
                #[cfg(test)]
                pub(crate) fn each() -> Vec<Self> {
                    vec![Self::Service, $(Self::$variant($config::default())),*]
                }
            }
        }
    };
}
pub(super) use backends;

impl Traffic {
    /// Returns the object that says how traffic is split.
    pub(crate) fn object(&self, namespace: &str, service: &str) -> ObjectRef {
        match self.backend().route() {
            None => ObjectRef::service(namespace, service),
            Some(route) => {
                let name =
                    route.name.name.map_or_else(|| format!("{service}{}", route.suffix), str::to_owned);
                route.kind.object(namespace, &name)
            }
        }
    }

    /// Returns where that object is named in the configuration.
    pub(crate) fn object_field(&self) -> &'static str {
        self.backend().route().map_or("service", |route| route.name.field)
    }

    /// Returns how finely it splits.
    pub(crate) fn split(&self) -> TrafficSplit {
        self.backend().split()
    }

    /// Returns whether the endpoints of the Service tell which slot gets traffic.
    pub(crate) fn is_told_by_endpoints(&self) -> bool {
        matches!(self.backend().reached(), Reached::Itself)
    }

    /// Returns the Service whose endpoints get what the route gives to a slot; `None` where the route is a Service itself
    /// and goes over to other endpoints when it has them.
    pub(crate) fn service_of(&self, side: Side, service: &str) -> Option<String> {
        self.backend().reached().service_of(side, service)
    }

    /// Returns every name that its configuration gives.
    pub(crate) fn names(&self) -> Vec<Named<'_>> {
        let backend = self.backend();
        let route = backend.route().map(|route| route.name);
        let copy = match backend.reached() {
            Reached::Two(copy) => Some(copy),
            Reached::Itself | Reached::One => None,
        };
        route.into_iter().chain(copy).chain(backend.names()).collect()
    }

    /// Returns what splits the traffic of a target.
    pub(crate) fn means(&self, names: &Names, shape: &Shape, slots: &Slots) -> Means {
        self.backend().means(&Site { names, shape, slots })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::TargetConfig;
    use crate::rights::Feature;

    /// What another backend could get wrong without anything else noticing.
    #[test]
    fn what_a_backend_says_of_itself_agrees() {
        for traffic in Traffic::each() {
            let key = serde_json::to_value(&traffic).unwrap();
            let key = key.as_object().and_then(|fields| fields.keys().next().cloned());
            let config = TargetConfig {
                namespace: "prod".to_owned(),
                deployment: "shop".to_owned(),
                traffic: traffic.clone(),
                ..TargetConfig::default()
            };
            for named in traffic.names() {
                let prefix = format!("traffic.{}.", key.as_deref().unwrap_or_default());
                assert!(named.field.starts_with(&prefix), "{} is not of {prefix}", named.field);
            }
            let Some(route) = traffic.backend().route() else { continue };
            let object = config.traffic.object("prod", "shop");
            assert_eq!(object.plural(), route.kind.plural, "{object}");
            let written = Feature::Routes(route.kind.resource(), BTreeSet::from([object.name.clone()]));
            assert!(config.features().contains(&written), "{object}");
        }
    }
}
