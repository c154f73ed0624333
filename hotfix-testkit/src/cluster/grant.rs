//! Rights that a user has for a while only.

use std::time::Duration;
use std::{fmt, io};

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::rbac::v1::{PolicyRule, Role, RoleBinding};
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client};

use super::access;

/// Who may do what is decided by a cache of the server, which has a change a moment later.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// It is never behind for longer, so whatever takes longer has another reason, such as a second Role that allows the same.
const LIMIT: Duration = Duration::from_secs(30);

/// What a user may do beside what its own Role says, until it is revoked.
#[must_use = "it lasts until it is revoked"]
pub struct Grant {
    client: Client,
    namespace: String,
    name: String,
    /// What only the grant allows.
    allowed: Vec<SubjectAccessReview>,
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, name, .. } = self;
        f.debug_struct("Grant").field("namespace", namespace).field("name", name).finish_non_exhaustive()
    }
}

impl Grant {
    pub(super) async fn make(
        client: Client,
        namespace: &str,
        user: &str,
        name: &str,
        rules: &[PolicyRule],
    ) -> io::Result<Self> {
        let mut allowed = Vec::new();
        for review in rules.iter().flat_map(|rule| reviews(namespace, user, rule)) {
            if !may(&client, &review).await? {
                allowed.push(review);
            }
        }
        access::bind(&client, namespace, user, name, rules).await.map_err(io::Error::other)?;
        let grant = Self { client, namespace: namespace.to_owned(), name: name.to_owned(), allowed };
        grant.until_decided(true).await?;
        Ok(grant)
    }

    /// Takes the rights away again. Returns when the server refuses what only the grant allowed.
    ///
    /// # Errors
    /// When the server refuses to; `TimedOut` when something else came to allow it too.
    pub async fn revoke(self) -> io::Result<()> {
        let done = DeleteParams::default();
        let bindings: Api<RoleBinding> = Api::namespaced(self.client.clone(), &self.namespace);
        bindings.delete(&self.name, &done).await.map_err(io::Error::other)?;
        let roles: Api<Role> = Api::namespaced(self.client.clone(), &self.namespace);
        roles.delete(&self.name, &done).await.map_err(io::Error::other)?;
        self.until_decided(false).await
    }

    async fn until_decided(&self, expected: bool) -> io::Result<()> {
        let deciding = async {
            for review in &self.allowed {
                while may(&self.client, review).await? != expected {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
            }
            Ok(())
        };
        tokio::time::timeout(LIMIT, deciding).await?
    }
}

/// The questions whether a user may do each thing that a rule allows.
fn reviews<'a>(
    namespace: &'a str,
    user: &'a str,
    rule: &'a PolicyRule,
) -> impl Iterator<Item = SubjectAccessReview> + 'a {
    let groups = rule.api_groups.iter().flatten();
    groups.flat_map(move |group| {
        let resources = rule.resources.iter().flatten();
        resources.flat_map(move |resource| {
            rule.verbs.iter().map(move |verb| review(namespace, user, rule, [group, resource, verb]))
        })
    })
}

fn review(namespace: &str, user: &str, rule: &PolicyRule, of: [&String; 3]) -> SubjectAccessReview {
    let [group, resource, verb] = of.map(|part| Some(part.clone()));
    let (resource, subresource) = match resource.as_deref().and_then(|it| it.split_once('/')) {
        Some((resource, part)) => (Some(resource.to_owned()), Some(part.to_owned())),
        None => (resource, None),
    };
    let name = rule.resource_names.iter().flatten().next().cloned();
    let attributes = ResourceAttributes {
        group,
        resource,
        subresource,
        verb,
        name,
        namespace: Some(namespace.to_owned()),
        ..ResourceAttributes::default()
    };
    let spec = SubjectAccessReviewSpec {
        user: Some(format!("system:serviceaccount:{namespace}:{user}")),
        resource_attributes: Some(attributes),
        ..SubjectAccessReviewSpec::default()
    };
    SubjectAccessReview { spec, ..SubjectAccessReview::default() }
}

async fn may(client: &Client, review: &SubjectAccessReview) -> io::Result<bool> {
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    let answer = reviews.create(&PostParams::default(), review).await.map_err(io::Error::other)?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}
