//! Streams of changes without a runtime: whoever holds a watch gets every later change.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use super::lock;
use crate::error::{Error, ErrorKind, Result};
use crate::port::WorkloadChange;

/// The watches of one workload.
#[derive(Debug, Default)]
pub(super) struct Feed(Vec<Weak<Mutex<Inbox>>>);

#[derive(Debug, Default)]
struct Inbox {
    changes: VecDeque<Result<WorkloadChange>>,
    ended: bool,
    waker: Option<Waker>,
}

impl Feed {
    /// Opens a watch that starts with the changes given.
    pub(super) fn open(&mut self, first: Vec<WorkloadChange>) -> Watch {
        let inbox =
            Arc::new(Mutex::new(Inbox { changes: first.into_iter().map(Ok).collect(), ..Inbox::default() }));
        self.0.push(Arc::downgrade(&inbox));
        Watch(inbox)
    }

    pub(super) fn publish(&mut self, change: &WorkloadChange) {
        self.tell(|inbox| inbox.changes.push_back(Ok(change.clone())));
    }

    /// Ends every watch with an error.
    pub(super) fn cut(&mut self) {
        self.tell(|inbox| {
            let error = Error::new(ErrorKind::Unavailable, "deployer.watch", "the watch broke; watch again");
            inbox.changes.push_back(Err(error));
            inbox.ended = true;
        });
        self.0.clear();
    }

    fn tell(&mut self, write: impl Fn(&mut Inbox)) {
        self.0.retain(|inbox| {
            let Some(inbox) = inbox.upgrade() else {
                return false;
            };
            let mut inbox = lock(&inbox);
            write(&mut inbox);
            if let Some(waker) = inbox.waker.take() {
                waker.wake();
            }
            true
        });
    }
}

/// One watch. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Watch(Arc<Mutex<Inbox>>);

impl Stream for Watch {
    type Item = Result<WorkloadChange>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut inbox = lock(&self.0);
        match inbox.changes.pop_front() {
            Some(change) => Poll::Ready(Some(change)),
            None if inbox.ended => Poll::Ready(None),
            None => {
                inbox.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
