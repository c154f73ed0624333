//! Makes a target ready for its first run: the copy of its Deployment at zero pods, and the first fences.

use hotfix_core::model::Target;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api::{Failure, READ_LIMIT};
use crate::deployer::{KubernetesDeployer, request};
use crate::error::{KubernetesError, Unusable};
use crate::fence::{self, Note};
use crate::gitops;
use crate::in_place::SetKind;
use crate::names;
use crate::object::ObjectRef;
use crate::owner;
use crate::shape::{Misshapen, Names, Shape};
use crate::sight::{Object, Place, Sight, Unreadable};
use crate::slot::Side;

/// How often a first fence is written again because somebody else wrote the object at the same moment.
const TRIES: usize = 8;

impl KubernetesDeployer {
    /// Makes a target ready for its first run: creates the hotfix slot as a copy of the Deployment with no pods, and
    /// gives every object its first fence. A StatefulSet, a DaemonSet and a Deployment whose image is
    /// written in git get their fence and no copy. Nothing that runs is touched. What was adopted stays as it is.
    ///
    /// # Errors
    /// [`KubernetesError::Refused`] when an object is missing, has a shape that is not understood or belongs to
    /// somebody who would take the changes back; nothing was changed then. [`KubernetesError::Unavailable`].
    /// # Cancellation
    /// What was done stays, and adopting again does the rest.
    pub async fn adopt(&self, target: &Target) -> Result<(), KubernetesError> {
        self.try_adopt(target).await.map_err(|unusable| KubernetesError::adopting(target, &unusable))
    }

    async fn try_adopt(&self, target: &Target) -> Result<(), Unusable> {
        let deadline = Instant::now() + READ_LIMIT;
        let config = self.target(target)?;
        if let Some(kind) = SetKind::of(config.workload) {
            return self.adopt_in_place(target, kind).await;
        }
        if config.on_gitops.in_git().is_some() {
            return self.adopt_in_git(target).await;
        }
        let (sight, _) = self.unowned(target, deadline).await?;
        self.survey(target, deadline).await?;
        if let Some(service) = self.missing_service(target, deadline).await? {
            return Err(Unusable::Missing(service.into()));
        }
        sight.workload()?;
        let names = Names::of(config);
        match &sight.hotfix {
            Some(copy) => is_copy(copy, &sight.shape, &names.main)?,
            None => self.create_copy(&sight, &names, deadline).await?,
        }
        let objects = [&names.hotfix, &names.route].into_iter().chain(&names.autoscaler).chain([&names.main]);
        for reference in objects {
            self.first_fence(reference, deadline).await?;
        }
        Ok(())
    }

    /// Reads a target with the autoscalers of its namespace, and refuses objects that somebody else would set back, and a
    /// route that rests on what does not lead to the slots.
    pub(crate) async fn unowned(
        &self,
        target: &Target,
        deadline: Instant,
    ) -> Result<(Sight, Vec<Value>), Unusable> {
        let config = self.target(target)?;
        let premise = config.traffic.backend().premise(&Names::of(config).service);
        let rule = premise.as_ref().map(|premise| premise.object().1);
        let (sight, autoscalers, found) = tokio::join!(
            self.sight(target, deadline),
            self.autoscalers(&config.namespace, deadline),
            self.fetch_any(rule.as_ref(), deadline)
        );
        let (sight, autoscalers, found) = (sight?, autoscalers?, found?);
        sight.shape.container.as_ref().map_err(|unnamed| Misshapen::from(unnamed.clone()))?;
        if let Some(going) = sight.going() {
            return Err(Unusable::Going(going.reference.clone().into()));
        }
        for object in Place::ALL.into_iter().filter_map(|place| sight.object(place)) {
            owner::gitops(config, &object.reference, &object.value)?;
        }
        owner::scaled(config, &autoscalers)?;
        if let (Some(premise), Some(rule)) = (premise, rule) {
            let found = found.ok_or_else(|| Unusable::Missing(rule.into()))?;
            let checked = premise.check(&found.value, &sight.main.value, &sight.shape);
            checked.map_err(|error| Unreadable::Route(error.into()))?;
        }
        Ok((sight, autoscalers))
    }

