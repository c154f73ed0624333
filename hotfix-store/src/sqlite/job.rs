//! A request on its way to the writer, with the way back for its answer.

use hotfix_core::{Error, ErrorKind, Result};
use tokio::sync::oneshot;

use super::failure::Failure;
use super::tx::Tx;

/// A write that can be tried again: the writer repeats it alone when the group it was in could not be committed.
pub(super) trait Job: Send {
    /// Does the work inside a transaction and keeps the outcome.
    fn run(&mut self, tx: &mut Tx<'_>);

    /// Sends the kept outcome. Called after the commit.
    fn answer(self: Box<Self>);

    /// Sends a failure of the transaction itself.
    fn fail(self: Box<Self>, failure: &Failure);
}

/// The one implementation of [`Job`].
pub(super) struct Request<W, T> {
    operation: &'static str,
    work: W,
    outcome: Option<Result<T, Failure>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<W, T> Request<W, T>
where
    W: FnMut(&mut Tx<'_>) -> Result<T, Failure> + Send,
    T: Send,
{
    pub(super) fn new(operation: &'static str, work: W) -> (Self, oneshot::Receiver<Result<T>>) {
        let (reply, answer) = oneshot::channel();
        let outcome = None;
        let request = Self { operation, work, outcome, reply };
        (request, answer)
    }
}

impl<W, T> Job for Request<W, T>
where
    W: FnMut(&mut Tx<'_>) -> Result<T, Failure> + Send,
    T: Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) {
        self.outcome = Some((self.work)(tx));
    }

    fn answer(self: Box<Self>) {
        let outcome = match self.outcome {
            Some(outcome) => outcome.map_err(|failure| failure.on(self.operation)),
            None => Err(stopped(self.operation)),
        };
        // Nobody waits any more when the caller was dropped: that is its choice.
        drop(self.reply.send(outcome));
    }

    fn fail(self: Box<Self>, failure: &Failure) {
        drop(self.reply.send(Err(failure.on(self.operation))));
    }
}

/// The error of a call that found no thread to serve it.
pub(super) fn stopped(operation: &'static str) -> Error {
    Error::new(ErrorKind::Unexpected, operation, "the store's thread stopped: open the store again")
}
