//! A run under way: a stream of what happens, ending in an outcome.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use hotfix_core::communicate::Progress;
use hotfix_core::execute::Outcome;
use hotfix_core::model::{IncidentId, RunId};
use tokio::task::JoinHandle;

use crate::EngineError;
use crate::progress::ProgressStream;

/// A run that this process drives.
///
/// It is a stream of [`Progress`], each with a durable cursor. Dropping the handle stops the driver, which is the same
/// as a crash by design: the run stays as it is, and [`Engine::resume_all`](crate::Engine::resume_all) goes on with it.
/// To end a run, [cancel](crate::Engine::cancel) it.
#[must_use = "dropping the handle stops driving the run"]
pub struct RunHandle {
    run: RunId,
    incident: IncidentId,
    progress: ProgressStream,
    driver: Option<JoinHandle<Result<Outcome, EngineError>>>,
}

impl RunHandle {
    pub(crate) fn new(
        run: RunId,
        incident: IncidentId,
        progress: ProgressStream,
        driver: JoinHandle<Result<Outcome, EngineError>>,
    ) -> Self {
        Self { run, incident, progress, driver: Some(driver) }
    }

    /// Returns the run.
    #[must_use]
    pub const fn run(&self) -> &RunId {
        &self.run
    }

    /// Returns its incident.
    #[must_use]
    pub const fn incident(&self) -> &IncidentId {
        &self.incident
    }

    /// Returns the next thing that happened; `None` after the end.
    pub async fn next(&mut self) -> Option<Result<Progress, EngineError>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Waits for the end of the run. Nothing needs to read the stream for that.
    ///
    /// # Errors
    /// [`EngineError::TakenOver`] when another worker drives the run now; [`EngineError::Port`] when the journal could
    /// not be written for too long; [`EngineError::DriverGone`] when the runtime was shut down.
    pub async fn outcome(mut self) -> Result<Outcome, EngineError> {
        let gone = EngineError::DriverGone { run: self.run.clone() };
        match &mut self.driver {
            Some(driver) => driver.await.unwrap_or(Err(gone)),
            None => Err(gone),
        }
    }

    /// Lets the run go on without a handle, for as long as the process lives.
    pub fn detach(mut self) {
        self.driver = None;
    }
}

impl Stream for RunHandle {
    type Item = Result<Progress, EngineError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.progress.as_mut().poll_next(cx)
    }
}

impl Drop for RunHandle {
    fn drop(&mut self) {
        if let Some(driver) = &self.driver {
            driver.abort();
        }
    }
}

impl std::fmt::Debug for RunHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunHandle")
            .field("run", &self.run)
            .field("incident", &self.incident)
            .finish_non_exhaustive()
    }
}
