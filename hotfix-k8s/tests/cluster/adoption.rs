//! The right to make a copy, which cannot be narrowed to a name: a user has it while a target is adopted, and not before
//! or after.

use hotfix_k8s::KubernetesError;
use hotfix_k8s::rights::{self, Feature, ServiceAccount};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::{DeleteParams, PostParams};
use kube::core::DynamicObject;
use kube::{Api, Client};

use super::site::{Shop, until};

const ROLE: &str = "adoption";

impl Shop {
    /// Adopts the target as its user.
    pub(crate) async fn adopt(&self) -> Result<(), KubernetesError> {
        let account =
            ServiceAccount { namespace: self.namespace.name().to_owned(), name: "hotfix".to_owned() };
        let granted = [
            rights::role(&self.namespace, ROLE, &[Feature::Adoption].into()),
            rights::role_binding(&self.namespace, ROLE, &account),
        ];
        for object in &granted {
            self.create_any(object).await;
        }
        // Who may do what is decided by a cache of the server.
        until("the user may make Deployments", || self.may_adopt()).await;
        let adopted = self.deployer.adopt(&self.target).await;
        for object in granted {
            let object: DynamicObject = serde_json::from_value(object).expect("an object");
            let api = self.api_of(object.types.as_ref().expect("a kind"));
            api.delete(ROLE, &DeleteParams::default()).await.expect("deleted");
        }
        until("the user may make none any more", || async { !self.may_adopt().await }).await;
        adopted
    }

    async fn may_adopt(&self) -> bool {
        let reviews: Api<SelfSubjectAccessReview> =
            Api::all(Client::try_from(self.user.clone()).expect("a client"));
        let create = ResourceAttributes {
            namespace: Some(self.namespace.name().to_owned()),
            verb: Some("create".to_owned()),
            group: Some("apps".to_owned()),
            resource: Some("deployments".to_owned()),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec {
            resource_attributes: Some(create),
            ..SelfSubjectAccessReviewSpec::default()
        };
        let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
        let review = reviews.create(&PostParams::default(), &review).await.expect("an answer");
        review.status.is_some_and(|status| status.allowed)
    }
}