    async fn create_copy(&self, sight: &Sight, names: &Names, deadline: Instant) -> Result<(), Unusable> {
        let copy = copy(sight, names);
        match self.api.create(&names.hotfix, &copy, deadline).await {
            Ok(_) => Ok(()),
            // Somebody else adopted it at the same moment.
            Err(Failure::Status(refusal)) if refusal.code == 409 => {
                match self.fetch(&names.hotfix, deadline).await? {
                    Some(found) => is_copy(&found, &sight.shape, &names.main),
                    None => Err(request(names.hotfix.to_string(), Failure::Status(refusal))),
                }
            }
            Err(failure) => Err(request(names.hotfix.to_string(), failure)),
        }
    }

    pub(crate) async fn first_fence(&self, reference: &ObjectRef, deadline: Instant) -> Result<(), Unusable> {
        let mut last = Failure::Timeout;
        for _ in 0..TRIES {
            let object = self.fetch(reference, deadline).await?;
            let object = object.ok_or_else(|| Unusable::Missing(reference.clone().into()))?;
            if object.fence.is_some() {
                return Ok(());
            }
            match self.api.patch(reference, &fence::first(&object.value, &Note::default()), deadline).await {
                Ok(_) => return Ok(()),
                Err(Failure::Status(refusal)) if matches!(refusal.code, 409 | 422) => {
                    last = Failure::Status(refusal);
                }
                Err(failure) => return Err(request(reference.to_string(), failure)),
            }
        }
        Err(request(reference.to_string(), last))
    }
}

fn is_copy(object: &Object, shape: &Shape, of: &ObjectRef) -> Result<(), Unusable> {
    let (object, found) = (object.reference.clone().into(), &object.value);
    if found["metadata"]["annotations"][names::COPY_OF] != *of.name {
        return Err(Unusable::Foreign { object, deployment: of.clone().into() });
    }
    let label = &found["spec"]["selector"]["matchLabels"][&shape.label];
    if *label != *shape.hotfix {
        let (label, value) = (shape.label.clone(), label.as_str().unwrap_or_default().to_owned());
        return Err(Unusable::OtherTraffic { object, label, value, wanted: shape.hotfix.clone() });
    }
    Ok(())
}

/// The copy: the same Deployment under another name and label, without pods and without what others noted about
/// the original.
fn copy(sight: &Sight, names: &Names) -> Value {
    let (main, shape) = (&sight.main.value, &sight.shape);
    let slot = sight.slots.name(Side::Hotfix).as_str();
    let mut labels = main["metadata"]["labels"].clone();
    if !labels.is_object() {
        labels = json!({});
    }
    gitops::disown(main, &mut labels);
    labels[&shape.label] = shape.hotfix.as_str().into();
    labels[names::SLOT] = slot.into();
    let mut spec = main["spec"].clone();
    spec["replicas"] = 0.into();
    spec["selector"]["matchLabels"][&shape.label] = shape.hotfix.as_str().into();
    if shape.hotfix == shape.main {
        // Where both slots have the label that a Service selects by, another one tells the copy's pods.
        spec["selector"]["matchLabels"][names::SLOT] = slot.into();
    }
    let pods = &mut spec["template"]["metadata"]["labels"];
    pods[&shape.label] = shape.hotfix.as_str().into();
    pods[names::SLOT] = slot.into();
    json!({
        "apiVersion": names.hotfix.api_version,
        "kind": names.hotfix.kind,
        "metadata": {
            "name": names.hotfix.name,
            "namespace": names.hotfix.namespace,
            "labels": labels,
            "annotations": {
                names::COPY_OF: names.main.name,
                names::RELEASE: names::EMPTY,
                names::FENCE: Note::default().text(),
            },
        },
        "spec": spec,
    })
}
