//! Giving the sync back when it would take nothing back.

use std::collections::BTreeSet;

use hotfix_core::model::{Stamp, Target};
use serde_json::Value;
use tokio::time::{Duration, Instant, sleep};

use super::fenced::Decision;
use super::named::SyncOwner;
use super::note::{Entry, Note, Off};
use super::switch::{self, Sync};
use crate::api::Failure;
use crate::deployer::{KubernetesDeployer, request};
use crate::error::Unusable;
use crate::fence;
use crate::gitops::Tool;
use crate::object::ObjectRef;
use crate::shape::Names;

/// The longest that giving back may keep a verb from its end.
const LIMIT: Duration = Duration::from_secs(5);
/// How often an owner is looked at that was asked to compare.
const PAUSE: Duration = Duration::from_millis(100);
/// Asks Argo CD to compare an Application with git. It takes the annotation away when it has.
const REFRESH: &str = "argocd.argoproj.io/refresh";

/// When the sync of an owner comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum When {
    /// Now: everything is as git says again. Not that of owners whose sync was off before the run.
    Now { except: BTreeSet<String> },
    /// When the owner says that the workload is as git says.
    InSync,
}

/// What became of a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    /// It was not off for this target.
    NotOurs,
    Back,
    /// Somebody else changed it meanwhile, who wins.
    ByOthers,
    /// It stays off for another target.
    ForAnother,
    /// It stays off until git names what runs.
    Ahead,
    /// The owner saw a higher stamp of the target.
    Fenced,
}

impl KubernetesDeployer {
    /// Gives the sync of a target's owners back, and returns what is to be said of each. It never fails: what stays off
    /// is said, and a later call gives it back.
    pub(crate) async fn give_sync_back(
        &self,
        target: &Target,
        stamp: Stamp,
        when: &When,
        deadline: Instant,
    ) -> Vec<String> {
        let Ok(config) = self.target(target) else { return Vec::new() };
        let now = Instant::now();
        let until = now + LIMIT.min(deadline.saturating_duration_since(now) / 2);
        let mut said = Vec::new();
        for owner in config.on_gitops.named() {
            let object = owner.object();
            let given = match when {
                When::Now { except } if except.contains(&object.to_string()) => {
                    self.leave_ahead(owner, target, stamp, until).await
                }
                When::Now { .. } => self.give_back(owner, target, stamp, until).await,
                When::InSync => match self.is_in_sync(owner, target, until).await {
                    Ok(true) => self.give_back(owner, target, stamp, until).await,
                    Ok(false) => self.leave_ahead(owner, target, stamp, until).await,
                    Err(unusable) => Err(unusable),
                },
            };
            let sentence = match &given {
                Ok(Given::NotOurs) => continue,
                Ok(given) => given.sentence(&object),
                Err(unusable) => {
                    format!(
                        "whether the sync of {object} is off is not known: {unusable}; resume_sync gives it back"
                    )
                }
            };
            if given == Ok(Given::Back) {
                tracing::info!(%target, "{sentence}");
            } else {
                tracing::warn!(%target, "{sentence}");
            }
            said.push(sentence);
        }
        said
    }

    pub(super) async fn give_back(
        &self,
        owner: &SyncOwner,
        target: &Target,
        stamp: Stamp,
        deadline: Instant,
    ) -> Result<Given, Unusable> {
        let decide = |value: &Value, note: &Note| Ok(give_back(owner.tool(), value, note, target, stamp));
        self.change_owner(owner, deadline, decide).await
    }

    /// Notes that the sync is off because git does not name what runs.
    async fn leave_ahead(
        &self,
        owner: &SyncOwner,
        target: &Target,
        stamp: Stamp,
        deadline: Instant,
    ) -> Result<Given, Unusable> {
        self.change_owner(owner, deadline, |value, note| {
            Ok(match (note.off(target), switch::read(owner.tool(), value)) {
                (None, _) => Decision::leave(Given::NotOurs),
                (Some(_), Sync::On(_) | Sync::OffByOthers) => {
                    give_back(owner.tool(), value, note, target, stamp)
                }
                (Some(Off::Ahead), Sync::Off) => Decision::leave(Given::Ahead),
                (Some(Off::Run(_)), Sync::Off) if note.stamp(target) > stamp => {
                    Decision::leave(Given::Fenced)
                }
                (Some(Off::Run(_)), Sync::Off) => {
                    let next = note.with(target, Entry { stamp, off: Some(Off::Ahead) });
                    Decision::write(Given::Ahead, next, Vec::new())
                }
            })
        })
        .await
    }

