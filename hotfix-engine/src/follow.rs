//! Begins what follows a run that ended: the watch of a release, the rollback of one that turned bad.

use std::collections::BTreeSet;
use std::sync::{Arc, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use hotfix_core::ErrorKind;
use hotfix_core::follow::{FollowUp, follow_up, follows};
use hotfix_core::model::RunId;
use hotfix_core::plan::Planned;
use hotfix_core::port::{RunState, RunSummary};

use crate::engine::Shared;
use crate::{Engine, EngineError, FollowUps, RunHandle, journal};

/// How long what stands in the way of a follow-up is given to go away.
const PAUSE: Duration = Duration::from_secs(10);

/// Runs that were opened longer ago than this are not looked through for what should follow them.
const LONGEST_RUN: chrono::TimeDelta = chrono::TimeDelta::days(2);

/// Begins what follows a run, and tries for as long as it makes sense. Ends with the engine.
pub(crate) async fn follow(engine: Weak<Shared>, run: RunId) {
    loop {
        let Some(shared) = engine.upgrade() else { return };
        match (Engine { shared }).begin_follow_up(&run).await {
            Ok(handle) => {
                handle.into_iter().for_each(RunHandle::detach);
                return;
            }
            Err(error @ (EngineError::Codec { .. } | EngineError::Journal { .. })) => {
                return tracing::error!(%run, %error, "what follows the run is not begun");
            }
            Err(error) => tracing::warn!(%run, %error, "what follows the run cannot be begun yet"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

impl Engine {
    /// Begins what should follow runs that ended and were not followed.
    pub(crate) async fn follow_those_that_ended(&self, all: &[RunSummary]) -> Vec<RunHandle> {
        let since = self.shared.ports.clock.now() - LONGEST_RUN;
        let recent = all.iter().filter(|run| run.state == RunState::Ended && run.opened_at > since);
        let mut begun = Vec::new();
        for ended in recent.filter(|run| !all.iter().any(|other| follows(&other.run, &run.run))) {
            // Whoever asks again does not read the journal again, and begins no second attempt beside the first.
            if !self.looked_at().insert(ended.run.clone()) {
                continue;
            }
            match self.begin_follow_up(&ended.run).await {
                Ok(handle) => begun.extend(handle),
                Err(_) if self.shared.follow_ups == FollowUps::Begin => {
                    tokio::spawn(follow(Arc::downgrade(&self.shared), ended.run.clone()));
                }
                Err(error) => {
                    self.looked_at().remove(&ended.run);
                    tracing::error!(run = %ended.run, %error, "what follows the run is not begun");
                }
            }
        }
        begun
    }

    fn looked_at(&self) -> MutexGuard<'_, BTreeSet<RunId>> {
        self.shared.looked_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns nothing when nothing follows the run, or another process was faster.
    async fn begin_follow_up(&self, run: &RunId) -> Result<Option<RunHandle>, EngineError> {
        let Shared { ports, policy, .. } = &*self.shared;
        let entries = journal::read(&*ports.store, run).await?;
        let Some(ended_at) = entries.last().map(|entry| entry.at) else { return Ok(None) };
        let state = journal::fold(run, &entries)?;
        let next = follow_up(&state, ended_at, policy, ports.clock.now());
        let Some(FollowUp { run: name, request, .. }) = next else { return Ok(None) };
        let Planned::Plan(plan) = self.plan(&request).await? else { return Ok(None) };
        match self.start_as(name, *plan).await {
            Ok(handle) => Ok(Some(handle)),
            Err(EngineError::Port(error)) if error.kind() == ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(error),
        }
    }
}
