//! How far the controller of a Deployment is with its template, and what that makes of pods that look ready: where nobody
//! labelled the template, or a merge left an old label on it, pods of the one before look the same.

use hotfix_core::model::{Fault, Target};
use serde_json::Value;
use tokio::time::{Duration, Instant, sleep};

use crate::deployer::KubernetesDeployer;
use crate::error::Unusable;
use crate::object::ObjectRef;
use crate::pod::Pod;
use crate::runs::Runs;
use crate::sight::{self, Sight};
use crate::slot::Side;

/// How often a controller is looked at that has not seen its Deployment.
const PAUSE: Duration = Duration::from_millis(50);
/// How long it may take to see it before that is told.
const SEE: Duration = Duration::from_secs(1);

/// How far the controller is, by the rules of `kubectl rollout status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rolled {
    /// All pods are of the template.
    Whole,
    /// Some are of one before: a rollout is under way.
    Partly { updated: u16, pods: u16 },
    /// It has not seen the Deployment as it is.
    Unseen,
}

impl Rolled {
    /// Reads what the status of a Deployment says.
    pub(crate) fn read(deployment: &Value) -> Self {
        let number = |path| deployment.pointer(path).and_then(Value::as_u64);
        if number("/status/observedGeneration") < number("/metadata/generation") {
            return Self::Unseen;
        }
        // What is zero is left out.
        let count = |path| u16::try_from(number(path).unwrap_or(0)).unwrap_or(u16::MAX);
        match (count("/status/updatedReplicas"), count("/status/replicas")) {
            (updated, pods) if updated < pods => Self::Partly { updated, pods },
            _ => Self::Whole,
        }
    }

    /// Returns how many pods of the template surely take traffic. Of pods that look the same those of the one before may
    /// be the ready ones, and in a rollout that is stuck they are.
    pub(crate) fn ready(self, pods: &[&Pod], runs: &Runs) -> u16 {
        let ready = sight::ready(pods, runs);
        let Self::Partly { updated, .. } = self else { return ready };
        let alike = pods.iter().filter(|pod| runs.is_in(pod) && !pod.is_going).count();
        let older = u16::try_from(alike).unwrap_or(u16::MAX).saturating_sub(updated);
        ready.saturating_sub(older)
    }

    /// The same, for whoever plans a change: at least one while any pod answers, because then the slot is not down.
    pub(crate) fn serving(self, pods: &[&Pod], runs: &Runs) -> u16 {
        let sure = if self == Self::Unseen { 0 } else { self.ready(pods, runs) };
        sure.max(sight::ready(pods, runs).min(1))
    }

    /// Returns what is wrong with a Deployment that is not rolled out.
    pub(crate) fn fault(self, deployment: &ObjectRef) -> Option<Fault> {
        let reason = match self {
            Self::Whole => return None,
            Self::Partly { updated, pods } => {
                format!("a rollout is under way, {updated} of {pods} pods are of its template")
            }
            Self::Unseen => "its controller has not seen its newest change".to_owned(),
        };
        Some(Fault::ReadinessLost { instance: deployment.name.clone(), reason })
    }
}

/// Whether a pod of the template that a Deployment has now is ready, as its controller counts. Labels tell pods of two
/// templates apart only where we wrote these.
pub(crate) fn has_ready_pod(deployment: &Value) -> bool {
    let ready = deployment.pointer("/status/readyReplicas").and_then(Value::as_u64).unwrap_or(0);
    match Rolled::read(deployment) {
        Rolled::Whole => ready > 0,
        Rolled::Partly { updated, pods } => ready > u64::from(pods - updated),
        Rolled::Unseen => false,
    }
}

impl KubernetesDeployer {
    /// Reads a target anew while a controller has not seen what was written a moment ago; not for long.
    pub(crate) async fn once_seen(
        &self,
        target: &Target,
        mut sight: Sight,
        deadline: Instant,
    ) -> Result<Sight, Unusable> {
        let until = deadline.min(Instant::now() + SEE);
        while sight.is_unseen() && Instant::now() < until {
            sleep(PAUSE).await;
            sight = self.sight(target, deadline).await?;
        }
        Ok(sight)
    }
}

