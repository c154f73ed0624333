//! Bodies that pass through unchanged, and the count that is made when an answer's body ends.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::Instant;

use super::Limits;
use super::counters::Ending;
use super::upstream::{Connection, Lease};

/// The body of a request to an instance.
#[derive(Debug)]
pub(crate) enum RequestBody {
    /// Streamed from the client; gone once sent.
    Streamed(Incoming),
    /// Nothing, which can be sent again.
    Empty,
}

/// The body of an answer to a client.
#[derive(Debug)]
pub(crate) enum AnswerBody {
    /// Streamed from an instance. The ticket is gone once the end was seen.
    Streamed { body: Incoming, ticket: Option<Ticket> },
    /// The proxy's own words.
    Own(Option<Bytes>),
}

/// What is still to be done when an answer ends: count it, keep the connection, let the instance go.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) lease: Lease,
    pub(crate) connection: Option<Connection>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) began: Instant,
    pub(crate) ending: Ending,
}

impl Ticket {
    fn whole(mut self) {
        if let Some(connection) = self.connection.take() {
            self.lease.upstream().put_back(connection, &self.limits);
        }
    }

    fn broken(mut self) {
        self.ending = Ending::Failed;
    }
}

/// Dropped unfinished when the client goes away: that is counted as the answer it began as, and the connection, on
/// which the rest of the answer is still to come, is closed.
impl Drop for Ticket {
    fn drop(&mut self) {
        self.lease.upstream().counters.count(self.ending, self.began.elapsed());
    }
}

impl AnswerBody {
    /// Wraps the body of an instance's answer.
    pub(crate) fn streamed(body: Incoming, ticket: Ticket) -> Self {
        if body.is_end_stream() {
            ticket.whole();
            return Self::Own(None);
        }
        Self::Streamed { body, ticket: Some(ticket) }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Streamed(body) => Pin::new(body).poll_frame(context),
            Self::Empty => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Streamed(body) => body.is_end_stream(),
            Self::Empty => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Streamed(body) => body.size_hint(),
            Self::Empty => SizeHint::with_exact(0),
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Own(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Streamed { body, ticket } => {
                let polled = Pin::new(&mut *body).poll_frame(context);
                let ended = match &polled {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Some(Err(_))) => {
                        ticket.take().into_iter().for_each(Ticket::broken);
                        return polled;
                    }
                    Poll::Ready(None) => true,
                    // The server asks no further when the body says it is at its end.
                    Poll::Ready(Some(Ok(_))) => body.is_end_stream(),
                };
                if ended {
                    ticket.take().into_iter().for_each(Ticket::whole);
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(text) => text.is_none(),
            Self::Streamed { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(text) => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
            Self::Streamed { body, .. } => body.size_hint(),
        }
    }
}
