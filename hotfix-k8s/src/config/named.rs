//! The names that a configuration gives: they are part of the paths of requests, so they are only what Kubernetes takes.

use hotfix_core::model::Target;

use super::{EnvFrom, EnvValue, InvalidConfig, OnAutoscaler, Overrides, TargetConfig, invalid, is_name};

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

/// A name in the configuration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named<'a> {
    /// Where it stands.
    pub(crate) field: &'static str,
    pub(crate) name: Option<&'a str>,
    shape: Shape,
    mend: &'static str,
}

impl<'a> Named<'a> {
    /// The name of an object; `mend` says what would be understood.
    pub(crate) const fn object(field: &'static str, name: Option<&'a str>, mend: &'static str) -> Self {
        Self { field, name, shape: Shape::Name(253), mend }
    }

    /// The name of a Service.
    pub(crate) const fn service(field: &'static str, name: Option<&'a str>) -> Self {
        let mend = "name a Service of the namespace: lower-case letters, digits and inner dashes";
        Self { field, name, shape: LABEL, mend }
    }

    /// A name that is no longer than a label.
    pub(crate) const fn label(field: &'static str, name: Option<&'a str>, mend: &'static str) -> Self {
        Self { field, name, shape: LABEL, mend }
    }

    const fn key(field: &'static str, name: &'a str) -> Self {
        let mend = "name a key: letters, digits, '-', '_' and '.'";
        Self { field, name: Some(name), shape: Shape::Key, mend }
    }

    fn is_odd(&self) -> bool {
        self.name.is_some_and(|name| !self.shape.fits(name))
    }
}

const LABEL: Shape = Shape::Name(63);

impl TargetConfig {
    /// Checks every name.
    pub(super) fn check_names(&self, target: &Target) -> Result<(), InvalidConfig> {
        let (namespace, deployment) = (self.namespace.as_str(), self.deployment.as_str());
        let own = [
            Named::label(
                "namespace",
                Some(namespace),
                "name a namespace: lower-case letters, digits and inner dashes",
            ),
            Named {
                field: "deployment",
                name: Some(deployment),
                shape: Shape::Name(LONGEST),
                mend: "name a Deployment of at most 56 lower-case letters, digits and inner dashes",
            },
            Named::label(
                "container",
                self.container.as_deref(),
                "name a container of the Deployment's template",
            ),
            Named::label("service", self.service.as_deref(), "name a Service of the namespace"),
            Named::object(
                "on_autoscaler.follow.name",
                self.autoscaler(),
                "name a HorizontalPodAutoscaler of the namespace",
            ),
        ];
        let mut names = own.into_iter().chain(self.traffic.names()).chain(self.overrides.names());
        match names.find(Named::is_odd) {
            Some(odd) => Err(invalid(target, odd.field, odd.name.unwrap_or_default(), odd.mend)),
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

impl Overrides {
    fn names(&self) -> impl Iterator<Item = Named<'_>> {
        let of_config_map = "name a ConfigMap of the namespace: lower-case letters, digits and inner dashes";
        let of_secret = "name a Secret of the namespace: lower-case letters, digits and inner dashes";
        let single = self.env.values().flat_map(move |value| match value {
            EnvValue::Value(_) => Vec::new(),
            EnvValue::ConfigMap { name, key } => vec![
                Named::object("overrides.env.config_map.name", Some(name), of_config_map),
                Named::key("overrides.env.config_map.key", key),
            ],
            EnvValue::Secret { name, key } => vec![
                Named::object("overrides.env.secret.name", Some(name), of_secret),
                Named::key("overrides.env.secret.key", key),
            ],
        });
        single.chain(self.env_from.iter().map(move |from| match from {
            EnvFrom::ConfigMap(name) => {
                Named::object("overrides.env_from.config_map", Some(name), of_config_map)
            }
            EnvFrom::Secret(name) => Named::object("overrides.env_from.secret", Some(name), of_secret),
        }))
    }
}
