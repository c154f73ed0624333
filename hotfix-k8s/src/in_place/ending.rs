//! Deleting pods, each only in the version that was read.

use hotfix_core::model::{Stamp, Target};
use hotfix_core::port::Reply;
use tokio::time::Instant;

use super::view::SetKind;
use crate::api::{Failure, READ_LIMIT};
use crate::deployer::{KubernetesDeployer, request};
use crate::error::Unusable;
use crate::fence::{self, Note};
use crate::object::ObjectRef;
use crate::pod::Pod;
use crate::reply::{self, Meaning};

/// How often a pod is touched again that others write at the same moment.
const TRIES: usize = 8;

impl KubernetesDeployer {
    /// Deletes pods. One that is gone or was changed since is left, and the next look tells what is to be done.
    pub(crate) async fn end_pods(
        &self,
        target: &Target,
        pods: &[Pod],
        deadline: Instant,
    ) -> Result<(), Reply> {
        let config = self.target(target).map_err(|unusable| Reply::Rejected(unusable.rejection()))?;
        for pod in pods {
            let object = ObjectRef::pod(&config.namespace, &pod.name);
            match self.api.delete_version(&object, &pod.uid, pod.version, deadline).await {
                Ok(_) => {}
                Err(Failure::Status(refusal)) if refusal.is_not_found() || refusal.code == 409 => {
                    tracing::debug!(%object, "it is gone or was changed, and is looked at again");
                }
                Err(failure) => {
                    return Err(match reply::meaning(&failure, &object) {
                        Meaning::Rejected(rejection) => Reply::Rejected(rejection),
                        Meaning::Ambiguous(ambiguity) => Reply::Ambiguous(ambiguity),
                        Meaning::Raced => continue,
                        Meaning::Unproven { message } => {
                            crate::writing::permanent(format!("{object} was not deleted: {message}"))
                        }
                    });
                }
            }
        }
        Ok(())
    }

    /// Gives the pods that are to be deleted another version, after the fence of their object was raised: from then on
    /// a delete that names an older one is refused.
    pub(crate) async fn touch_ending(
        &self,
        target: &Target,
        kind: SetKind,
        stamp: Stamp,
    ) -> Result<(), Unusable> {
        let deadline = Instant::now() + READ_LIMIT;
        let sight = self.in_place(target, kind, deadline).await?;
        let Some(marks) = sight.view.marks.as_ref() else { return Ok(()) };
        let namespace = &sight.object.reference.namespace;
        let named = sight.pods.iter().filter(|pod| !pod.is_going && marks.ending.contains(&pod.uid));
        for pod in named {
            self.touch(&ObjectRef::pod(namespace, &pod.name), &pod.uid, stamp, deadline).await?;
        }
        Ok(())
    }

    async fn touch(
        &self,
        object: &ObjectRef,
        uid: &str,
        stamp: Stamp,
        deadline: Instant,
    ) -> Result<(), Unusable> {
        let mut last = Failure::Timeout;
        for _ in 0..TRIES {
            let found = self.api.get(object, deadline).await;
            let found = found.map_err(|failure| request(object.to_string(), failure))?;
            // One of that name that is another needs no fence: the delete names the uid.
            let Some(pod) = found.filter(|pod| pod["metadata"]["uid"] == *uid) else { return Ok(()) };
            let patch = fence::first(&pod, &Note::default().raised(stamp));
            match self.api.patch(object, &patch, deadline).await {
                Ok(_) => return Ok(()),
                Err(Failure::Status(refusal)) if refusal.is_not_found() => return Ok(()),
                Err(Failure::Status(refusal)) if matches!(refusal.code, 409 | 422) => {
                    last = Failure::Status(refusal);
                }
                Err(failure) => return Err(request(object.to_string(), failure)),
            }
        }
        Err(request(object.to_string(), last))
    }
}
