//! The names that a configuration gives: they are part of the paths of requests, so they are only what Kubernetes takes.

use hotfix_core::model::Target;

use super::{
    Destinations, EnvFrom, EnvValue, InvalidConfig, OnAutoscaler, Overrides, TargetConfig, Traffic, invalid,
    is_name,
};

/// The longest name of a Deployment that leaves room for that of its copy in a label.
const LONGEST: usize = 63 - "-hotfix".len();

/// What a name of that kind looks like.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// Of an object, or of something in one, with so many characters at most.
    Name(usize),
    /// A key of a ConfigMap or a Secret.
    Key,
}

/// A name, where it stands and what would be understood.
type Named<'a> = (&'static str, Option<&'a str>, Shape, &'static str);

const SERVICE: Shape = Shape::Name(63);
const OBJECT: Shape = Shape::Name(253);

impl TargetConfig {
    /// Checks every name.
    pub(super) fn check_names(&self, target: &Target) -> Result<(), InvalidConfig> {
        let own = [
            (
                "namespace",
                Some(self.namespace.as_str()),
                Shape::Name(63),
                "name a namespace: lower-case letters, digits and inner dashes",
            ),
            (
                "deployment",
                Some(self.deployment.as_str()),
                Shape::Name(LONGEST),
                "name a Deployment of at most 56 lower-case letters, digits and inner dashes",
            ),
            (
                "container",
                self.container.as_deref(),
                Shape::Name(63),
                "name a container of the Deployment's template",
            ),
            ("service", self.service.as_deref(), SERVICE, "name a Service of the namespace"),
            (
                "on_autoscaler.follow.name",
                self.autoscaler(),
                OBJECT,
                "name a HorizontalPodAutoscaler of the namespace",
            ),
        ];
        let mut names = own.into_iter().chain(self.traffic.names()).chain(self.overrides.names());
        let is_odd = |(_, name, shape, _): &Named<'_>| name.is_some_and(|name| !shape.fits(name));
        match names.find(is_odd) {
            Some((field, name, _, mend)) => Err(invalid(target, field, name.unwrap_or_default(), mend)),
            None => Ok(()),
        }
    }

    fn autoscaler(&self) -> Option<&str> {
        match &self.on_autoscaler {
            OnAutoscaler::Refuse | OnAutoscaler::Accept => None,
            OnAutoscaler::Follow { name } => name.as_deref(),
        }
    }
}

impl Shape {
    fn fits(self, name: &str) -> bool {
        let is_of_key = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        match self {
            Self::Name(longest) => name.len() <= longest && is_name(name),
            Self::Key => (1..=253).contains(&name.len()) && name.bytes().all(is_of_key),
        }
    }
}

impl Traffic {
    /// Where the Service of the copy is named.
    pub(super) const fn copy_field(&self) -> &'static str {
        match self {
            Self::Service | Self::Replicas(_) => "service",
            Self::VirtualService(_) => "traffic.virtual_service.destinations.hosts.hotfix",
            Self::HttpRoute(_) => "traffic.http_route.hotfix",
            Self::Ingress(_) => "traffic.ingress.hotfix",
        }
    }

    fn names(&self) -> Vec<Named<'_>> {
        let copy = |hotfix| {
            let mend = "name a Service of the namespace: lower-case letters, digits and inner dashes";
            (self.copy_field(), hotfix, SERVICE, mend)
        };
        match self {
            Self::Service | Self::Replicas(_) => Vec::new(),
            Self::VirtualService(mesh) => {
                let mend =
                    "name a VirtualService of the namespace: lower-case letters, digits and inner dashes";
                let mut names = vec![("traffic.virtual_service.name", mesh.name.as_deref(), OBJECT, mend)];
                match &mesh.destinations {
                    Destinations::Hosts { hotfix } => names.push(copy(hotfix.as_deref())),
                    Destinations::Subsets { main, hotfix, rule } => {
                        let mend =
                            "name a subset of a DestinationRule: lower-case letters, digits and inner dashes";
                        let subset = |field, name| (field, Some(name), Shape::Name(63), mend);
                        names.extend([
                            subset("traffic.virtual_service.destinations.subsets.main", main.as_str()),
                            subset("traffic.virtual_service.destinations.subsets.hotfix", hotfix.as_str()),
                        ]);
                        let mend = "name a DestinationRule of the namespace: lower-case letters, digits and inner dashes";
                        let field = "traffic.virtual_service.destinations.subsets.rule";
                        names.push((field, rule.as_deref(), OBJECT, mend));
                    }
                }
                names
            }
            Self::HttpRoute(route) => {
                let mend = "name an HTTPRoute of the namespace: lower-case letters, digits and inner dashes";
                let name = ("traffic.http_route.name", route.name.as_deref(), OBJECT, mend);
                vec![name, copy(route.hotfix.as_deref())]
            }
            Self::Ingress(ingress) => {
                let mend = "name an Ingress of the namespace: lower-case letters, digits and inner dashes";
                let name = ("traffic.ingress.name", ingress.name.as_deref(), OBJECT, mend);
                vec![name, copy(ingress.hotfix.as_deref())]
            }
        }
    }
}

impl Overrides {
    fn names(&self) -> impl Iterator<Item = Named<'_>> {
        let of_config_map = "name a ConfigMap of the namespace: lower-case letters, digits and inner dashes";
        let of_secret = "name a Secret of the namespace: lower-case letters, digits and inner dashes";
        let of_key = "name a key: letters, digits, '-', '_' and '.'";
        let single = self.env.values().flat_map(move |value| match value {
            EnvValue::Value(_) => Vec::new(),
            EnvValue::ConfigMap { name, key } => vec![
                ("overrides.env.config_map.name", Some(name.as_str()), OBJECT, of_config_map),
                ("overrides.env.config_map.key", Some(key.as_str()), Shape::Key, of_key),
            ],
            EnvValue::Secret { name, key } => vec![
                ("overrides.env.secret.name", Some(name.as_str()), OBJECT, of_secret),
                ("overrides.env.secret.key", Some(key.as_str()), Shape::Key, of_key),
            ],
        });
        single.chain(self.env_from.iter().map(move |from| match from {
            EnvFrom::ConfigMap(name) => {
                ("overrides.env_from.config_map", Some(name.as_str()), OBJECT, of_config_map)
            }
            EnvFrom::Secret(name) => ("overrides.env_from.secret", Some(name.as_str()), OBJECT, of_secret),
        }))
    }
}
