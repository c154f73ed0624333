//! A run under way: a stream of what happens, ending in an outcome.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use hotfix_core::communicate::Progress;
use hotfix_core::execute::Outcome;
use hotfix_core::model::{IncidentId, RunId};
use tokio::task::JoinHandle;

use crate::EngineError;
use crate::driven::Forget;
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
    driver: Option<Driving>,
}

/// The driver of a run, and what takes it off the list of those driven here.
pub(crate) struct Driving {
    pub(crate) task: JoinHandle<Result<Outcome, EngineError>>,
    pub(crate) forget: Forget,
}

impl RunHandle {
    pub(crate) fn new(run: RunId, incident: IncidentId, progress: ProgressStream, driver: Driving) -> Self {
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
            Some(driver) => (&mut driver.task).await.unwrap_or(Err(gone)),
            None => Err(gone),
        }
    }

    /// Lets the run go on without a handle, for as long as the process lives.
    pub fn detach(mut self) {
        // The driver's own guard takes the run off the list at its end.
        if let Some(Driving { forget, .. }) = self.driver.take() {
            forget.leave();
        }
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
        // The runtime drops an aborted task some time later. The run can be taken up again at once.
        if let Some(Driving { task, .. }) = self.driver.take() {
            task.abort();
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