impl Sight {
    /// Whether a Deployment that is to have pods was changed and its controller has not seen that.
    fn is_unseen(&self) -> bool {
        let deployments = Side::BOTH.into_iter().filter_map(|side| Some(&self.deployment(side)?.value));
        let mut filled = deployments.filter(|deployment| sight::replicas(deployment) > 0);
        filled.any(|deployment| Rolled::read(deployment) == Rolled::Unseen)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::names;

    fn deployment(status: &Value) -> Value {
        json!({"metadata": {"generation": 4}, "spec": {"replicas": 3}, "status": status})
    }

    fn pods(label: Option<&str>, ready: &[bool]) -> Vec<Pod> {
        let pod = |is_ready: &bool| {
            let status = if *is_ready { "True" } else { "False" };
            let mut pod =
                json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": status}]}});
            if let Some(label) = label {
                pod["metadata"]["labels"][names::ARTIFACT] = label.into();
            }
            Pod::read(&pod)
        };
        ready.iter().map(pod).collect()
    }

    #[test]
    fn the_status_says_how_far_the_controller_is() {
        let partly = |updated, pods| Rolled::Partly { updated, pods };
        let cases = [
            (json!({"observedGeneration": 4, "replicas": 3, "updatedReplicas": 3}), Rolled::Whole),
            (json!({"observedGeneration": 4, "replicas": 4, "updatedReplicas": 1}), partly(1, 4)),
            (json!({"observedGeneration": 4, "replicas": 3}), partly(0, 3)),
            (json!({"observedGeneration": 4, "replicas": 1, "updatedReplicas": 1}), Rolled::Whole),
            (json!({"observedGeneration": 4}), Rolled::Whole),
            (json!({"observedGeneration": 3, "replicas": 3, "updatedReplicas": 3}), Rolled::Unseen),
            (json!({}), Rolled::Unseen),
        ];
        for (status, expected) in cases {
            assert_eq!(Rolled::read(&deployment(&status)), expected, "{status}");
        }
    }

    #[test]
    fn pods_of_the_template_before_are_not_counted_as_ready() {
        let (whole, partly) = (Rolled::Whole, |updated, pods| Rolled::Partly { updated, pods });
        let unlabelled = Runs::Labelled(None);
        let labelled = Runs::Labelled(Some("ab".to_owned()));
        // Three pods of the release before are ready and the new one is not.
        let stuck = [true, true, true, false];
        let beside = |new: &[bool]| [pods(None, &[true; 3]), pods(Some("ab"), new)].concat();
        // Surely ready, and ready for whoever plans.
        let cases = [
            (whole, &unlabelled, pods(None, &[true; 3]), (3, 3)),
            (whole, &unlabelled, pods(None, &[true, true, false]), (2, 2)),
            (partly(1, 4), &unlabelled, pods(None, &stuck), (0, 1)),
            (partly(1, 4), &unlabelled, pods(None, &[true; 4]), (1, 1)),
            (partly(2, 4), &unlabelled, pods(None, &[true; 4]), (2, 2)),
            (partly(0, 3), &unlabelled, pods(None, &[true; 3]), (0, 1)),
            (partly(1, 4), &unlabelled, pods(None, &[false; 4]), (0, 0)),
            // A merge left the label of the release before.
            (partly(1, 4), &labelled, pods(Some("ab"), &stuck), (0, 1)),
            // A label of its own tells them apart.
            (partly(1, 4), &labelled, beside(&[true]), (1, 1)),
            (partly(2, 5), &labelled, beside(&[true, false]), (1, 1)),
            (partly(1, 4), &labelled, beside(&[false]), (0, 0)),
            (Rolled::Unseen, &unlabelled, pods(None, &[true; 3]), (3, 1)),
        ];
        for (rolled, runs, pods, expected) in cases {
            let pods: Vec<&Pod> = pods.iter().collect();
            let found = (rolled.ready(&pods, runs), rolled.serving(&pods, runs));
            assert_eq!(found, expected, "{rolled:?} {runs:?} {}", pods.len());
        }
    }

    #[test]
    fn ready_pods_of_an_older_template_do_not_count() {
        let deployment = |observed: u64, [all, updated, ready]: [u64; 3]| {
            json!({"metadata": {"generation": 7}, "status": {
                "observedGeneration": observed, "replicas": all, "updatedReplicas": updated, "readyReplicas": ready,
            }})
        };
        let cases = [
            (6, [3, 3, 3], false, "the controller has not seen the template"),
            (7, [3, 0, 3], false, "none was made of it"),
            (7, [4, 1, 3], false, "all that are ready may be older"),
            (7, [4, 1, 4], true, "more are ready than are older"),
            (7, [1, 1, 1], true, "there are no others"),
            (7, [0, 0, 0], false, "Recreate ended all, and none is there yet"),
        ];
        for (observed, counts, is_there, what) in cases {
            assert_eq!(has_ready_pod(&deployment(observed, counts)), is_there, "{what}");
        }
        assert!(!has_ready_pod(&json!({"metadata": {"generation": 1}})));
    }
}