    /// Has the owner compare what runs with git. Flux does not while it is suspended.
    async fn is_in_sync(
        &self,
        owner: &SyncOwner,
        target: &Target,
        deadline: Instant,
    ) -> Result<bool, Unusable> {
        if owner.tool() != Tool::ArgoCd {
            return Ok(false);
        }
        let value = self.owner(owner, deadline).await?;
        if self.note(owner, &value)?.off(target).is_none() {
            return Ok(false);
        }
        self.ask_to_compare(owner, deadline).await?;
        let main = Names::of(self.target(target)?).main;
        loop {
            let value = self.owner(owner, deadline).await?;
            if value["metadata"]["annotations"][REFRESH].is_null() {
                return Ok(is_synced(&value, &main));
            }
            if Instant::now() + PAUSE >= deadline {
                return Ok(false);
            }
            sleep(PAUSE).await;
        }
    }

    async fn ask_to_compare(&self, owner: &SyncOwner, deadline: Instant) -> Result<(), Unusable> {
        let object = owner.object();
        loop {
            let value = self.owner(owner, deadline).await?;
            let ask = fence::annotated(&value, REFRESH, "normal".to_owned());
            match self.api.patch(&object, &ask, deadline).await {
                Ok(_) => return Ok(()),
                // Somebody wrote at the same moment, mostly its controller.
                Err(Failure::Status(refusal)) if matches!(refusal.code, 409 | 422) => {}
                Err(failure) => return Err(request(object.to_string(), failure)),
            }
        }
    }
}

/// What to do so that the sync is off no longer for a target.
pub(super) fn give_back(
    tool: Tool,
    value: &Value,
    note: &Note,
    target: &Target,
    stamp: Stamp,
) -> Decision<Given> {
    let current = note.stamp(target);
    if note.off(target).is_none() {
        return Decision::leave(Given::NotOurs);
    }
    if current > stamp {
        return Decision::leave(Given::Fenced);
    }
    let next = note.with(target, Entry { stamp, off: None });
    match (switch::read(tool, value), &note.was) {
        (Sync::Off, Some(_)) if note.is_off_for_another(target) => {
            Decision::write(Given::ForAnother, next, Vec::new())
        }
        (Sync::Off, Some(was)) => Decision::write(Given::Back, next, switch::on(tool, value, was)),
        (Sync::On(_) | Sync::OffByOthers, _) | (Sync::Off, None) => {
            Decision::write(Given::ByOthers, next, Vec::new())
        }
    }
}

/// Whether Argo CD found an object as git says.
fn is_synced(application: &Value, object: &ObjectRef) -> bool {
    let group = object.api_version.split_once('/').map_or("", |(group, _)| group);
    let is_object = |found: &Value| {
        found["group"].as_str().unwrap_or_default() == group
            && found["kind"] == object.kind
            && found["namespace"] == *object.namespace
            && found["name"] == *object.name
    };
    let resources = application["status"]["resources"].as_array();
    resources.into_iter().flatten().any(|found| is_object(found) && found["status"] == "Synced")
}

impl Given {
    pub(super) fn sentence(self, owner: &ObjectRef) -> String {
        match self {
            Self::NotOurs => format!("the sync of {owner} was not off"),
            Self::Back => format!("the sync of {owner} is given back"),
            Self::ByOthers => format!("the sync of {owner} was changed by somebody else, and stays so"),
            Self::ForAnother => format!("the sync of {owner} stays off for another target"),
            Self::Ahead => format!(
                "the sync of {owner} stays off, because git does not name what runs; put it into git and give the \
                 sync back with resume_sync"
            ),
            Self::Fenced => format!("the sync of {owner} stays off for a newer run"),
        }
    }
}

#[cfg(test)]
#[path = "give_back_tests.rs"]
mod tests;
