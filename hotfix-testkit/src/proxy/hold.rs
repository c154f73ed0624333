//! Requests and answers that wait to be released.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{oneshot, watch};

/// Everything that is held.
#[derive(Debug)]
pub(super) struct Holds {
    held: Mutex<Vec<Held>>,
    count: watch::Sender<usize>,
}

#[derive(Debug)]
struct Held {
    go: oneshot::Sender<()>,
    done: oneshot::Receiver<u16>,
}

/// The other end: waits for the release, and says what the server answered.
#[derive(Debug)]
pub(super) struct Waiting {
    go: oneshot::Receiver<()>,
    done: oneshot::Sender<u16>,
}

impl Default for Holds {
    fn default() -> Self {
        Self { held: Mutex::default(), count: watch::Sender::new(0) }
    }
}

impl Holds {
    pub(super) fn hold(&self) -> Waiting {
        let (go, released) = oneshot::channel();
        let (done, answered) = oneshot::channel();
        let mut held = self.lock();
        held.push(Held { go, done: answered });
        self.count.send_replace(held.len());
        drop(held);
        Waiting { go: released, done }
    }

    pub(super) async fn reached(&self, wanted: usize) {
        // The sender is here as well, so this ends when the number is reached and in no other way.
        let mut counts = self.count.subscribe();
        let _reached = counts.wait_for(|count| *count >= wanted).await;
    }

    pub(super) async fn release(&self) -> Vec<u16> {
        let held = std::mem::take(&mut *self.lock());
        self.count.send_replace(0);
        let mut answers = Vec::with_capacity(held.len());
        for Held { go, done } in held {
            // Both fail only when the runtime that held the request is gone, and the request with it.
            let _gone = go.send(());
            answers.push(done.await.unwrap_or_default());
        }
        answers
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Waits for the release; nothing if that cannot come any more.
    pub(super) async fn released(self) -> Option<oneshot::Sender<u16>> {
        self.go.await.ok().map(|()| self.done)
    }
}
