//! The pods of a test: what they run, whether they are ready, and how they are made ill.

use std::future::Future;

use hotfix_core::model::{Artifact, Release};
use hotfix_testkit::cluster::{Behaviour, DemoPod, Readiness};
use k8s_openapi::api::core::v1::Pod;

use super::site::until;

/// The image of a release that was pushed.
pub(crate) fn image(release: &Release) -> &str {
    let Artifact::Image(image) = &release.artifact else { unreachable!("it was pushed") };
    image.as_str()
}

pub(crate) fn runs(pod: &Pod, image: &str) -> bool {
    pod.spec.as_ref().is_some_and(|spec| spec.containers[0].image.as_deref() == Some(image))
}

pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Has the readiness probes of all these pods fail. One that is being ended is passed over; whatever ends or begins
/// between the list and the word to it has the list read again.
pub(crate) async fn fail<F: Future<Output = Vec<Pod>>>(list: impl Fn() -> F) {
    let unready = Behaviour { readiness: Readiness::Never, ..Behaviour::default() };
    until("all of them are ill", || async {
        let pods = list().await;
        let staying = pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
        for demo in staying.filter_map(DemoPod::of) {
            if demo.behave(&unready).await.is_err() {
                return false;
            }
        }
        true
    })
    .await;
}
